"""A journal reports after the fact: nothing waits for it, its events are never late (docs/counting.md sections 3 and 7)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from schemas.times import format_ms
from streams.configuration import Configuration
from streams.stages.track import ContactStage
from streams.tracking.watermark import watermark_of
from tests.stages.test_track import TOPICS, rows_of
from tests.tracking.harness import CONFIGURATION, Contacts, event, ms, record

JOURNAL = Configuration.model_validate(
    {**CONFIGURATION.model_dump(exclude_unset=True), "sources": {"export": {"delivery": "journal"}, "archive": {"delivery": "journal"}}}
)
HOUR = 3_600.0


def export(begin: float, received: float, **fields: Any) -> list[bytes]:
    """Return a call that the export reports later."""
    return [
        event("contact.queued", begin, received=received, queue="A", source="export", event_id="q", conversation_id="j", **fields),
        event("contact.answered", begin + 30, received=received, agent="ann", source="export", event_id="a", conversation_id="j", **fields),
        event("contact.ended", begin + 90, received=received, by="customer", source="export", event_id="z", conversation_id="j", **fields),
    ]


def beat(seconds: float, source: str = "test", complete: float | None = None) -> bytes:
    """Return a heartbeat."""
    return event("source.heartbeat", seconds, source=source, complete_through=format_ms(ms(seconds if complete is None else complete)))


def test_nothing_waits_for_a_journal() -> None:
    """The export is complete up to 20 s, the live source up to 500 s: that is the progress, and the export is not called stale for it."""
    watermark = watermark_of(JOURNAL)
    watermark.heartbeat("live", 500_000, 500_000)
    watermark.heartbeat("export", 500_000, 20_000)
    watermark.advance()

    assert (watermark.ms, watermark.stale(), watermark.journals()) == (500_000, [], {"export": 20_000})


def test_journals_alone_are_waited_for() -> None:
    """With journals alone, figures are complete as far as the slower one is."""
    watermark = watermark_of(JOURNAL)
    watermark.heartbeat("export", 500_000, 480_000)
    watermark.heartbeat("archive", 500_000, 470_000)
    watermark.advance()

    assert watermark.ms == 470_000


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_event_of_a_journal_is_never_late(order: tuple[int, ...]) -> None:
    """Received an hour after it happened, long after the live source passed it, it counts at its time; from the live source it is late."""
    contacts = Contacts(configuration=JOURNAL)
    contacts.apply([event("contact.queued", HOUR, queue="A", conversation_id="live")])
    for index in order:
        contacts.apply([export(0, HOUR + index)[index]])

    assert contacts.tracker.late == 0
    assert contacts.sums("queue:A")["handled"] == 1
    assert contacts.starts("queue:A", "answered", kind="pane") == {30: 1}
    late = Contacts(*export(0, HOUR))
    assert late.tracker.late == 3


def test_what_is_sent_again_is_known_as_long_as_it_can_count() -> None:
    """The export brings a call of yesterday, and the same with a changed end two hours later: it counts once, by the last report."""
    stage = ContactStage(0, JOURNAL, TOPICS)
    rows: dict[bytes, bytes] = {}
    day = 24 * HOUR
    for values in (
        [beat(day)],
        export(0, day),
        [beat(day + HOUR)],
        [beat(day + 2 * HOUR)],
        [event("contact.ended", 150, received=day + 2 * HOUR, source="export", event_id="z", conversation_id="j", revision=5)],
    ):
        for value in values:
            # A heartbeat's word is about the clock of its record.
            stage.process([record(value)])
        rows = rows_of(stage.collect(), rows)
        stage = ContactStage(0, JOURNAL, TOPICS)
        stage.restore("state", rows.items())

    cells = [value for key, value in rows.items() if key.startswith(b"cohort|") and b"queue:A" in key]
    assert [b'"handled":1' in cell and b'"talk_ms":120000' in cell for cell in cells if b'"handled"' in cell] == [True]
    assert stage.tracker.late == 0
    # Two days and grace after its last event nothing of it could be booked any more, and it is forgotten.
    stage.process([record(beat(51 * HOUR + 150 + 180 + 1))])
    assert b"s|j\x1fexport" not in rows_of(stage.collect(), rows)


def test_an_exclusion_by_a_journal_holds() -> None:
    """However long after."""
    contacts = Contacts(configuration=JOURNAL)
    contacts.apply(
        [*export(0, HOUR), event("contact.excluded", 95, received=20 * HOUR, source="export", reason="spam", conversation_id="j")]
    )

    assert contacts.tracker.late == 0
    assert contacts.sums("queue:A").get("handled", 0) == 0
