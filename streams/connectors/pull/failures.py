"""Why a platform could not be polled."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["FAILURES", "Failure", "PollError"]

#: Why a platform could not be polled: it limits requests; it does not answer; it has an error of its own; it refuses this connector; its
#: answer does not fit the request.
Failure = Literal["limited", "unreachable", "unavailable", "refused", "malformed"]
FAILURES: Final = ("limited", "unreachable", "unavailable", "refused", "malformed")


class PollError(Exception):
    """A platform could not be polled. The detail names the platform's status and never what was sent or answered.

    Args:
        reason: as metrics count it.
        detail: for operators.
        wait_seconds: how long the platform asks to wait, if it does.
    """

    def __init__(self, reason: Failure, detail: str, wait_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.reason: Failure = reason
        self.wait_seconds = wait_seconds
