"""``contact-streams sources list``: the status of each source on each partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.commands.sources import _table, of_partition
from streams.connectors.operator import PartitionProgress, SourceProgress

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE_MS = 60_000


def status_of(sources: Mapping[str, int], watched: Mapping[str, Mapping[str, int]] | None = None) -> dict[str, str]:
    """Return the status of each source in the table, by the minute of its newest event; the partition's newest is of minute 10."""
    reports = {name: SourceProgress(minute * MINUTE_MS, None) for name, minute in sources.items()}
    partition = PartitionProgress("contact-events.v1", 3, 0, None, 10 * MINUTE_MS, reports, {}, watched or {})
    lines = list(_table(list(of_partition(partition)), "contacts"))[1:]
    return {line.split()[0]: line[100:] for line in lines}


def test_a_source_is_silent_by_the_time_of_the_others() -> None:
    """The newest of all was received at minute 10: what was received then is active, and what is of minute 8 silent for 120 s."""
    assert status_of({"pbx": 10, "desk": 8}) == {"pbx": "active", "desk": "silent for 120 s"}


def test_a_source_without_an_accepted_event_is_not_active() -> None:
    """All of its records were malformed so far."""
    assert status_of({"pbx": 10}, {"new": {"invalid_json": 4}}) == {
        "pbx": "active",
        "new": "no event accepted yet; recently bad: invalid_json 4",
    }
