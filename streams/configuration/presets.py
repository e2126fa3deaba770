"""The service levels of other systems, as definitions; formulas and sources are in ``docs/definitions.md``."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["ALL_FLOW_OUTS", "PRESETS"]

ALL_FLOW_OUTS: Final = ("callback", "empty", "keypress", "other", "overflow", "timeout", "transfer", "voicemail", "withdrawn")

_Values = dict[str, Any]
_ANSWERED: Final[_Values] = {"abandon": "handled_only", "flow_out_negative": ()}
_DECIDED: Final[_Values] = {"abandon": "negative", "flow_out_negative": ()}
_POSITIVE: Final[_Values] = {"abandon": "positive", "flow_out_negative": ()}


def _all(abandon: str) -> _Values:
    return {"abandon": abandon, "flow_out_negative": ALL_FLOW_OUTS}


_TWILIO: Final[_Values] = {**_all("negative"), "boundary": "lt"}

#: By name; none sets a threshold or a limit of short abandons, which the operator chooses.
PRESETS: Final[dict[str, _Values]] = {
    "amazon-connect": {**_all("positive"), "flow_out": {"callback": "positive"}},
    "genesys-default": _DECIDED,
    "cisco-handled": _ANSWERED,
    "cisco-ignore": _all("ignore_in_threshold"),
    "cisco-positive": _all("positive"),
    "cisco-negative": _all("negative"),
    "asterisk-sl": _ANSWERED,
    "asterisk-sl2": _POSITIVE,
    "twilio-flex": _TWILIO,
    "talkdesk": {**_all("negative"), "short_abandon_clock": "system_enter"},
    "avaya-bcms": _all("negative"),
    "wazo-qos": _ANSWERED,
    "intermedia": {"abandon": "ignore_in_threshold", "flow_out_negative": ()},
    # The names of earlier versions.
    "cisco-uccx-only-handled": _ANSWERED,
    "cisco-uccx-without-abandon": _all("ignore_in_threshold"),
    "cisco-uccx-positive-abandon": _all("positive"),
    "cisco-uccx-negative-abandon": _all("negative"),
    "genesys-cloud": _DECIDED,
    "genesys-cloud-with-flow-outs": _all("negative"),
    "genesys-cloud-without-abandons": _ANSWERED,
    "twilio-flex-real-time": _TWILIO,
    "asterisk-service-level": _ANSWERED,
    "asterisk-service-level-2": _POSITIVE,
}
