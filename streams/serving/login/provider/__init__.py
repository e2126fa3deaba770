"""Log users in by OpenID Connect, and accept the provider's tokens from programs."""
