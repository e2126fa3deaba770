"""Fixed costs of a scope, in the slices of time in which any agent works there (``docs/counting.md`` section 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.configuration.costs import scaled
from streams.windows.kpis import worked_ms

if TYPE_CHECKING:
    from streams.configuration import Configuration
    from streams.windows.sums import Counts

__all__ = ["add_staffed", "fixed_cost"]


def fixed_cost(configuration: Configuration, scope: str) -> int | None:
    """Return the fixed costs of a scope in hundredths an hour, over its teams; None without costs."""
    if configuration.costs is None:
        return None
    kind, name = scope.split(":", 1)
    total = 0
    for team_name, team in configuration.teams.items():
        scopes = {"team": team_name, "site": team.site, "business": team.business, "total": "all"}
        if team.costs is not None and scopes.get(kind) == name:
            total += scaled(team.costs.fixed_per_hour)
    return total


def add_staffed(difference: Counts, before: Counts, length_ms: int) -> None:
    """Add the change of ``staffed_ms`` to the difference of a slice: with any time worked, the entire slice is staffed."""
    worked = worked_ms(before)
    was_staffed, is_staffed = worked > 0, worked + worked_ms(difference) > 0
    if was_staffed != is_staffed:
        difference["staffed_ms"] = length_ms if is_staffed else -length_ms
