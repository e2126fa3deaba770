"""What can be wrong with a provider, and with a token. Their texts hold no token, and of a token no value."""

from __future__ import annotations

__all__ = ["ProviderAwayError", "ProviderProblem", "ProviderRefusedError", "TokenError"]


class ProviderProblem(Exception):  # noqa: N818 - the base of what is wrong
    """The provider does not do its part; the text says what it did."""


class ProviderAwayError(ProviderProblem):
    """The provider cannot be asked now; later it may."""


class ProviderRefusedError(ProviderProblem):
    """The provider says that a login, or a session, is over."""


class TokenError(Exception):
    """A token is not taken; the text says by which rule."""
