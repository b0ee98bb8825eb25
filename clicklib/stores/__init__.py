"""The local copies of a table's partitions: in memory, in LMDB, and the folders of those.

A store is a cache of Kafka. `clicklib.table.Storage` says what a store is.
"""
