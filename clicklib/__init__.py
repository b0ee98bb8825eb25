"""Goka's User Clicks in Python: emitter, processor and view on a real Apache Kafka."""

from clicklib.cluster import Cluster
from clicklib.emitter import Emitter
from clicklib.graph import Graph, Input, Persist, define_group, group_table
from clicklib.processor import Processor
from clicklib.view import View

__all__ = [
    "Cluster",
    "Emitter",
    "Graph",
    "Input",
    "Persist",
    "Processor",
    "View",
    "define_group",
    "group_table",
]
