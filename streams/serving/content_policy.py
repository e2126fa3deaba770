"""The Content-Security-Policy of this server's pages."""

from __future__ import annotations

__all__ = ["content_policy"]


def content_policy(*, forms: bool = False) -> str:
    """Return the policy: nothing from other origins, nothing inline, no framing; ``forms`` permits forms to this server."""
    to = "'self'" if forms else "'none'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"base-uri 'none'; form-action {to}; frame-ancestors 'none'"
    )
