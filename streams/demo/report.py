"""The table at the end of the demo: figures of the voice queues and the teams."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from streams.catalogue.percent import percent
from streams.columns import aligned
from streams.demo.simulator.center import QUEUES, TEAMS

if TYPE_CHECKING:
    from streams.demo.scrape import Scrape

__all__ = ["alerts", "missing_figures", "table"]

_WINDOW: Final = "15m"
_SHOWN: Final = ("15m", "day")
#: The figures that every voice queue must have.
_NEEDED: Final = ("service_level", "asa", "aht")
_COLUMNS: Final = (
    ("offered", "offered"),
    ("service_level", "SL"),
    ("asa", "ASA"),
    ("aht", "AHT"),
    ("abandon_rate", "abandoned"),
)
_RATIOS: Final = {"service_level", "abandon_rate", "occupancy"}


class _Values:
    def __init__(self, scrape: Scrape) -> None:
        self._values = {
            (served.kpi, served.scope, served.channel, served.window): served.value
            for served in scrape.figures()
            if served.part == "value" and not math.isnan(served.value)
        }

    def get(self, kpi: str, scope: str, channel: str | None, window: str) -> float | None:
        return self._values.get((kpi, scope, channel, window))

    def text(self, kpi: str, scope: str, channel: str | None, window: str) -> str:
        value = self.get(kpi, scope, channel, window)
        if value is None:
            return "–"
        if kpi in _RATIOS:
            return f"{percent(value)}%"
        return f"{value:.1f} s" if kpi in {"asa", "aht"} else f"{value:.0f}"


def missing_figures(scrape: Scrape) -> list[str]:
    """Return a sentence for each voice queue or team without the figures it must have in the last 15 minutes."""
    values = _Values(scrape)
    needed = [(kpi, f"queue:{queue.name}", "voice") for queue in QUEUES.values() if queue.channel == "voice" for kpi in _NEEDED]
    everything: list[tuple[str, str, str | None]] = [*needed, *(("occupancy", f"team:{team.name}", None) for team in TEAMS)]
    return [
        f"{scope} has no {kpi} (last {_WINDOW})." for kpi, scope, channel in everything if values.get(kpi, scope, channel, _WINDOW) is None
    ]


def table(scrape: Scrape) -> str:
    """Return the figures of the last 15 minutes and of the day: voice queues, then teams."""
    values = _Values(scrape)
    rows = [["Voice queue", *(f"{label} {window}" for window in _SHOWN for _, label in _COLUMNS)]]
    for queue in QUEUES.values():
        if queue.channel == "voice":
            scope = f"queue:{queue.name}"
            rows.append([queue.name, *(values.text(kpi, scope, "voice", window) for window in _SHOWN for kpi, _ in _COLUMNS)])
    teams = [["Team", *(f"occupancy {window}" for window in _SHOWN)]]
    teams += [[team.name, *(values.text("occupancy", f"team:{team.name}", None, window) for window in _SHOWN)] for team in TEAMS]
    return f"{aligned(rows)}\n\n{aligned(teams)}"


def alerts(scrape: Scrape) -> str:
    """Return a line with the firing alerts."""
    firing = [sample.labels for sample in scrape.samples if sample.name == "contact_center_alert_firing" and sample.value]
    named = sorted(f"{alert['rule']} ({alert['severity']}) of {alert['scope_kind']}:{alert['scope']}" for alert in firing)
    return f"Alerts firing: {', '.join(named) or 'none'}."
