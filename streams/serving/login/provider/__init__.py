"""Logs people in by OpenID Connect, and takes the provider's tokens from programs."""
