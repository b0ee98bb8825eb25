"""The local copies of a table's partitions."""
