"""Errors of a provider and of a token. Their texts hold no token and no value of one."""

from __future__ import annotations

__all__ = ["ProviderAwayError", "ProviderProblem", "ProviderRefusedError", "TokenError"]


class ProviderProblem(Exception):  # noqa: N818 - the base of provider errors
    """The provider fails; the text states how."""


class ProviderAwayError(ProviderProblem):
    """The provider cannot be reached now; it may be later."""


class ProviderRefusedError(ProviderProblem):
    """The provider reports that a login or a session is over."""


class TokenError(Exception):
    """A token is rejected; the text states the rule."""
