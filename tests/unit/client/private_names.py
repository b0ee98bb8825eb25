"""The names in kafka-python that clicklib.client uses and that are not public.

A new version may drop any of them, so pyproject.toml allows only the minor version that the tests
ran with. `test_private.py` tests each name, and says which one is missing. It also finds names that
this list lacks.
"""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Name:
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
_ACCUMULATOR = "kafka.producer.record_accumulator:RecordAccumulator"
_BUILDER = "kafka.record.default_records:DefaultRecordBatchBuilder"
_MANAGER = "kafka.producer.transaction_manager:TransactionManager"
_BATCH = "kafka.record.default_records:DefaultRecordBatch"

NAMES = (
    # transport, connect: they report errors and close sockets
    Name("kafka.net.compat", "KafkaNetClient", "made with connections of our own"),
    Name("kafka.net.selector", "NetworkSelector", "the loop of these connections"),
    Name("kafka.net.manager", "KafkaConnectionManager", "replaced by `transport.Connections`"),
    Name("kafka.net.manager:KafkaConnectionManager", "get_connection", "extended"),
    Name("kafka.net.manager:KafkaConnectionManager", "_build_transport", "extended"),
    Name("kafka.net.manager:KafkaConnectionManager", "broker_version", "refused if too old"),
    Name("kafka.net.manager:KafkaConnectionManager", "_net", "closed where connecting fails"),
    Name("kafka.cluster:ClusterMetadata", "_topics", "asked for by the first question"),
    Name("kafka.net.connection:KafkaConnection", "init_future", "tells why connecting failed"),
    Name("kafka.net.connection:KafkaConnection", "parser", "tells whether something answered"),
    Name("kafka.net.transport:KafkaTCPTransport", "_sock_recv", "the end comes after the data"),
    Name("kafka.net.transport:KafkaTCPTransport", "_write_buffer", "empty where `close` is clean"),
    Name("kafka.net.transport:KafkaTCPTransport", "abort", "closes a socket with data left"),
    # admin: the cluster's id, which brokers before 3.7 tell only beside their metadata
    Name("kafka.admin:KafkaAdminClient", "_manager", "asks the brokers"),
    Name("kafka.admin:KafkaAdminClient", "_get_cluster_metadata", "has the cluster's id"),
    Name("kafka.admin:KafkaAdminClient", "_async_get_leader_for_partitions", "asked if need be"),
    # batches: records decoded a batch at a time
    Name("kafka.consumer:KafkaConsumer", "_fetcher", "made to use `batches.FetchedRecords`"),
    Name("kafka.consumer.fetcher:Fetcher", "_create_fetch_requests", "extended"),
    Name("kafka.consumer.fetcher:Fetcher", "_fetchable_partitions", "those of the next fetch"),
    Name("kafka.consumer.fetcher:Fetcher", "PartitionRecords", "extended"),
    Name(_FETCHED, "_unpack_records", "replaced"),
    Name(_FETCHED, "_consume_aborted_transactions_up_to", "which batches were aborted"),
    Name(_FETCHED, "_contains_abort_marker", "which batches were aborted"),
    Name(_FETCHED, "_is_batch_aborted", "which batches were aborted"),
    Name(_FETCHED, "aborted_producer_ids", "which batches were aborted"),
    Name(_FETCHED, "drain", "ends a fetch"),
    Name("kafka.record.memory_records:MemoryRecords", "_next_slice", "the format of a batch"),
    Name(_BATCH, "_buffer", "the bytes of a batch"),
    Name(_BATCH, "_pos", "where its records begin"),
    Name("kafka.record.util", "decode_varint", "numbers of three bytes and more"),
    # outgoing: batches are put into the accumulator, and filled there
    Name("kafka.producer:KafkaProducer", "_accumulator", "takes the batches"),
    Name("kafka.producer.producer_batch", "ProducerBatch", "a batch on its way"),
    Name("kafka.producer.producer_batch:ProducerBatch", "_record_futures", "for a split"),
    Name("kafka.producer.producer_batch:ProducerBatch", "produce_future", "answers, also a split"),
    Name(_ACCUMULATOR, "config", "the compression"),
    Name(_ACCUMULATOR, "_appends_in_progress", "as its method `append` does it"),
    Name(_ACCUMULATOR, "_tp_lock", "as its method `append` does it"),
    Name(_ACCUMULATOR, "_closed", "as its method `append` does it"),
    Name(_ACCUMULATOR, "_batches", "as its method `append` does it"),
    Name(_ACCUMULATOR, "_incomplete", "as its method `append` does it"),
    Name(_ACCUMULATOR, "_flushes_in_progress", "as its method `await_flush_completion` does it"),
    Name("kafka.record.memory_records", "MemoryRecordsBuilder", "the bytes of a batch"),
    Name("kafka.record.memory_records:MemoryRecordsBuilder", "next_offset", "asked how many"),
    Name("kafka.record.memory_records:MemoryRecordsBuilder", "close", "takes no more records"),
    Name("kafka.record.memory_records:MemoryRecordsBuilder", "_closed", "takes no more records"),
    Name("kafka.record.memory_records:MemoryRecordsBuilder", "_builder", "filled at once"),
    Name(_BUILDER, "_buffer", "filled at once"),
    Name(_BUILDER, "_num_records", "filled at once"),
    Name(_BUILDER, "_last_offset", "filled at once"),
    Name(_BUILDER, "_first_timestamp", "filled at once"),
    Name(_BUILDER, "_max_timestamp", "filled at once"),
    Name(_MANAGER, "maybe_add_partition_to_transaction", "as the producer's `send` does it"),
    # claims: a producer id for each partition
    Name("kafka.producer:KafkaProducer", "_sender", "its thread asks"),
    Name("kafka.producer.sender:Sender", "_client", "asks"),
    Name("kafka.net.compat:KafkaNetClient", "_manager", "asks"),
    Name(_MANAGER, "producer_id_and_epoch", "replaced"),
    Name(_MANAGER, "sequence_number", "tells which partition is numbered"),
    Name(_MANAGER, "reset_producer_id", "replaced"),
    Name(_MANAGER, "bump_producer_id_and_epoch", "replaced"),
    Name(_MANAGER, "reset_sequence_for_partition", "a claim begins at 0"),
    Name(_MANAGER, "transition_to_fatal_error", "ends a producer in doubt"),
    # group_reader, assignor: a member of a group
    Name("kafka.coordinator.assignors.abstract", "AbstractPartitionAssignor", "extended"),
    Name("kafka.protocol.consumer.metadata", "ConsumerProtocolAssignment", "what it answers"),
    Name("kafka.protocol.consumer.metadata", "ConsumerProtocolSubscription", "what it asks for"),
    Name("kafka.consumer:KafkaConsumer", "_cluster", "what it hears of its topics"),
    Name("kafka.consumer:KafkaConsumer", "_coordinator", "what it asks the coordinator"),
    Name(
        "kafka.coordinator.consumer:ConsumerCoordinator",
        "fetch_committed_offsets_async",
        "all at once",
    ),
    Name(
        "kafka.coordinator.consumer:ConsumerCoordinator",
        "_offset_fetch_futures",
        "emptied: has answers of long ago",
    ),
    Name("kafka.consumer:KafkaConsumer", "_manager", "its admin client knows as much"),
    Name("kafka.consumer:KafkaConsumer", "_net", "sleeps while heartbeats go on"),
    Name("kafka.coordinator.consumer:ConsumerCoordinator", "_build_metadata_snapshot", "replaced"),
    Name("kafka.coordinator.consumer:ConsumerCoordinator", "_metadata_snapshot", "set at first"),
    Name("kafka.consumer:KafkaConsumer", "_subscription", "the topics of a member"),
    Name("kafka.coordinator.base:BaseCoordinator", "heartbeat", "tells that it is cut off"),
    Name("kafka.coordinator.heartbeat:Heartbeat", "session_timeout_expired", "tells so"),
    Name("kafka.coordinator.base:BaseCoordinator", "_manager", "waits for the answer"),
    Name("kafka.coordinator.base:BaseCoordinator", "_join_task", "an answer that came too late"),
    # writer: time limits for the steps of a transaction, and a close that ends the thread
    Name("kafka.producer:KafkaProducer", "_metadata", "how often the brokers have answered"),
    Name("kafka.cluster:ClusterMetadata", "add_listener", "told of each answer"),
    Name("kafka.cluster:ClusterMetadata", "remove_listener", "told of no more answers"),
    Name("kafka.producer:KafkaProducer", "_sender", "woken, joined, told from other threads"),
    Name("kafka.producer.sender:Sender", "force_close", "ends what `close` leaves running"),
    Name("kafka.producer:KafkaProducer", "_transaction_manager", "steps of a transaction"),
    Name("kafka.producer.transaction_manager:TransactionManager", "begin_commit", "a step"),
    Name("kafka.producer.transaction_manager:TransactionManager", "_lock", "to begin in one step"),
    Name(
        "kafka.producer.transaction_manager:TransactionManager",
        "_lookup_coordinator",
        "finds that of the group before the first transaction",
    ),
    Name(
        "kafka.producer.transaction_manager:TransactionManager",
        "transaction_timeout_ms",
        "longer where the broker answers slowly",
    ),
    Name(
        "kafka.producer.transaction_manager:TransactionManager",
        "send_offsets_to_transaction",
        "a step",
    ),
)
"""Every such name, by the module that uses it."""
