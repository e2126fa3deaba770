"""Exceptions of the calendar at short notice, on the wall clock of each site."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeGuard

from pydantic import AfterValidator, Field

from streams.configuration.base import PERMITTED, Model, Name, nearest, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.configuration.hours import Problem

__all__ = ["CalendarException", "exception_problems"]

_LOCAL: Final = r"^2[01]\d{2}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d$"
PERMITTED[_LOCAL] = "a local time such as 2026-11-21T13:00"


def _real_time(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        message = f'no such time; permitted: {PERMITTED[_LOCAL]}; found "{text}"'
        raise refuse(message) from error
    return text


LocalTime = Annotated[str, Field(pattern=_LOCAL), AfterValidator(_real_time)]
Names = Annotated[tuple[Name, ...], Field(strict=False)]


class CalendarException(Model):
    """A closure or an outage."""

    name: Name
    """Its name in records and on the page."""
    kind: Literal["closed", "outage"]
    """`closed`: no agent works; alerts with `during: business_hours` and the business clock pause. `outage`: figures are marked only."""
    begins: LocalTime = Field(alias="from")
    """When it began, on the wall clock of each site."""
    ends: LocalTime | None = Field(default=None, alias="to")
    """When it ended; without it, it is still on."""
    sites: Names = ()
    """The sites it is about, with all their queues and teams. Without sites and queues it is about everything."""
    queues: Names = ()
    """The queues it is about."""


#: Later than any local time that can be written.
_OPEN_END: Final = "9999-12-31T24:00"


def exception_problems(root: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield contradictions in the exceptions of a file; entries without a valid form are skipped."""
    listed = root.get("calendar_exceptions")
    spans_by_scope: dict[tuple[str, str], list[tuple[str, str, int]]] = {}
    for index, entry in enumerate(listed if isinstance(listed, list | tuple) else ()):
        if not isinstance(entry, dict):
            continue
        at = ("calendar_exceptions", index)
        begins, ends = entry.get("from"), entry.get("to")
        if not _is_local(begins) or not (ends is None or _is_local(ends)):
            continue
        if ends is not None and ends <= begins:
            yield (*at, "to"), f'"{ends}" is not after "{begins}"; permitted: a later time, or none while it is on', (*at, "from")
            continue
        named = [(kind, str(name), number) for kind in ("sites", "queues") for number, name in enumerate(_texts(entry.get(kind)))]
        for kind, name, number in named:
            known = root.get(kind)
            known = known if isinstance(known, dict) else {}
            if name not in known:
                permitted = ", ".join(map(str, known)) or f"none, for there are no {kind}"
                yield (*at, kind, number), f"{name!r} is not among {kind}{nearest(name, map(str, known))}; permitted: {permitted}", None
        for scope in {(kind, name) for kind, name, _ in named} or {("everything", "")}:
            for before, until, other in spans_by_scope.setdefault(scope, []):
                if begins < until and before < (ends or _OPEN_END):
                    where = scope[1] or "everything"
                    reason = f"overlaps another exception of {where}; permitted: times that do not"
                    yield (*at, "from"), reason, ("calendar_exceptions", other, "from")
            spans_by_scope[scope].append((begins, ends or _OPEN_END, index))


def _is_local(text: Any) -> TypeGuard[str]:
    return isinstance(text, str) and re.fullmatch(_LOCAL[1:-1], text) is not None


def _texts(value: Any) -> list[Any]:
    return [entry for entry in value if type(entry) in {str, int}] if isinstance(value, list | tuple) else []
