"""Definitions of service levels, and of other figures that are judged with them: a policy of the configuration file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from streams.configuration.base import Model, refuse
from streams.configuration.presets import ALL_FLOW_OUTS, PRESETS

__all__ = ["ALL_FLOW_OUTS", "PRESETS", "FlowOut", "ServiceLevelDefinition"]

#: Ways out of a queue other than an answer and abandonment, as in ``contact.left_queue``.
FlowOut = Literal["timeout", "overflow", "voicemail", "keypress", "empty", "callback", "withdrawn", "transfer", "other"]


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        message = f"unknown preset {name!r}"
        raise ValueError(message)
    return name


PresetName = Annotated[str, AfterValidator(_known_preset), Field(json_schema_extra={"enum": [*PRESETS]})]


class ServiceLevelDefinition(Model):
    """How a service level is computed; the formula is in ``docs/counting.md`` sections 8 and 14."""

    preset: PresetName | None = None
    """The way of a known system: it sets the keys below, except `threshold_s`; other keys written here take precedence."""
    threshold_s: float = Field(default=20, gt=0, le=60 * 60 * 24 * 30)
    """Seconds within which a contact is to be answered."""
    abandon: Literal["handled_only", "ignore_in_threshold", "negative", "positive"] = "negative"
    """How abandoned contacts count: all left out; those within the threshold left out; missed; missed, but met within the threshold."""
    short_abandon_s: float | None = Field(default=None, gt=0)
    """Abandonments before this many seconds count nowhere in the service level."""
    short_abandon_clock: Literal["queue_enter", "system_enter"] = "queue_enter"
    """The start of `short_abandon_s`: the entry into the queue, or the arrival of the contact."""
    flow_out_negative: frozenset[FlowOut] = Field(default=frozenset({"timeout", "empty"}), strict=False)
    """Ways out of the queue that count as missed; the others count nowhere."""
    flow_out: dict[FlowOut, Literal["exclude", "negative", "positive"]] = Field(default_factory=dict)
    """By way out of the queue, over `flow_out_negative`: counts nowhere; missed; missed, but met within the threshold."""
    boundary: Literal["le", "lt"] = "le"
    """Whether a wait of exactly the threshold is met (`le`) or missed (`lt`)."""
    count_at: Literal["earliest", "outcome"] = "earliest"
    """Whether `service_level_live` counts contacts waiting past the threshold as missed (`earliest`), or none before its outcome."""
    asa_denominator: Literal["answered", "decided"] = "answered"
    """The contacts whose waits `asa` averages: those answered, or all that left the queue, but for the lost."""
    hold_denominator: Literal["handled_known", "held"] = "handled_known"
    """The denominator of `average_hold`: contacts whose hold is known, or only those that were on hold."""
    aht_parts: frozenset[Literal["talk", "hold", "wrap_up"]] = Field(default=frozenset({"talk", "hold", "wrap_up"}), strict=False)
    """The times that `aht` adds up: talk, with or without hold and wrap_up."""
    csat_top: int = Field(default=4, ge=2, le=5)
    """The lowest score of 1 to 5 that `csat_top2` counts."""
    first_contact_resolution: Literal["no_transfer_no_escalation", "reopening_ignored", "of_offered"] = "no_transfer_no_escalation"
    """Resolved without transfer, escalation or reopening, of those resolved; the same, reopened or not; the first, of those offered."""
    first_response: Literal["arrived", "queued", "handed_over"] = "arrived"
    """The start of `first_response_time`: the arrival, the last entry into a queue, or the last hand-over by a bot."""
    bot_time: Literal["counted", "left_out"] = "counted"
    """Whether `average_response_time` and `resolution_time` include the time until the last hand-over by a bot."""
    version: int = Field(default=1, ge=1)
    """Raise it when the definition changes; records name it."""

    @model_validator(mode="before")
    @classmethod
    def _preset_first(cls, data: Any) -> Any:
        preset = PRESETS.get(data["preset"]) if isinstance(data, dict) and isinstance(data.get("preset"), str) else None
        return data if preset is None else preset | data

    @field_validator("aht_parts", mode="after")
    @classmethod
    def _talk_in_it(cls, parts: frozenset[str]) -> frozenset[str]:
        if "talk" not in parts:
            message = "without talk it is another figure; permitted: talk, with or without hold and wrap_up"
            raise refuse(message)
        return parts

    @property
    def threshold_ms(self) -> int:
        """The longest wait, in whole ms, that is within the threshold."""
        return round(self.threshold_s * 1000) - (self.boundary == "lt")

    @property
    def short_ms(self) -> int | None:
        """An abandonment before this many ms is short."""
        return None if self.short_abandon_s is None else round(self.short_abandon_s * 1000)

    def treatment(self, reason: str) -> str:
        """Return how a way out of the queue counts: exclude, negative or positive."""
        given = self.flow_out.get(reason)  # type: ignore[call-overload]
        return given or ("negative" if reason in self.flow_out_negative else "exclude")
