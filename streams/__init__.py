"""Contact Streams: from contact events to the figures of a contact center, while it happens."""
