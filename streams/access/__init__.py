"""What one may see: rights, roles, principals and views; no HTTP, no Kafka, no clock, no chance."""
