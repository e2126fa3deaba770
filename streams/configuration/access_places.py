"""What belongs where, as access goes by it and as pages choose by it."""

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
    """Return where a configuration puts queues, teams and people; ``signed_in`` is fewest and most people by scope of late."""
    return Places(
        queues={name: QueuePlace(each.department, each.business, each.site) for name, each in configuration.queues.items()},
        teams={name: TeamPlace(each.business, each.site) for name, each in configuration.teams.items()},
        people={name: configuration.place_of_person(name) for name in configuration.people},
        signed_in=signed_in or {},
        smallest_group=smallest_group,
    )


def places_by_scope(configuration: Configuration) -> dict[str, dict[str, str | None]]:
    """Return site and department by ``queue:NAME``, and site by ``team:NAME``, of those that belong anywhere."""
    found: dict[str, dict[str, str | None]] = {
        f"queue:{name}": {"site": each.site, "department": each.department} for name, each in configuration.queues.items()
    }
    found |= {f"team:{name}": {"site": each.site, "department": None} for name, each in configuration.teams.items()}
    return {scope: place for scope, place in found.items() if any(place.values())}
