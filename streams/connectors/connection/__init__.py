"""Connections that stream a platform's events: their definition (`model`), and what holds one and publishes (`runner`)."""
