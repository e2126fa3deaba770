"""The demo's day: when the simulated center opened, and the configuration whose days begin then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from schemas.times import from_ms

__all__ = ["CONFIGURATION", "OPEN_HOURS", "configuration_text", "opening_ms"]

#: The configuration in the checkout.
CONFIGURATION: Final = Path(__file__).with_name("configuration.yaml")

#: How long the center has been open when the demo starts: long enough for a day with figures, with the busy afternoon still to come.
OPEN_HOURS: Final = 5.0

_QUARTER_MS: Final = 15 * 60_000
_WEST_MOST: Final = 12
#: The site whose clock the times of the exception use.
_SITE_OF_EXCEPTION: Final = "Berlin ベルリン"


def opening_ms(now_ms: int, open_hours: float = OPEN_HOURS) -> int:
    """Return when the center opened, on a quarter of an hour, if the demo starts at ``now_ms``."""
    return (now_ms - int(open_hours * 3_600_000)) // _QUARTER_MS * _QUARTER_MS


def configuration_text(opened_ms: int, added: Path | None = None) -> str:
    """Return the demo's configuration (YAML) with all days beginning at the opening, or up to an hour before it where there is no site.

    The entries of the file ``added`` are added to the demo's, or replace those of the same name; its sites keep their own day start.

    The center works the same day whenever the demo is started, also at three in the morning. If days began at midnight, the figures of
    the day would cover a few minutes for some users and would be cut in two for others.
    """
    configuration: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    opened = from_ms(opened_ms).replace(tzinfo=UTC)
    for site in configuration["sites"].values():
        site["day_start"] = opened.astimezone(ZoneInfo(site["zone"])).strftime("%H:%M")
    # A zone in which it was between midnight and one o'clock; the signs of Etc/GMT are inverted.
    hour = opened.hour
    configuration["default_zone"] = f"Etc/GMT+{hour}" if hour <= _WEST_MOST else f"Etc/GMT-{24 - hour}"
    for target in configuration["targets"]:
        if "start_date" in target:
            # A third of the way has passed whenever the demo is started.
            target["start_date"], target["due"] = ((opened + timedelta(days=days)).date() for days in (-30, 60))
    for exception in configuration["calendar_exceptions"]:
        _move_exception(exception, opened.astimezone(ZoneInfo(configuration["sites"][_SITE_OF_EXCEPTION]["zone"])))
    if added is not None:
        _add(configuration, yaml.safe_load(added.read_text(encoding="utf-8")) or {})
    text: str = yaml.safe_dump(configuration, allow_unicode=True, sort_keys=False)
    return text


def _move_exception(exception: dict[str, Any], opened: datetime) -> None:
    """Move an exception to the half hour that begins an hour after the opening."""
    begin, end = ((opened.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(opened.tzinfo) for minutes in (60, 90))
    exception["from"], exception["to"] = (local.strftime("%Y-%m-%dT%H:%M") for local in (begin, end))
    if exception["to"] <= exception["from"]:  # the night in which the clock is set back
        del exception["to"]


def _add(configuration: dict[str, Any], added: dict[str, Any]) -> None:
    for key, value in added.items():
        if isinstance(value, dict) and isinstance(configuration.get(key), dict):
            configuration[key] |= value
        else:
            configuration[key] = value
