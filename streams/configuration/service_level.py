"""How a service level is computed: a policy of the configuration file, with the policies of known systems as presets."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from streams.configuration.base import Model

__all__ = ["ALL_FLOW_OUTS", "PRESETS", "FlowOut", "ServiceLevelDefinition"]

#: Ways out of a queue other than an answer and abandonment, as in ``contact.left_queue``.
FlowOut = Literal["timeout", "overflow", "voicemail", "keypress", "empty", "callback", "withdrawn", "transfer", "other"]
ALL_FLOW_OUTS: Final = ("callback", "empty", "keypress", "other", "overflow", "timeout", "transfer", "voicemail", "withdrawn")


_Values = dict[str, Any]
_ANSWERED: Final[_Values] = {"abandon": "handled_only", "flow_out_negative": ()}


def _all(abandon: str) -> _Values:
    return {"abandon": abandon, "flow_out_negative": ALL_FLOW_OUTS}


#: What other systems compute, of contacts whose fate is decided, in the terms of a definition. Formulas, sources, and what is left out
#: because a definition cannot say it exactly, are in ``docs/configuration.md``.
PRESETS: Final[dict[str, _Values]] = {
    "cisco-uccx-only-handled": _ANSWERED,
    "cisco-uccx-without-abandon": _all("ignore_in_threshold"),
    "cisco-uccx-positive-abandon": _all("positive"),
    "cisco-uccx-negative-abandon": _all("negative"),
    "genesys-cloud": {"abandon": "negative", "flow_out_negative": ()},
    "genesys-cloud-with-flow-outs": _all("negative"),
    "genesys-cloud-without-abandons": _ANSWERED,
    "twilio-flex-real-time": {**_all("negative"), "boundary": "lt"},
    "asterisk-service-level": _ANSWERED,
    "asterisk-service-level-2": {"abandon": "positive", "flow_out_negative": ()},
    "wazo-qos": _ANSWERED,
    "intermedia": {"abandon": "ignore_in_threshold", "flow_out_negative": ()},
}


def _known_preset(name: str) -> str:
    if name not in PRESETS:
        message = f"unknown preset {name!r}"
        raise ValueError(message)
    return name


PresetName = Annotated[str, AfterValidator(_known_preset), Field(json_schema_extra={"enum": [*PRESETS]})]


class ServiceLevelDefinition(Model):
    """How a service level is computed; the formula is in ``docs/counting.md`` section 8."""

    preset: PresetName | None = None
    """A known system's way: it sets the keys below, but `threshold_s`; what else is written here holds over it."""
    threshold_s: float = Field(default=20, gt=0, le=60 * 60 * 24 * 30)
    """Seconds within which a contact is to be answered."""
    abandon: Literal["handled_only", "ignore_in_threshold", "negative", "positive"] = "negative"
    """What abandoned contacts do: all left out; those within the threshold left out; missed; missed, but met within the threshold."""
    short_abandon_s: float | None = Field(default=None, gt=0)
    """Who abandons before so many seconds counts nowhere in the service level."""
    flow_out_negative: frozenset[FlowOut] = Field(default=frozenset({"timeout", "empty"}), strict=False)
    """Ways out of the queue that count as missed; the others count nowhere."""
    boundary: Literal["le", "lt"] = "le"
    """Whether a wait of exactly the threshold is met (`le`) or missed (`lt`)."""
    version: int = Field(default=1, ge=1)
    """Raise it when the definition changes; records name it."""

    @model_validator(mode="before")
    @classmethod
    def _preset_first(cls, data: Any) -> Any:
        preset = PRESETS.get(data["preset"]) if isinstance(data, dict) and isinstance(data.get("preset"), str) else None
        return data if preset is None else preset | data
