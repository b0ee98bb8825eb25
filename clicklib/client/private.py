"""The parts of kafka-python that clicklib uses and that are not public.

A new version may drop any of them, so pyproject.toml allows only the minor version that the tests
ran with. `tests/unit/client/test_private.py` tests each part, and says which one is missing. It
also finds parts that this list lacks. The modules of this package use the parts directly.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import Any

__all__ = ["PARTS", "Part"]


@dataclass(frozen=True)
class Part:
    """`name` in `owner`, which is a module or a `module:Class`, and its `use` in clicklib."""

    owner: str
    name: str
    use: str

    def is_there(self) -> bool:
        """Whether the installed kafka-python has it, in the owner or in the owner's instances."""
        module, _, path = self.owner.partition(":")
        try:
            owner: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            return False
        for step in filter(None, path.split(".")):
            owner = getattr(owner, step, None)
        kinds: tuple[type, ...] = inspect.getmro(owner)[:-1] if inspect.isclass(owner) else ()
        return hasattr(owner, self.name) or any(
            f"self.{self.name} = " in inspect.getsource(kind) for kind in kinds
        )


_FETCHED = "kafka.consumer.fetcher:Fetcher.PartitionRecords"
_BATCH = "kafka.record.default_records:DefaultRecordBatch"

PARTS = (
    # transport, connect: they report errors, close sockets, and hold rows back
    Part("kafka.net.compat", "KafkaNetClient", "made with connections of our own"),
    Part("kafka.net.selector", "NetworkSelector", "the loop of these connections"),
    Part("kafka.net.manager", "KafkaConnectionManager", "replaced by `transport.Connections`"),
    Part("kafka.net.manager:KafkaConnectionManager", "get_connection", "extended"),
    Part("kafka.net.manager:KafkaConnectionManager", "_build_transport", "extended"),
    Part("kafka.net.manager:KafkaConnectionManager", "_net", "closed where connecting fails"),
    Part("kafka.net.connection:KafkaConnection", "init_future", "tells why connecting failed"),
    Part("kafka.net.connection:KafkaConnection", "parser", "tells whether something answered"),
    Part("kafka.net.transport:KafkaTCPTransport", "_sock_recv", "the end comes after the data"),
    Part("kafka.net.transport:KafkaTCPTransport", "_sock_send", "asks first whether it may send"),
    Part("kafka.net.transport:KafkaTCPTransport", "_write_buffer", "empty where `close` is clean"),
    Part("kafka.net.transport:KafkaTCPTransport", "abort", "closes a socket with data left"),
    # batches: records decoded a batch at a time
    Part("kafka.consumer:KafkaConsumer", "_fetcher", "made to use `batches.FetchedRecords`"),
    Part("kafka.consumer.fetcher", "ConsumerRecord", "the record that is made"),
    Part("kafka.consumer.fetcher:Fetcher", "PartitionRecords", "extended"),
    Part(_FETCHED, "_unpack_records", "replaced"),
    Part(_FETCHED, "_consume_aborted_transactions_up_to", "which batches were aborted"),
    Part(_FETCHED, "_contains_abort_marker", "which batches were aborted"),
    Part(_FETCHED, "_is_batch_aborted", "which batches were aborted"),
    Part(_FETCHED, "aborted_producer_ids", "which batches were aborted"),
    Part(_FETCHED, "drain", "ends a fetch"),
    Part("kafka.record.memory_records:MemoryRecords", "_next_slice", "the format of a batch"),
    Part(_BATCH, "_buffer", "the bytes of a batch"),
    Part(_BATCH, "_pos", "where its records begin"),
    Part("kafka.record.util", "decode_varint", "numbers of three bytes and more"),
    # group_reader, assignor: a member that knows until when it was certainly in the group
    Part("kafka.coordinator.assignors.abstract", "AbstractPartitionAssignor", "extended"),
    Part("kafka.protocol.consumer.metadata", "ConsumerProtocolAssignment", "what it answers"),
    Part("kafka.protocol.consumer.metadata", "ConsumerProtocolSubscription", "what it asks for"),
    Part("kafka.consumer:KafkaConsumer", "_coordinator", "its answers are noted"),
    Part(
        "kafka.coordinator.consumer:ConsumerCoordinator", "fetch_committed_offsets", "all at once"
    ),
    Part("kafka.consumer:KafkaConsumer", "_net", "sleeps while heartbeats go on"),
    Part("kafka.coordinator.base:BaseCoordinator", "_handle_heartbeat_response", "noted"),
    Part("kafka.coordinator.base:BaseCoordinator", "_process_sync_group_response", "noted"),
    # writer: time limits for the steps of a transaction, and a close that ends the thread
    Part("kafka.producer:KafkaProducer", "_metadata", "how often the brokers have answered"),
    Part("kafka.cluster:ClusterMetadata", "add_listener", "told of each answer"),
    Part("kafka.cluster:ClusterMetadata", "remove_listener", "told of no more answers"),
    Part("kafka.producer:KafkaProducer", "_sender", "woken, joined, told from other threads"),
    Part("kafka.producer.sender:Sender", "force_close", "ends what `close` leaves running"),
    Part("kafka.producer:KafkaProducer", "_transaction_manager", "steps of a transaction"),
    Part("kafka.producer.transaction_manager:TransactionManager", "begin_commit", "a step"),
    Part(
        "kafka.producer.transaction_manager:TransactionManager",
        "transaction_timeout_ms",
        "longer where the broker answers slowly",
    ),
    Part(
        "kafka.producer.transaction_manager:TransactionManager",
        "send_offsets_to_transaction",
        "a step",
    ),
)
"""Every part, by the module that uses it."""
