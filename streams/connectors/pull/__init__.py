"""Connectors that ask their platform: what asks it, what it said so far, and the transaction in which both go to Kafka."""
