"""What a scope costs beside its people, in the slices of time in which anybody works there (``docs/counting.md`` section 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.configuration.costs import scaled
from streams.windows.kpis import worked_ms

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.windows.sums import Counts

__all__ = ["add_staffed", "fixed_cost"]


def fixed_cost(configuration: Configuration, scope: str) -> int | None:
    """Return the fixed cost an hour of a scope, in hundredths: of its teams together; None without costs."""
    if configuration.costs is None:
        return None
    kind, name = scope.split(":", 1)
    total = 0
    for team_name, team in configuration.teams.items():
        places = {"team": team_name, "site": team.site, "business": team.business, "total": "all"}
        if team.costs is not None and places.get(kind) == name:
            total += scaled(team.costs.fixed_per_hour)
    return total


def add_staffed(difference: Counts, before: Counts, length_ms: int) -> None:
    """Complete what changes in a slice: with the first time worked in it the whole slice is staffed."""
    had = worked_ms(before)
    was, now = had > 0, had + worked_ms(difference) > 0
    if was != now:
        difference["staffed_ms"] = length_ms if now else -length_ms
