"""Places of queues, teams and agents in the configuration, for access checks and for pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.access.views import SMALLEST_GROUP, Places, QueuePlace, TeamPlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.models import Configuration

__all__ = ["places_by_scope", "places_of"]


def places_of(
    configuration: Configuration,
    *,
    smallest_group: int = SMALLEST_GROUP,
    signed_in: Mapping[str, tuple[int, int]] | None = None,
) -> Places:
    """Return the places of queues, teams and agents in a configuration; ``signed_in``: fewest and most agents by scope of late."""
    return Places(
        queues={name: QueuePlace(queue.department, queue.business, queue.site) for name, queue in configuration.queues.items()},
        teams={name: TeamPlace(team.business, team.site) for name, team in configuration.teams.items()},
        people={name: configuration.place_of_person(name) for name in configuration.people},
        signed_in=signed_in or {},
        smallest_group=smallest_group,
    )


def places_by_scope(configuration: Configuration) -> dict[str, dict[str, str | None]]:
    """Return site and department by ``queue:NAME``, and site by ``team:NAME``, of queues and teams that belong to any."""
    places: dict[str, dict[str, str | None]] = {
        f"queue:{name}": {"site": queue.site, "department": queue.department} for name, queue in configuration.queues.items()
    }
    places |= {f"team:{name}": {"site": team.site, "department": None} for name, team in configuration.teams.items()}
    return {scope: place for scope, place in places.items() if any(place.values())}
