"""Everything that knows kafka-python, and what users ask of a cluster."""
