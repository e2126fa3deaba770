"""What runs on one source partition: records in, the pure middle, rows and records out."""
