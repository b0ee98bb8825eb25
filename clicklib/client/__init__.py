"""The code that uses kafka-python, and what users ask of a cluster."""
