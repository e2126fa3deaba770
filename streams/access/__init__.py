"""Access of accounts: rights, roles, principals and views; no HTTP, no Kafka, no clock, no randomness."""
