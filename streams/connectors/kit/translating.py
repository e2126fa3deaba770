"""Translate the records of a delivery or a file by any connector: events, ignored records, and rejections with a reason. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import ValidationError

from schemas.base import Event
from schemas.events import AGENT_KINDS, CONTACT_KINDS, CUSTOMER_KINDS
from schemas.limits import MAX_AHEAD_MS, MIN_TIME_MS
from schemas.times import to_ms
from streams.connectors.kit.model import Record, UnusableError
from streams.connectors.kit.reading import written
from streams.connectors.lines import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping
    from datetime import datetime

    from streams.connectors.kit.model import Connector, Context, Draft, Seen

__all__ = ["REASONS", "Translated", "redacted", "translate", "translate_each"]

#: Why a record is rejected.
REASONS: Final = (
    "bad_setting",
    "bad_time",
    "missing_field",
    "negative_duration",
    "no_customer_key",
    "not_a_form",
    "not_a_table",
    "not_an_object",
    "not_json",
    "not_on_scale",
    "not_permitted",
    "not_text",
    "not_understood",
    "time_in_future",
    "time_too_old",
    "unknown_answer",
    "unknown_kind",
    "unknown_question",
    "wrong_type",
)

_MODELS: Final[dict[str, type[Event]]] = {
    str(model.model_fields["type"].default): model for model in (*CONTACT_KINDS, *AGENT_KINDS, *CUSTOMER_KINDS)
}
_MASK: Final = "(personal)"
_PHONE: Final = re.compile(r"\+[0-9][0-9 ().-]{6,18}[0-9]")
_PERSONAL_NAME: Final = re.compile(
    r"(?:first|last|full|given|family|customer|contact|caller|visitor|requester)_?name|e?mail|phone|mobile|street|birth|postal_?code",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Translated:
    """What became of a delivery."""

    events: list[Event] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    #: Kind → records that count nothing, for the connector's reason.
    ignored: Counter[str] = field(default_factory=Counter)
    records: int = 0

    def add(self, other: Translated) -> None:
        """Add the result of further records."""
        self.events += other.events
        self.rejected += other.rejected
        self.ignored += other.ignored
        self.records += other.records


def translate(
    connector: Connector,
    body: bytes,
    context: Context,
    *,
    origin: str,
    now: datetime,
    states: MutableMapping[str, Seen] | None = None,
    site: str | None = None,
) -> Translated:
    """Return the translation of a delivery; no content raises.

    Args:
        connector: of the platform that sent it.
        body: its bytes; already verified.
        context: the configuration.
        origin: ``file:line`` or ``hooks/NAME``, for dead letters.
        now: when it was received; stamped on the events of a live connector, and the bound of their times.
        states: the last states by key, read and changed here; needed by a connector that compares.
        site: stamped on events that name none.
    """
    done = Translated()
    for record in translate_each(connector, body, context, origin=origin, now=now, states=states, site=site):
        done.add(record)
    return done


def translate_each(
    connector: Connector,
    body: bytes,
    context: Context,
    *,
    origin: str,
    now: datetime,
    states: MutableMapping[str, Seen] | None = None,
    site: str | None = None,
) -> Iterator[Translated]:
    """Yield the translation of each record of a delivery, as ``translate``; where it cannot be read, a rejection."""
    states = {} if states is None else states
    try:
        for record in connector.read(body, origin):
            done = Translated(records=1)
            _take(connector, record, context, done, now, states, site)
            yield done
    except UnusableError as error:
        yield Translated(rejected=[Rejected(origin, error.reason, error.detail, b"")])
    except Exception as error:  # noqa: BLE001 - what a platform sends must not end a connector
        yield Translated(rejected=[Rejected(origin, "not_understood", type(error).__name__, b"")])


def _take(
    connector: Connector,
    record: Record,
    context: Context,
    done: Translated,
    now: datetime,
    states: MutableMapping[str, Seen],
    site: str | None,
) -> None:
    try:
        kind = connector.kind(record)
        if kind in connector.ignored:
            done.ignored[kind] += 1
            return
        if kind not in connector.kinds:
            done.rejected.append(_rejected(connector, record, "unknown_kind", f"{connector.title} sends no such kind that is known here"))
            return
        if connector.translate is not None:
            done.events += _stamped(connector.translate(record, context), connector, context, now, site)
        elif connector.compare is not None and connector.key is not None:
            key = connector.key(record)
            compared = connector.compare(record, states.get(key), context)
            events = _stamped(compared.events, connector, context, now, site)
            # Stored only once the events are valid, so that a rejected record changes no state.
            if compared.seen is None:
                states.pop(key, None)
            else:
                states[key] = compared.seen
            done.events += events
    except UnusableError as error:
        done.rejected.append(_rejected(connector, record, error.reason, error.detail))
    except ValidationError as error:
        # Without the input: a dead letter's detail is read more widely than its bytes.
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        done.rejected.append(_rejected(connector, record, "not_permitted", f"{where}: {first['msg']}"))
    except Exception as error:  # noqa: BLE001 - what a platform sends must not end a connector
        done.rejected.append(_rejected(connector, record, "not_understood", type(error).__name__))


def _stamped(drafts: Iterable[Draft], connector: Connector, context: Context, now: datetime, site: str | None) -> list[Event]:
    """Return the events of drafts; raise UnusableError or ValidationError."""
    events: list[Event] = []
    for draft in drafts:
        model = _MODELS[draft["type"]]
        # Some platforms send no time: their live events occur when they are received.
        occurred_at = draft.get("occurred_at", now if connector.delivery == "live" else None)
        if occurred_at is None:
            raise UnusableError("missing_field", "it has no time, so it can be received live alone")
        occurred_ms = to_ms(occurred_at)
        if occurred_ms < MIN_TIME_MS:
            raise UnusableError("time_too_old", "a time before the year 2000 is a clock that was not set")
        if occurred_ms > to_ms(now) + MAX_AHEAD_MS:
            raise UnusableError("time_in_future", f"more than {MAX_AHEAD_MS // 60_000} minutes after now")
        # A journal is always late: its events count as received when they occurred, so that none is late.
        received_at = max(now, occurred_at) if connector.delivery == "live" else occurred_at
        stamps = {"source": context.source, "occurred_at": occurred_at, "received_at": received_at}
        if site is not None and draft.get("site") is None:
            stamps["site"] = site
        events.append(model.model_validate({**draft, **stamps}))
    return events


def _rejected(connector: Connector, record: Record, reason: str, detail: str) -> Rejected:
    return Rejected(record.origin, reason, detail, redacted(record.content, connector.personal))


def redacted(content: dict[str, Any], personal: Iterable[str]) -> bytes:
    """Return the JSON of a record with its personal values masked, for dead letters.

    Values that are personal by their name or format are masked anywhere: platforms add fields, and records may have other shapes.
    """
    copy = orjson.loads(written(content))
    for path in personal:
        _mask(copy, path.split("."))
    _mask_anywhere(copy)
    return written(copy)


def _mask(at: Any, steps: list[str]) -> None:
    step, further = steps[0], steps[1:]
    if isinstance(at, dict):
        keys: Iterable[Any] = list(at) if step == "*" else [key for key in at if _plain(key) == _plain(step)]
    else:
        # A list where one value was expected: each of them.
        keys, further = range(len(at)), further if step == "*" else steps
    for key in keys:
        if further and isinstance(at[key], (dict, list)):
            _mask(at[key], further)
        elif at[key] is not None:
            at[key] = _MASK


def _plain(name: str) -> str:
    """Return a name without its style: ``TaskAttributes`` and ``task_attributes`` are the same."""
    return name.replace("_", "").replace("-", "").lower()


def _mask_anywhere(copy: Any) -> None:
    waiting = [copy]
    while waiting:
        at = waiting.pop()
        for key, value in list(at.items()) if isinstance(at, dict) else enumerate(at):
            if isinstance(value, (dict, list)):
                waiting.append(value)
            elif _is_personal(key, value):
                at[key] = _MASK


def _is_personal(key: str | int, value: Any) -> bool:
    if isinstance(value, str) and ("@" in value or _PHONE.search(value)):
        return True
    return isinstance(key, str) and value is not None and not isinstance(value, bool) and bool(_PERSONAL_NAME.search(key))
