"""How a service level is computed: a policy of the configuration file, with the policies of known systems as presets."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from streams.configuration.base import Model

__all__ = ["ALL_FLOW_OUTS", "PRESETS", "FlowOut", "Preset", "ServiceLevelDefinition"]

#: Ways out of a queue other than an answer and abandonment, as in ``contact.left_queue``.
FlowOut = Literal["timeout", "overflow", "voicemail", "keypress", "empty", "callback", "withdrawn", "transfer", "other"]
ALL_FLOW_OUTS: Final = ("callback", "empty", "keypress", "other", "overflow", "timeout", "transfer", "voicemail", "withdrawn")


class Preset(NamedTuple):
    """What another system computes, in the terms of a definition."""

    numerator: str
    denominator: str
    values: dict[str, Any]
    source: str


_CISCO: Final = "Cisco Unified CCX Historical Reports User Guide 7.0(1), p. 3-52"
_GENESYS: Final = "Genesys Cloud: Configure the service level calculation"
_IN: Final = "answered in time"

#: Only what a definition expresses exactly, of contacts whose fate is decided; ``docs/configuration.md`` says what is left out.
PRESETS: Final[dict[str, Preset]] = {
    "cisco-uccx-only-handled": Preset(_IN, "answered", {"abandon": "handled_only", "flow_out_negative": ()}, _CISCO),
    "cisco-uccx-without-abandon": Preset(
        _IN, "all − abandoned in time", {"abandon": "ignore_in_threshold", "flow_out_negative": ALL_FLOW_OUTS}, _CISCO
    ),
    "cisco-uccx-positive-abandon": Preset(
        f"{_IN} + abandoned in time", "all", {"abandon": "positive", "flow_out_negative": ALL_FLOW_OUTS}, _CISCO
    ),
    "cisco-uccx-negative-abandon": Preset(_IN, "all", {"abandon": "negative", "flow_out_negative": ALL_FLOW_OUTS}, _CISCO),
    "genesys-cloud": Preset(_IN, "answered + abandoned", {"abandon": "negative", "flow_out_negative": ()}, _GENESYS),
    "genesys-cloud-with-flow-outs": Preset(
        _IN, "answered + abandoned + flow-outs", {"abandon": "negative", "flow_out_negative": ALL_FLOW_OUTS}, _GENESYS
    ),
    "genesys-cloud-without-abandons": Preset(_IN, "answered", {"abandon": "handled_only", "flow_out_negative": ()}, _GENESYS),
    "twilio-flex-real-time": Preset(
        f"{_IN} (sooner than the threshold)",
        "all − short abandons (`short_abandon_s`)",
        {"abandon": "negative", "flow_out_negative": ALL_FLOW_OUTS, "boundary": "lt"},
        "Twilio Flex: Service level preferences; Real-time queues view",
    ),
    "asterisk-service-level": Preset(
        _IN, "answered", {"abandon": "handled_only", "flow_out_negative": ()}, "Asterisk: queues.conf.sample, ServicelevelPerf"
    ),
    "asterisk-service-level-2": Preset(
        f"{_IN} + abandoned in time",
        "answered + abandoned",
        {"abandon": "positive", "flow_out_negative": ()},
        "Asterisk: queues.conf.sample, ServicelevelPerf2",
    ),
    "wazo-qos": Preset(_IN, "answered", {"abandon": "handled_only", "flow_out_negative": ()}, "Wazo: wazo-call-logd, queue_stat.py"),
    "intermedia": Preset(
        _IN,
        "answered + abandoned late",
        {"abandon": "ignore_in_threshold", "flow_out_negative": ()},
        "Intermedia: knowledge base, article 54126",
    ),
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
        return data if preset is None else preset.values | data
