"""Build checked records of what users do about alerts."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from schemas.alert_actions import LONGEST_REASON, Acknowledgement, Silence
from schemas.audit import AuditObject
from schemas.times import from_ms

if TYPE_CHECKING:
    from collections.abc import Collection

    from schemas.alerts import AlertRecord
    from schemas.audit import Actor

__all__ = ["about_alert", "about_silence", "acknowledgement_of", "silence_of", "too_many_silences"]

#: The most silences in force at a time, and the most of one account.
_MOST_SILENCES: Final = 1000
_MOST_SILENCES_PER_ACCOUNT: Final = 100
_LONGEST_DAYS: Final = 30
_DAY_MS: Final = 24 * 60 * 60 * 1000


def acknowledgement_of(alert: AlertRecord, by: Actor, now_ms: int, note: str | None) -> Acknowledgement:
    """Return the acknowledgement of an alert."""
    return Acknowledgement(
        alert_id=alert.alert_id,
        rule=alert.rule,
        scope_kind=alert.scope_kind,
        scope=alert.scope,
        channel=alert.channel,
        by=by,
        at=from_ms(now_ms),
        note=note,
    )


def silence_of(rule: str | None, scope: str | None, until_ms: int, reason: str, by: Actor, now_ms: int) -> Silence:
    """Return a silence; raise ValueError for one about everything, in the past, too long, or without a reason."""
    if rule is None and scope is None:
        raise ValueError("name the alerts: rule, scope, or both")
    if not now_ms < until_ms <= now_ms + _LONGEST_DAYS * _DAY_MS:
        msg = f"until: a future time, at most {_LONGEST_DAYS} days from now"
        raise ValueError(msg)
    if not 1 <= len(reason) <= LONGEST_REASON:
        msg = f"reason: 1 to {LONGEST_REASON} characters"
        raise ValueError(msg)
    return Silence(silence_id=uuid.uuid4().hex, rule=rule, scope=scope, until=from_ms(until_ms), reason=reason, by=by, at=from_ms(now_ms))


def too_many_silences(in_force: Collection[Silence], by: Actor) -> str | None:
    """Return why an account may add no silence; None if it may. Without accounts only the total is limited."""
    if len(in_force) >= _MOST_SILENCES:
        return f"there are {_MOST_SILENCES} silences: end some"
    if by.kind != "anyone" and sum((each.by.kind, each.by.name) == (by.kind, by.name) for each in in_force) >= _MOST_SILENCES_PER_ACCOUNT:
        return f"there are {_MOST_SILENCES_PER_ACCOUNT} silences of yours: end some"
    return None


def about_alert(alert: AlertRecord) -> AuditObject:
    """Return an alert as an object of the audit."""
    return AuditObject(rule=alert.rule, alert_id=alert.alert_id, scope_kind=alert.scope_kind, scope=alert.scope)


def about_silence(silence: Silence) -> AuditObject:
    """Return a silence as an object of the audit."""
    kind, _, name = (silence.scope or "").partition(":")
    fields = {"rule": silence.rule, "silence_id": silence.silence_id, "scope_kind": kind or None, "scope": name or None}
    return AuditObject.model_validate(fields)
