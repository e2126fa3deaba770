"""Why a platform could not be asked."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["FAILURES", "AskError", "Failure"]

#: Why a platform could not be asked: it says that this is too much; it does not answer; it answers that it cannot, that this connector
#: may not, or with what is no answer to the question.
Failure = Literal["limited", "unreachable", "unavailable", "refused", "malformed"]
FAILURES: Final = ("limited", "unreachable", "unavailable", "refused", "malformed")


class AskError(Exception):
    """A platform could not be asked. The detail names the platform's status and never what was sent or answered.

    Args:
        reason: one word, for counting.
        detail: for a person.
        wait_seconds: how long the platform wants to be left alone, if it says so.
    """

    def __init__(self, reason: Failure, detail: str, wait_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.reason: Failure = reason
        self.wait_seconds = wait_seconds
