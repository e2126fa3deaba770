"""Records of the audit topic: who did or tried what, from where, and the outcome. No secret; nothing personal but the account."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from schemas.base import Time
from schemas.metrics import ScopeKind

__all__ = ["ACTIONS", "ANYONE", "NOTHING", "Action", "Actor", "ActorKind", "AuditObject", "AuditRecord", "Outcome", "encode_audit"]

Action = Literal[
    "login",
    "login_refused",
    "logout",
    "session_ended",
    "alert_acknowledged",
    "silence_made",
    "silence_ended",
    "kiosk_redeemed",
    "denied",
    "looked_at_agents",
    "looked_at_contacts",
    "exported",
    "audit_read",
    "access_changed",
    "configuration_changed",
    "senders_changed",
    "connectors_changed",
    "progress_reset",
    "source_quarantined",
    "source_released",
    "dead_letters_replayed",
]
"""What was done or tried. Only additions."""

#: The actions, in the order in which they are listed.
ACTIONS: tuple[str, ...] = get_args(Action)

Outcome = Literal["done", "ordered", "refused", "failed"]

ActorKind = Literal["anyone", "token", "user", "provider", "kiosk", "certificate", "account", "process"]

#: The longest text of a record, in characters.
_LONGEST = 300


def _bounded(value: object) -> object:
    """Return a text that fits and that JSON can hold: a client's input must neither fill the topic nor keep a record out of it."""
    if not isinstance(value, str):
        return value
    value = value.encode("utf-8", "replace").decode()
    return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


_Text = Annotated[str, Field(max_length=_LONGEST), BeforeValidator(_bounded)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)


class Actor(_Model):
    """The account or process that acted."""

    kind: ActorKind = Field(
        description="anyone: not identified, or no login is required; account: of the operating system, at the command line; "
        "process: a process of Contact Streams, by itself; the others: how serve identified the account"
    )
    name: _Text | None = Field(default=None, description="of the account, as the access file or the provider has it; null for anyone")


#: Not identified, or unknown by that name: a typed name may be a password, and is never recorded.
ANYONE = Actor(kind="anyone")


class AuditObject(_Model):
    """The object of the action; fields that do not apply are absent. Never the id of a customer, a conversation or an agent."""

    endpoint: _Text | None = Field(default=None, description="method and path of the API, parameters left out")
    scope_kind: ScopeKind | None = Field(default=None, description="of the figure asked for")
    scope: _Text | None = None
    kpi: _Text | None = None
    window: _Text | None = None
    channel: _Text | None = None
    people: int | None = Field(default=None, ge=0, description="how many agents were asked for by name; absent: all that may be seen")
    file: _Text | None = Field(default=None, description="name of a configuration file, without its folder")
    hash_before: _Text | None = Field(default=None, description="of its content; absent where it is not known")
    hash_after: _Text | None = None
    source: _Text | None = Field(default=None, description="a source of events")
    topic: _Text | None = None
    partition: int | None = Field(default=None, ge=0)
    offset: int | None = Field(default=None, ge=0, description="the record at which a worker decided")
    to: Time | None = Field(default=None, description="instant that progress was set back to")
    records: int | None = Field(default=None, ge=0, description="how many were replayed or exported")
    rule: _Text | None = Field(default=None, description="an alert rule")
    alert_id: _Text | None = None
    silence_id: _Text | None = None
    order_id: _Text | None = Field(default=None, description="event_id of an operator's order")
    account: _Text | None = Field(default=None, description="KIND:NAME of the account whose session was ended")


#: For an action without an object.
NOTHING = AuditObject()


class AuditRecord(_Model):
    """One action that was done or tried."""

    kind: Literal["audit"] = "audit"
    audit_id: _Text = Field(description="the same when a record was written twice: to recognize the repeat")
    at: Time = Field(description="when it was done, by the clock of the process; a worker's decision has the record's time in Kafka")
    action: Action
    outcome: Outcome = Field(
        description="done; ordered: workers carry it out when they read it, and record that themselves; refused: the right was "
        "missing; failed: it was permitted and did not succeed"
    )
    actor: Actor
    places: tuple[_Text, ...] | None = Field(
        default=None,
        max_length=100,
        description="where the account could see figures then, as `site:NAME` and its kin, `total:all` for everywhere; where a session was "
        "ended, of the account of the session; absent where no account is known, or it has more than 100 places",
    )
    client_address: _Text | None = Field(default=None, description="IP address it came from; null for what no client asked for")
    about: AuditObject = Field(default=NOTHING, description="the object")
    reason: _Text | None = Field(default=None, description="why, in a word of ours, or as an operator put it")
    times: int = Field(default=1, ge=1, description="above 1: the number of equal actions, the last of them at `at`")
    instance: _Text = Field(description="the process that recorded it")


def encode_audit(record: AuditRecord) -> tuple[bytes, bytes]:
    """Return key and value of a record in Kafka; what is not known or does not apply is left out."""
    return f"{record.actor.kind}:{record.actor.name or ''}".encode(), record.model_dump_json(exclude_none=True).encode()
