"""Fields of a record by dotted path, each validated; one that is missing, null or empty is None."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from schemas.base import MAX_SECONDS
from streams.connectors.kit.model import UnusableError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

__all__ = ["Fields"]

_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,12})?")
_FRACTION: Final = re.compile(r"(\.[0-9]{6})[0-9]+")
#: The size of a number distinguishes seconds, milliseconds and microseconds since the epoch, where a platform does not define it.
_MILLISECONDS_FROM, _MICROSECONDS_FROM = 10**11, 10**14
_YEARS: Final = range(1000, 9000)


class Fields:
    """The content of a record.

    Args:
        content: a JSON object, or the fields of a form or a block.
        zone: of times without an offset.
    """

    def __init__(self, content: Mapping[str, Any], zone: tzinfo = UTC) -> None:
        self.content = content
        self._zone = zone

    def get(self, path: str) -> Any:
        """Return the value at a path such as ``detail.queueInfo.name`` or ``items.0.id``, None if there is none."""
        at: Any = self.content
        for step in path.split("."):
            if isinstance(at, dict):
                at = at.get(step)
            elif isinstance(at, list) and step.isdecimal() and int(step) < len(at):
                at = at[int(step)]
            else:
                return None
        return at

    def text(self, path: str) -> str | None:
        """Return a text, or a whole number as text (platforms send ids as both); raise UnusableError for anything else."""
        value = self.get(path)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise UnusableError("wrong_type", f"{path}: a text")
        text = str(value).strip()
        return text or None

    def need(self, path: str) -> str:
        """Return a required text; raise UnusableError."""
        value = self.text(path)
        if value is None:
            raise UnusableError("missing_field", f"{path}: required")
        return value

    def number(self, path: str) -> float | None:
        """Return a number, also one that is written as text; raise UnusableError for anything else."""
        value = self.get(path)
        if value is None or value == "":
            return None
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            return float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise UnusableError("wrong_type", f"{path}: a number")
        return float(value)

    def seconds(self, path: str, *, per_second: float = 1) -> float | None:
        """Return a duration in seconds; raise UnusableError for a negative one, and for one of more than ten years."""
        value = self.number(path)
        if value is not None and value < 0:
            raise UnusableError("negative_duration", f"{path}: 0 or more")
        if value is not None and value / per_second > MAX_SECONDS:
            raise UnusableError("not_permitted", f"{path}: at most ten years")
        return None if value is None else value / per_second

    def true(self, path: str) -> bool | None:
        """Return a boolean, also one that is written as text; raise UnusableError for anything else."""
        value = self.get(path)
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in {"true", "false"}:
            return value.lower() == "true"
        raise UnusableError("wrong_type", f"{path}: true or false")

    def need_object(self, path: str) -> dict[str, Any]:
        """Return a required object; raise UnusableError for anything else."""
        value = self.get(path)
        if not isinstance(value, dict):
            raise UnusableError("wrong_type", f"{path}: an object")
        return value

    def entries(self, path: str) -> list[Fields]:
        """Return a list of objects, empty if there is none; raise UnusableError for anything else."""
        value = self.get(path)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise UnusableError("wrong_type", f"{path}: a list of objects")
        return [Fields(entry, self._zone) for entry in value]

    def time(self, path: str) -> datetime | None:
        """Return a time: ISO 8601 with or without an offset (then in the zone), or a number of s, ms or us since the epoch.

        Raises:
            UnusableError: ``bad_time``.
        """
        value = self.get(path)
        if value is None or value == "":
            return None
        try:
            if isinstance(value, str) and not _NUMBER.fullmatch(value.strip()):
                # Digits beyond microseconds are dropped.
                at = datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
                at = (at if at.tzinfo is not None else at.replace(tzinfo=self._zone)).astimezone(UTC)
            else:
                number = self.number(path) or 0.0
                divisor = 1_000_000 if number >= _MICROSECONDS_FROM else 1_000 if number >= _MILLISECONDS_FROM else 1
                at = datetime.fromtimestamp(number / divisor, UTC)
        except (ValueError, OverflowError, OSError, UnusableError) as error:
            raise UnusableError("bad_time", f"{path}: no time") from error
        # A duration can be added to these years and subtracted.
        if at.year not in _YEARS:
            raise UnusableError("bad_time", f"{path}: no time")
        return at

    def need_time(self, path: str) -> datetime:
        """Return a required time; raise UnusableError."""
        value = self.time(path)
        if value is None:
            raise UnusableError("missing_field", f"{path}: required")
        return value
