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

#: The name of the definition under ``service_level`` in the file.
INLINE: Final = "service_level"
#: The most definitions of one queue or scope.
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
        """Return the content for records."""
        content = self.model_dump(mode="json", exclude={"version", "preset"})
        content["flow_out_negative"].sort()
        content["aht_parts"].sort()
        return content

    def differs(self, name: str, before: Mapping[str, Any]) -> str | None:
        """Return the message if its content differs from the published content; keys that the published one lacks are ignored."""
        now = self.content()
        for key in sorted(now.keys() & before.keys()):
            if now[key] != before[key]:
                return (
                    f"definition {name}@{self.version} was published with {key} {before[key]!r} and is configured with {now[key]!r}: "
                    f"a version does not change in place. Leave it unchanged and add version {self.version + 1} with an effective_from"
                )
        return None


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


Versions = Annotated[tuple[DefinitionVersion, ...], BeforeValidator(_as_list), Field(strict=False, min_length=1)]


def _is_names(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def _by_channel(value: Any) -> Any:
    """Return a list as the choice of all channels."""
    choice = {ANY_CHANNEL: value} if isinstance(value, list | tuple) else value
    lists = choice.values() if isinstance(choice, dict) else ()
    if not isinstance(choice, dict) or not all(map(_is_names, lists)):
        message = "permitted: a list of names of definitions, or channels, each with such a list"
        raise refuse(message)
    if wrong := [str(name) for name in choice if name not in (*_CHANNELS, ANY_CHANNEL)]:
        message = f"{wrong[0]!r} is no channel; permitted: {', '.join(_CHANNELS)}"
        raise refuse(message)
    for names in lists:
        if not names or len(names) > MOST or len(set(names)) < len(names):
            message = f"found {', '.join(names) or 'an empty list'}; permitted: 1 to {MOST} names, each once"
            raise refuse(message)
    return choice


_NAMES: Final = {"type": "array", "items": {"type": "string", "pattern": _NAME}, "minItems": 1, "maxItems": MOST}

#: Names of definitions by channel, the first of which judges; ``*`` for all other channels.
Choice = Annotated[
    dict[str, Annotated[tuple[str, ...], Field(strict=False)]],
    BeforeValidator(_by_channel),
    WithJsonSchema({"anyOf": [_NAMES, {"type": "object", "propertyNames": {"enum": [*_CHANNELS]}, "additionalProperties": _NAMES}]}),
]
