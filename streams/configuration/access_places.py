"""What belongs where, as access goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.access.views import SMALLEST_GROUP, Places, QueuePlace, TeamPlace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.configuration.models import Configuration

__all__ = ["places_of"]


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
