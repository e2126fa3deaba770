"""Configured messages of alerts: a text in each language, with blanks that are filled in."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from streams.configuration.base import Model, nearest, refuse

__all__ = ["BLANKS", "AlertMessage"]

#: Blanks that a text may have.
BLANKS: Final = ("rule", "severity", "scope", "channel", "kpi", "value", "threshold")
_LONGEST: Final = 300


def _with_known_blanks(text: str) -> str:
    permitted = f"permitted: {', '.join(f'{{{name}}}' for name in BLANKS)}, and no other braces"
    try:
        blanks = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(text) if name is not None]
    except ValueError:
        raise refuse(f"a brace without its other one; {permitted}") from None
    if "{{" in text or "}}" in text:
        raise refuse(f"two braces together; {permitted}")
    for name, spec, conversion in blanks:
        if name not in BLANKS or spec or conversion is not None:
            raise refuse(f"{{{name}}} is no blank{nearest(name, BLANKS)}; {permitted}")
    if any(ord(character) < ord(" ") for character in text):
        raise refuse("permitted: one line, without control characters")
    return text


_Text = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_with_known_blanks)]


class AlertMessage(Model):
    """The text of notifications when it fires; without one in a language the sentence of the figures is sent."""

    en: _Text | None = None
    """In English, with the blanks `{rule}`, `{severity}`, `{scope}`, `{channel}`, `{kpi}`, `{value}` and `{threshold}`."""
    ja: _Text | None = None
    """In Japanese, with the same blanks."""

    @model_validator(mode="after")
    def _has_text(self) -> AlertMessage:
        if self.en is None and self.ja is None:
            raise refuse("permitted: en, ja, or both")
        return self
