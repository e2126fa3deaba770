"""Named definitions with versions, and which of them a queue is judged by (``docs/counting.md`` section 14)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from schemas.base import Channel
from streams.configuration.base import PERMITTED, refuse
from streams.configuration.service_level import ServiceLevelDefinition

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ANY_CHANNEL",
    "INLINE",
    "MOST",
    "Choice",
    "DefinitionName",
    "DefinitionVersion",
    "Instant",
    "Versions",
    "effective_ms",
]

#: The name of what stands under ``service_level`` in the file and not among the definitions.
INLINE: Final = "service_level"
#: Definitions side by side, at most.
MOST: Final = 4
ANY_CHANNEL: Final = "*"
_CHANNELS: Final[tuple[str, ...]] = get_args(Channel)

_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$"
#: A channel that a queue's mapping does not name goes by the default.
PERMITTED[_NAME] = "a name of 1 to 40 letters, digits, dots, dashes and underscores"
_INSTANT: Final = "instant with an offset"
PERMITTED[_INSTANT] = "an instant with an offset, such as 2026-04-01T00:00:00+09:00"

DefinitionName = Annotated[str, Field(pattern=_NAME)]


def effective_ms(text: str) -> int:
    """Return an instant in ms; raise ValueError if it is none, or has no offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return round(at.timestamp() * 1000)


def _instant(text: str) -> str:
    try:
        effective_ms(text)
    except ValueError as error:
        message = f'no instant; permitted: {PERMITTED[_INSTANT]}; found "{text}"'
        raise refuse(message) from error
    return text


Instant = Annotated[str, AfterValidator(_instant), Field(json_schema_extra={"format": _INSTANT})]


class DefinitionVersion(ServiceLevelDefinition):
    """One version of a named definition."""

    effective_from: Instant | None = None
    """It judges windows that begin at or after this instant; the first version judges those before the second."""

    @property
    def from_ms(self) -> int | None:
        """``effective_from`` in ms."""
        return None if self.effective_from is None else effective_ms(self.effective_from)

    def content(self) -> dict[str, Any]:
        """Return what it says, as records keep it."""
        content = self.model_dump(mode="json", exclude={"version", "preset"})
        content["flow_out_negative"].sort()
        content["aht_parts"].sort()
        return content

    def differs(self, name: str, before: Mapping[str, Any]) -> str | None:
        """Return what is to be said if it does not say what it said before; keys that there were not then say nothing."""
        now = self.content()
        for key in sorted(now.keys() & before.keys()):
            if now[key] != before[key]:
                return (
                    f"definition {name}@{self.version} was published with {key} {before[key]!r} and is configured with {now[key]!r}: "
                    f"a version does not change in place. Leave it as it was and add version {self.version + 1} with an effective_from"
                )
        return None


def _one_is_a_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Versions = Annotated[tuple[DefinitionVersion, ...], BeforeValidator(_one_is_a_list), Field(strict=False, min_length=1)]


def _by_channel(value: Any) -> Any:
    """Take a list for that of all channels."""
    found = {ANY_CHANNEL: value} if isinstance(value, list | tuple) else value
    entries = found.values() if isinstance(found, dict) else ()
    if not isinstance(found, dict) or not all(isinstance(each, list | tuple) and all(isinstance(n, str) for n in each) for each in entries):
        message = "permitted: a list of names of definitions, or channels, each with such a list"
        raise refuse(message)
    if wrong := [str(name) for name in found if name not in (*_CHANNELS, ANY_CHANNEL)]:
        message = f"{wrong[0]!r} is no channel; permitted: {', '.join(_CHANNELS)}"
        raise refuse(message)
    for each in entries:
        if not each or len(each) > MOST or len(set(each)) < len(each):
            message = f"found {', '.join(each) or 'an empty list'}; permitted: 1 to {MOST} names, each once"
            raise refuse(message)
    return found


_NAMES: Final = {"type": "array", "items": {"type": "string", "pattern": _NAME}, "minItems": 1, "maxItems": MOST}

#: Names of definitions, the first of which judges, by channel; ``*`` for all others.
Choice = Annotated[
    dict[str, Annotated[tuple[str, ...], Field(strict=False)]],
    BeforeValidator(_by_channel),
    WithJsonSchema({"anyOf": [_NAMES, {"type": "object", "propertyNames": {"enum": [*_CHANNELS]}, "additionalProperties": _NAMES}]}),
]
