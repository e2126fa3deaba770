"""What a principal may see and do: rights, roles and views; no HTTP, no Kafka, no clock, no chance."""
