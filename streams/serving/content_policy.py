"""What a browser may load and do on a page of this server."""

from __future__ import annotations

__all__ = ["content_policy"]


def content_policy(*, forms: bool = False) -> str:
    """Return the policy: nothing from elsewhere, nothing inline, in no frame; with ``forms`` a form may be sent to this server."""
    to = "'self'" if forms else "'none'"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"base-uri 'none'; form-action {to}; frame-ancestors 'none'"
    )
