"""Goka's User Clicks in Python: emitter, processor and view on a real Apache Kafka."""
