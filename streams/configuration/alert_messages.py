"""Messages of alerts in words of one's own: a text in each language, with blanks that are filled in."""

from __future__ import annotations

from string import Formatter
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from streams.configuration.base import Model, nearest, refuse

__all__ = ["BLANKS", "AlertMessage"]

#: What a text may have filled in.
BLANKS: Final = ("rule", "severity", "scope", "channel", "kpi", "value", "threshold")
_LONGEST: Final = 300


def _with_known_blanks(text: str) -> str:
    permitted = f"permitted: {', '.join(f'{{{name}}}' for name in BLANKS)}, and no other braces"
    try:
        found = [(name, spec, conversion) for _, name, spec, conversion in Formatter().parse(text) if name is not None]
    except ValueError:
        raise refuse(f"a brace stands alone; {permitted}") from None
    if "{{" in text or "}}" in text:
        raise refuse(f"two braces together; {permitted}")
    for name, spec, conversion in found:
        if name not in BLANKS or spec or conversion is not None:
            raise refuse(f"{{{name}}} is no blank{nearest(name, BLANKS)}; {permitted}")
    if any(ord(each) < ord(" ") for each in text):
        raise refuse("permitted: one line, without control characters")
    return text


_Text = Annotated[str, Field(min_length=1, max_length=_LONGEST), AfterValidator(_with_known_blanks)]


class AlertMessage(Model):
    """What people are told when it fires, in words of one's own; without a text in a language the sentence that is made of the figures."""

    en: _Text | None = None
    """In English, with the blanks `{rule}`, `{severity}`, `{scope}`, `{channel}`, `{kpi}`, `{value}` and `{threshold}`."""
    ja: _Text | None = None
    """In Japanese, with the same blanks."""

    @model_validator(mode="after")
    def _says_something(self) -> AlertMessage:
        if self.en is None and self.ja is None:
            raise refuse("permitted: en, ja, or both")
        return self
