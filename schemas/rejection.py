"""How a record value is refused: the reasons that are counted, and the exception that carries one."""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = ["REJECT_REASONS", "RejectReason", "Rejected"]

RejectReason = Literal[
    "empty",
    "too_large",
    "invalid_utf8",
    "invalid_json",
    "unknown_type",
    "missing_field",
    "wrong_type",
    "invalid_value",
]
"""Why a record was refused; the label of a counter, so the list only grows."""

REJECT_REASONS: Final[tuple[RejectReason, ...]] = get_args(RejectReason)


class Rejected(ValueError):  # noqa: N818  # it is an outcome, named as the counter is
    """A record value is not an event of its topic.

    `reason` is one of `REJECT_REASONS`. `detail` names the field and what it may hold; it never quotes what was sent.
    """

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: RejectReason = reason
        self.detail = detail
