"""Records of alert-actions: who acknowledged an alert or silenced some, and the notifications about each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.alerts import AlertRecord
from schemas.audit import Actor
from schemas.base import Time
from schemas.metrics import ScopeKind

__all__ = [
    "LONGEST_REASON",
    "Acknowledgement",
    "ActionProgress",
    "ActionRecord",
    "Event",
    "ExpectedAlert",
    "Notification",
    "OpenAlert",
    "Outcome",
    "Silence",
]

#: The longest note or reason, in characters.
LONGEST_REASON = 300

_Reason = Annotated[str, Field(max_length=LONGEST_REASON)]
_Text = Annotated[str, Field(max_length=1000)]
_Name = Annotated[str, Field(max_length=200)]

#: What a notification reports: the alert fires; it fires and was not acknowledged in time; it has cleared.
Event = Literal["fired", "escalated", "cleared"]
Outcome = Literal["due", "delivered", "refused"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, defer_build=True)
    revision: int = Field(default=1, ge=1, description="grows with every record of the same key; ignore lower ones")


class Acknowledgement(_Model):
    """An account takes care of an alert, so that it escalates no more. It holds until the alert clears."""

    kind: Literal["acknowledged"] = "acknowledged"
    alert_id: _Text
    rule: _Text
    scope_kind: ScopeKind
    scope: _Text
    channel: _Text | None
    by: Actor
    at: Time
    note: _Reason | None = None


class Silence(_Model):
    """Alerts it covers notify no receiver until it ends."""

    kind: Literal["silence"] = "silence"
    silence_id: _Name
    rule: _Text | None = Field(description="alerts of this rule; null for all")
    scope: _Text | None = Field(description="KIND:NAME: alerts about this scope; null for all")
    until: Time
    reason: _Reason
    by: Actor
    at: Time

    def covers(self, alert: AlertRecord) -> bool:
        """Return whether it covers an alert."""
        return self.rule in {None, alert.rule} and self.scope in {None, f"{alert.scope_kind}:{alert.scope}"}


class ExpectedAlert(_Model):
    """An alert about expected figures. The server that sends notifications creates it; no worker does, and no other topic has it."""

    kind: Literal["expected"] = "expected"
    alert: AlertRecord


class OpenAlert(_Model):
    """An alert and how far its notifications are; deleted once all are decided."""

    kind: Literal["open"] = "open"
    alert: AlertRecord
    noticed_at: Time = Field(description="when it entered the history of alerts, by Kafka's clock")
    step: int = Field(default=-1, ge=-1, description="notified so far: -1 no receiver, 0 the first receivers, 1 escalated once")
    told_at: Time | None = Field(default=None, description="when its receivers were first decided on")
    cleared: AlertRecord | None = Field(default=None, description="how it cleared, while notifications about that are to come")
    cleared_noticed_at: Time | None = None


class Notification(_Model):
    """One message to one receiver, decided on once: written before it is sent, and again with its outcome."""

    kind: Literal["notification"] = "notification"
    message_id: str = Field(description="UUID, the same at every attempt: receivers get it as the key of the message")
    receiver: _Name
    event: Event
    step: int = Field(ge=0)
    alerts: list[AlertRecord] = Field(min_length=1, description="of one rule, as they fired or cleared")
    decided_at: Time
    outcome: Outcome = "due"
    settled_at: Time | None = None


class ActionProgress(_Model):
    """How far the history of alerts has been read."""

    kind: Literal["progress"] = "progress"
    partition: int = Field(ge=0)
    offset: int = Field(ge=0, description="the next record of the partition")


ActionRecord = Annotated[Acknowledgement | Silence | ExpectedAlert | OpenAlert | Notification | ActionProgress, Field(discriminator="kind")]
"""Any record of the topic."""
