"""Connections that a platform tells its events over: what one is made of (`model`), and what keeps it and publishes (`runner`)."""
