"""Connectors that poll their platform: the client, the state so far, and the transaction that writes both to Kafka."""
