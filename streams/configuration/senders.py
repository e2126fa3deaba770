"""The senders file of the gateway: senders, their tokens, and the events they may send; no clock, no network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final
from unicodedata import normalize

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS
from streams.configuration.base import PERMITTED, Model, Name, nearest, refuse
from streams.configuration.definitions import Instant, effective_ms
from streams.configuration.problems import FileError, read_text
from streams.configuration.reading import problems_of, read_model
from streams.configuration.wording import permitted, schema_at, worded

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = [
    "EVENT_TYPES",
    "SENDER_NAME",
    "Sender",
    "SenderToken",
    "SendersError",
    "SendersFile",
    "load_senders",
    "parse_senders",
    "senders_schema",
]

#: The types of the contract; a sender can send no other.
EVENT_TYPES: Final = frozenset(str(kind.model_fields["type"].default) for kind in (*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS))

_HASH: Final = r"^sha256:[0-9a-f]{64}$"
SENDER_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,79}$"
PERMITTED[_HASH] = "sha256: and 64 hexadecimal digits in lower case, as `contact-streams senders token` prints them"
PERMITTED[SENDER_NAME] = "a name of 1 to 80 letters, digits and _ . : / -"

#: The most of each: every request is compared with them.
_MAX_SENDERS, _MAX_TOKENS, _MAX_PATTERNS = 500, 10, 500


class SendersError(FileError):
    """The senders file cannot be used."""


def _hash(given: object) -> object:
    # A wrong value here may be a token: no message shows it.
    if not isinstance(given, str) or not re.fullmatch(_HASH, given):
        message = f"no hash; permitted: {PERMITTED[_HASH]}"
        raise refuse(message)
    return given


def _of_some_type(pattern: str) -> str:
    begin, star, end = pattern.partition("*")
    known = any(kind.startswith(begin) and kind.endswith(end) for kind in EVENT_TYPES) if star else pattern in EVENT_TYPES
    if not known:
        message = f'no event has the type "{pattern}"{nearest(pattern, EVENT_TYPES)}; permitted: types of events, or a beginning and *'
        raise refuse(message)
    return pattern


def _not_empty(patterns: tuple[str, ...]) -> tuple[str, ...]:
    if not patterns:
        message = "is empty, and nothing could be sent; permitted: at least one pattern"
        raise refuse(message)
    return patterns


def _composed(pattern: str) -> str:
    return normalize("NFC", pattern)


#: A name; each * in it matches any text, also an empty one.
Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_composed)]
Patterns = Annotated[tuple[Pattern, ...], Field(strict=False, max_length=_MAX_PATTERNS)]
SomePatterns = Annotated[Patterns, AfterValidator(_not_empty)]
TypePattern = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_of_some_type)]
TypePatterns = Annotated[tuple[TypePattern, ...], Field(strict=False, max_length=_MAX_PATTERNS), AfterValidator(_not_empty)]


class SenderToken(Model):
    """One token of a sender. The file holds only its hash."""

    name: Name
    """Its name for operators, such as the month of its creation."""
    hash: Annotated[str, Field(pattern=_HASH), BeforeValidator(_hash)]
    """SHA-256 of the token, as `contact-streams senders token` prints it."""
    not_before: Instant | None = None
    """From when on it is accepted; without it, at once."""
    not_after: Instant | None = None
    """From when on it is no longer accepted; without it, when it is deleted here."""

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.not_before is not None and self.not_after is not None and effective_ms(self.not_before) >= effective_ms(self.not_after):
            message = "not_after is not later than not_before; permitted: a later instant"
            raise refuse(message)
        return self


class Sender(Model):
    """The tokens of one sender, and the events it may send; in a pattern each `*` matches any text."""

    tokens: Annotated[tuple[SenderToken, ...], Field(strict=False, max_length=_MAX_TOKENS)]
    """Its tokens: several at a time, while one replaces another. With none the sender is known and may not send."""
    sources: SomePatterns | None = None
    """Patterns of the sources whose events it sends; by default only the source of its own name."""
    types: TypePatterns | None = None
    """Patterns of the types of events it may send, such as `contact.*`; by default all types."""
    queues: Patterns | None = None
    """Patterns of the queues that its events may name; by default any. Events that name no queue are not limited by it."""
    sites: Patterns | None = None
    """Patterns of the sites that its events may name; by default any. Events that name no site are not limited by it."""
    teams: Patterns | None = None
    """Patterns of the teams that its events may name; by default any, or none where `sites` is given: a team counts in its own site.
    Events that name no team are not limited by it."""


class SendersFile(Model):
    """The entire file."""

    senders: dict[Annotated[str, Field(pattern=SENDER_NAME)], Sender] = Field(max_length=_MAX_SENDERS)
    """Senders by name."""

    @model_validator(mode="after")
    def _each_token_once(self) -> Self:
        owners: dict[str, str] = {}
        for name, sender in self.senders.items():
            if len({token.name for token in sender.tokens}) < len(sender.tokens):
                message = f"two tokens of {name} have the same name; permitted: a name for each"
                raise refuse(message)
            for token in sender.tokens:
                owner = owners.setdefault(token.hash, f"{name}, {token.name}")
                if owner != f"{name}, {token.name}":
                    message = f"the token {token.name} of {name} is that of {owner} too; permitted: a token of its own for each"
                    raise refuse(message)
        return self


def load_senders(path: Path) -> SendersFile:
    """Return the content of a senders file.

    Raises:
        SendersError: it is missing, is no YAML, or has something that is not permitted; the error names all of that, and no token.
    """
    return parse_senders(path, read_text(path, SendersError))


def parse_senders(path: Path, text: str) -> SendersFile:
    """Return the senders in the text of ``path``; raise SendersError as ``load_senders``."""
    return read_model(path, text, SendersFile, lambda wrong, document: problems_of(wrong, document, _worded), SendersError)


def _worded(error: Any) -> tuple[tuple[int | str, ...], str]:
    """Return location and reason; values near a token are not shown, because they may be one."""
    schema = senders_schema()
    if "tokens" not in error["loc"] or error["type"] in {"refused", "extra_forbidden", "missing"}:
        return worded(error, schema)
    at, here = schema_at(schema, error["loc"])
    return at, f"not permitted; permitted: {permitted(here, schema)}"


def senders_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    return SendersFile.model_json_schema()
