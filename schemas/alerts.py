"""Records of the alert topics: one alert of one rule, scope and channel, and its state."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.metrics import ScopeKind

__all__ = ["AlertConditionRecord", "AlertMessageRecord", "AlertRecord", "ClearedBecause"]

ClearedBecause = Literal["recovered", "too_few_contacts", "closed", "rule_removed"]


class AlertConditionRecord(BaseModel):
    """One of the figures of a rule with several."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kpi: str
    window: str | None
    value: float | None
    numerator: float | None = None
    denominator: float | None = None
    below: float | None = None
    above: float | None = None
    clear_at: float
    minimum_contacts: int = Field(ge=0)


class AlertMessageRecord(BaseModel):
    """The configured text of notifications, with blanks in braces; null in a language without one."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    en: str | None = None
    ja: str | None = None


class AlertRecord(BaseModel):
    """The state of one alert; ``docs/judging.md`` states when it fires and clears."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    kind: Literal["alert"] = "alert"
    alert_id: str = Field(description="identifies one breach, the same when fired and when cleared: to recognize repeats")
    rule: str = Field(description="name of the rule in the configuration")
    severity: Literal["warning", "critical"]
    scope_kind: ScopeKind
    scope: str
    channel: str | None = Field(description="null for figures about agents")
    state: Literal["pending", "firing", "cleared"] = Field(description="pending is only in the latest topic, never in the history")
    since: str = Field(
        description="RFC 3339, as-of: beyond the threshold since: the evaluation before the first that saw it, at most 1 s earlier"
    )
    fired_at: str | None = Field(default=None, description="RFC 3339, as-of")
    recovering_since: str | None = Field(default=None, description="RFC 3339, as-of: beyond clear_at again since; null while it is not")
    cleared_at: str | None = Field(default=None, description="RFC 3339, as-of")
    cleared_because: ClearedBecause | None = None
    kpi: str
    window: str | None = Field(description="null for a figure of now")
    value: float | None = Field(description="of the KPI when the state last changed; like numerator and denominator")
    numerator: float | None = None
    denominator: float | None = None
    below: float | None = Field(default=None, description="fires below this; null for a rule with above")
    above: float | None = None
    clear_at: float = Field(description="recovered when no longer beyond this; the threshold itself without hysteresis")
    minimum_contacts: int = Field(ge=0)
    for_seconds: int = Field(ge=0)
    clear_for_seconds: int = Field(ge=0)
    combined: Literal["all", "any"] | None = Field(
        default=None, description="how many of `conditions` have to be beyond; null for a rule of one figure"
    )
    conditions: list[AlertConditionRecord] | None = Field(
        default=None,
        description="of a rule of several figures each with its value, as value; the fields above are of one: the first, or for any "
        "the first that was beyond when it fired",
    )
    message: AlertMessageRecord | None = Field(default=None, description="of the rule; null without")
    expected_at: str | None = Field(
        default=None, description="RFC 3339: the begin of the interval that value is expected for; null for a figure of the present"
    )
    definition: str | None = Field(default=None, description="definition@version of the KPI, where it has one")
    as_of: str = Field(description="RFC 3339: when the state last changed")
    revision: int = Field(ge=1, description="grows with every record of the same key, also past its deletion; ignore lower ones")
