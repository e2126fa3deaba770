"""Kinds of lines: Asterisk's own, those that phone systems and dialplans add, and a site's table of what its kinds become."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ADDED",
    "CALL",
    "EVENT_KINDS",
    "INFORMATIONAL",
    "LEFT",
    "MEANINGS",
    "MEMBER",
    "TIMED",
    "KindTable",
    "KindTableError",
    "Meaning",
]

#: Kinds that report neither a contact nor an agent's presence: counted, not rejected. QUEUESTART ends the open calls.
INFORMATIONAL: Final = frozenset({"CONFIGRELOAD", "DID", "INFO", "OUTCALL", "PENALTY", "QUEUESTART", "RINGINUSE"})

#: Kind → how many parameters it has at least, over all versions of Asterisk; fewer mean that the line was cut.
CALL: Final = {
    "ENTERQUEUE": 2,
    "CONNECT": 1,
    "COMPLETEAGENT": 2,
    "COMPLETECALLER": 2,
    "ABANDON": 3,
    "EXITWITHTIMEOUT": 1,
    "EXITWITHKEY": 2,
    "EXITEMPTY": 1,
    "WITHDRAW": 3,
    "BLINDTRANSFER": 4,
    "ATTENDEDTRANSFER": 4,
    "TRANSFER": 2,
    "RINGNOANSWER": 1,
    "RINGCANCELED": 1,
    "AGENTDUMP": 0,
    "SYSCOMPAT": 0,
}
MEMBER: Final = frozenset(
    {
        "ADDMEMBER",
        "REMOVEMEMBER",
        "PAUSE",
        "UNPAUSE",
        "PAUSEALL",
        "UNPAUSEALL",
        "AGENTLOGIN",
        "AGENTLOGOFF",
        "AGENTCALLBACKLOGIN",
        "AGENTCALLBACKLOGOFF",
    }
)

#: Kinds that leave the queue without an answer: the reason, and the parameter with the wait in whole seconds.
LEFT: Final = {
    "ABANDON": ("abandoned", 2),
    "EXITWITHTIMEOUT": ("timeout", 2),
    "EXITWITHKEY": ("keypress", 3),
    "EXITEMPTY": ("empty", 2),
    "WITHDRAW": ("withdrawn", 2),
}

#: Kinds whose last parameter of those that are always there is a number.
TIMED: Final = frozenset(
    {"CONNECT", "COMPLETEAGENT", "COMPLETECALLER", "ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "WITHDRAW", "RINGNOANSWER", "RINGCANCELED"}
)

#: What a site's kind may become → what may follow the colon. None: it may be left out.
MEANINGS: Final[dict[str, frozenset[str | None]]] = {
    "ignored": frozenset({None}),
    "queued": frozenset({None}),
    "answered": frozenset({None}),
    "left_queue": frozenset(
        {"abandoned", "timeout", "overflow", "voicemail", "keypress", "empty", "callback", "withdrawn", "transfer"},
    ),
    "not_offered": frozenset({None, "busy", "full", "closed", "menu_ended", "blocked"}),
    "ended": frozenset({None, "customer", "agent", "system"}),
    "transferred": frozenset({None, "blind", "attended", "queue"}),
    "offer_ended": frozenset({"declined", "no_answer", "withdrawn"}),
    "wrap_up_started": frozenset({None}),
    "wrapped_up": frozenset({None}),
    "callback_requested": frozenset({None}),
    "presence": frozenset({"available", "offline", "paused"}),
}

#: Kinds that Wazo adds, and those that the usual recipe for old Asterisks writes where Queue() itself leaves no line.
ADDED: Final = {
    "JOINEMPTY": "not_offered",
    "FULL": "not_offered:full",
    "CLOSED": "not_offered:closed",
    "LEAVEEMPTY": "left_queue:empty",
    "WRAPUPSTART": "wrapped_up",
    "EXITCODE|TIMEOUT": "left_queue:timeout",
    "EXITCODE|LEAVEEMPTY": "left_queue:empty",
    "EXITCODE|LEAVEUNAVAIL": "left_queue:empty",
    "EXITCODE|JOINEMPTY": "not_offered",
    "EXITCODE|JOINUNAVAIL": "not_offered",
    "EXITCODE|FULL": "not_offered:full",
}

#: Every kind that becomes an event without a site's table.
EVENT_KINDS: Final = frozenset(CALL) | MEMBER | {pattern.split("|")[0] for pattern in ADDED}

_ANY: Final = "*"
_MAX_PATTERN: Final = 200


class KindTableError(ValueError):
    """A table of kinds cannot be used; the message names the entry and what is permitted."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a kind: the type of the event without ``contact.``, and its reason, outcome or state."""

    becomes: str
    argument: str | None


class KindTable:
    """Meanings of the kinds of a site, by kind and by its parameters.

    Args:
        entries: ``KIND`` or ``KIND|PARAMETER|…`` as the log writes it (``*`` is any parameter) → a meaning, such as
            ``left_queue:timeout`` (``MEANINGS``).
        ignored: kinds that only inform.

    Raises:
        KindTableError: an entry is malformed.
    """

    def __init__(self, entries: Mapping[str, str], ignored: Iterable[str] = ()) -> None:
        self._own = _table({**dict.fromkeys(ignored, "ignored"), **entries})

    def own(self, kind: str, parameters: list[str]) -> Meaning | None:
        """Return the site's meaning of a line; it precedes Asterisk's."""
        return _fitting(self._own, kind, parameters)

    def added(self, kind: str, parameters: list[str]) -> Meaning | None:
        """Return the meaning of a kind that a phone system adds."""
        return _fitting(_ADDED, kind, parameters)


_Entries = list[tuple[list[str], Meaning]]


def _table(entries: Mapping[str, str]) -> dict[str, _Entries]:
    table: dict[str, _Entries] = {}
    for pattern, text in entries.items():
        kind, *parameters = pattern.split("|")
        if not kind.strip() or kind == _ANY or len(pattern) > _MAX_PATTERN:
            raise KindTableError(f"kind {pattern!r}: write KIND or KIND|PARAMETER as the log has it, such as EXITCODE|TIMEOUT")
        table.setdefault(kind, []).append((parameters, _meaning(pattern, text)))
    for kind_entries in table.values():
        # The most specific entry first.
        kind_entries.sort(key=lambda entry: -sum(parameter != _ANY for parameter in entry[0]))
    return table


def _meaning(pattern: str, text: str) -> Meaning:
    becomes, colon, argument = text.partition(":")
    arguments = MEANINGS.get(becomes)
    if arguments is None:
        raise KindTableError(f"kind {pattern}: {text!r} is none of {', '.join(MEANINGS)}")
    if (argument if colon else None) not in arguments:
        permitted = ", ".join(
            sorted(f"{becomes}:{permitted_argument}" if permitted_argument else becomes for permitted_argument in arguments)
        )
        raise KindTableError(f"kind {pattern}: {text!r} is none of {permitted}")
    return Meaning(becomes, argument or None)


def _fitting(table: Mapping[str, _Entries], kind: str, parameters: list[str]) -> Meaning | None:
    for wanted, meaning in table.get(kind, ()):
        if len(wanted) <= len(parameters) and all(want in {_ANY, got} for want, got in zip(wanted, parameters, strict=False)):
            return meaning
    return None


_ADDED: Final = _table(ADDED)
