"""Sources are judged each by itself: when one is quarantined, over chunks, restarts, other limits, and whatever the others send."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.limits import MAX_SOURCES
from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
from streams.tracking.quarantine import BY_OPERATOR, NO_ROOM, UNREADABLE, Quarantine
from streams.tracking.watermark import Watermark

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_ONLY = DeadLetterLimits(max_run=3, max_ratio=None)
SHARE_ONLY = DeadLetterLimits(max_run=None, max_ratio=0.25, ratio_window=100)
OFF = DeadLetterLimits(max_run=0, max_ratio=0)
LATE = SourceLimits(max_late_ratio=0.5, late_window=100)

#: What a letter of a story is: good, late, or bad for a reason.
REASONS = {"j": "invalid_json", "m": "missing_field"}


def of(limits: DeadLetterLimits, sources: SourceLimits | None = None) -> Quarantine:
    """Return one that knows the sources ``a`` and ``b``."""
    watermark = Watermark(30_000, 1_000, 60_000)
    for name in ("a", "b"):
        watermark.received(name, 1)
    return Quarantine(limits, sources or SourceLimits(), watermark)


def again(before: Quarantine, limits: DeadLetterLimits, sources: SourceLimits | None = None) -> Quarantine:
    """Return one that knows what this one has written."""
    restored = of(limits, sources)
    restored.restore(orjson.loads(orjson.dumps(before.state())))
    return restored


def feed(quarantine: Quarantine, story: Sequence[tuple[str | None, str]], first_offset: int = 0) -> None:
    """Take records of a story, each a source and what it is, as a stage does."""
    for offset, (source, kind) in enumerate(story, first_offset):
        if kind in REASONS:
            quarantine.bad(source, REASONS[kind], offset, 1_000 * offset)
        elif source in quarantine.quarantined:
            quarantine.quarantined[source].records += 1
        elif kind == "l":
            quarantine.late(source or "", offset, 1_000 * offset)
        elif quarantine.watched:
            quarantine.fine(source or "")


def records(source: str, kinds: str) -> list[tuple[str | None, str]]:
    """Return the records of one source."""
    return [(source, kind) for kind in kinds]


def at(quarantine: Quarantine, source: str = "a") -> int | None:
    """Return the offset of the record with which a source was quarantined."""
    found = quarantine.quarantined.get(source)
    return None if found is None else found.offset


def stops(limits: DeadLetterLimits, kinds: str, sources: SourceLimits | None = None) -> int | None:
    """Return where a source is quarantined that sends these records alone."""
    quarantine = of(limits, sources)
    feed(quarantine, records("a", kinds))
    return at(quarantine)


class TestRun:
    """A limit on malformed records in a row."""

    def test_one_more_than_permitted(self) -> None:
        """Three in a row are permitted, the fourth is not; a valid one in between restarts the count."""
        assert stops(RUN_ONLY, "..jjj.jjj.") is None
        assert stops(RUN_ONLY, "..jjj.jmjj.") == 9

    def test_others_do_not_break_it_and_do_not_pay(self) -> None:
        """Good records of another source in between are not this one's; the other is not quarantined, whatever this one sends."""
        quarantine = of(RUN_ONLY)
        feed(quarantine, [("a", "j"), ("b", "."), ("a", "j"), ("b", "j"), ("b", "."), ("a", "j"), ("b", "."), ("a", "j"), ("b", "j")])
        feed(quarantine, [("a", "."), ("a", "j")] * 50 + [("b", "."), ("b", "j")] * 50, 9)

        assert at(quarantine) == 7
        assert list(quarantine.quarantined) == ["a"]
        assert quarantine.quarantined["a"].records == 100

    def test_what_a_quarantine_reports(self) -> None:
        """Why, since the record's timestamp, and which reasons by count."""
        quarantine = of(RUN_ONLY)
        feed(quarantine, records("a", ".mjjj..j"), 40)
        entry = quarantine.quarantined["a"]

        assert (entry.reason, entry.since_ms, entry.offset, entry.records) == ("bad_records", 44_000, 44, 3)
        assert entry.detail == "4 records in a row (invalid_json 3, missing_field 1); max_run permits 3"
        assert quarantine.summary() == {"a": {"reason": "bad_records", "since_ms": 44_000, "records": 3}}

    def test_it_does_not_affect_progress(self) -> None:
        """From then on neither its silence nor its word counts; the other's does."""
        watermark = Watermark(30_000, 1_000, 60_000)
        watermark.heartbeat("a", 1_000, 500)
        watermark.heartbeat("b", 50_000, 50_000)
        quarantine = Quarantine(RUN_ONLY, SourceLimits(), watermark)
        assert watermark.stale() == ["a"]
        feed(quarantine, records("a", "jjjj"))
        watermark.advance()

        assert (watermark.stale(), list(watermark.sources), watermark.ms) == ([], ["b"], 50_000)


class TestShare:
    """A limit on malformed records among the last ones."""

    def test_one_more_than_the_share(self) -> None:
        """A quarter of the window is permitted, one record more is not; the first ones are judged as if good ones had been before."""
        assert stops(SHARE_ONLY, "j..." * 100) is None
        assert stops(SHARE_ONLY, "j" * 26) == 25
        assert stops(SHARE_ONLY, "." * 500 + "j" * 26) == 525

    def test_what_is_long_past_does_not_count(self) -> None:
        """Bad records leave the window, to a twentieth of it, as others of the source come; others' records do not count."""
        assert stops(SHARE_ONLY, "j" * 25 + "." * 75 + "j" * 25) is None
        assert stops(SHARE_ONLY, "j" * 25 + "." * 70 + "j" * 25) == 95
        quarantine = of(SHARE_ONLY)
        feed(quarantine, [*records("a", "j" * 25), *records("b", "." * 500), *records("a", "j")])
        assert at(quarantine) == 525

    def test_other_limits_after_a_restart(self) -> None:
        """A window of another length restarts; a limit turned off forgets, and a quarantine stays whatever the limits."""
        quarantine = of(SHARE_ONLY)
        feed(quarantine, records("a", "j" * 20))
        wider = again(quarantine, SHARE_ONLY.model_copy(update={"ratio_window": 200}))
        feed(wider, records("a", "j" * 50))
        assert at(wider) is None
        feed(wider, records("a", "j"), 50)
        assert at(wider) == 50

        off = again(wider, OFF)
        feed(off, records("b", "j" * 1_000))
        assert list(off.quarantined) == ["a"]
        assert not off.watched

    def test_what_is_written_is_small(self) -> None:
        """Nothing without malformed records, and at worst one or two hundred bytes a source and kind."""
        good = of(DeadLetterLimits())
        feed(good, [("a", "."), ("b", ".")] * 10_000)
        assert good.state() == {}

        worst = of(DeadLetterLimits(max_run=None))
        feed(worst, [(f"s{number}", kind) for kind in "j..mml..l.." * 60 for number in range(300)])
        assert not worst.quarantined or set(worst.quarantined) <= {NO_ROOM}
        assert len(worst.watched) <= MAX_SOURCES + 2
        assert len(orjson.dumps(worst.state())) < 300 * (MAX_SOURCES + 2)


class TestLate:
    """Events that come too late to count."""

    def test_a_flood(self) -> None:
        """More than half of the last hundred: quarantined for that reason; bad records are not late, late ones not bad."""
        quarantine = of(RUN_ONLY, LATE)
        feed(quarantine, records("a", "l." * 100 + "ljl" * 25 + "l"))
        assert at(quarantine) is not None
        assert quarantine.quarantined["a"].reason == "late_records"
        assert "max_late_ratio permits 50" in quarantine.quarantined["a"].detail

    def test_the_default_bears_an_outage(self) -> None:
        """18,000 late ones in a row are caught up with; beyond, the source is no longer believed."""
        assert stops(DeadLetterLimits(), "l" * 18_000) is None
        assert stops(DeadLetterLimits(), "l" * 18_001) == 18_000
        assert stops(DeadLetterLimits(), "l" * 30_000, SourceLimits(max_late_ratio=0)) is None


class TestWhoIsBlamed:
    """The source named in a record is trusted only within limits."""

    def test_records_without_a_source(self) -> None:
        """They have a bucket of their own, judged by the records of the partition; no source pays for them."""
        quarantine = of(RUN_ONLY)
        feed(quarantine, [(None, "j"), ("a", "."), (None, "j"), (None, "j"), (None, "m"), ("b", "j"), ("b", ".")])
        assert not quarantine.quarantined
        feed(quarantine, [(None, "j")] * 5, 7)

        assert list(quarantine.quarantined) == [UNREADABLE]
        assert quarantine.quarantined[UNREADABLE].records == 1

    def test_other_names_with_every_record(self) -> None:
        """The number of watched sources is limited; a source known on the partition is still judged separately."""
        quarantine = of(RUN_ONLY)
        feed(quarantine, [(f"s{number}", "j") for number in range(10_000)])
        assert len(quarantine.watched) <= MAX_SOURCES + 1
        assert list(quarantine.quarantined) == [NO_ROOM]
        feed(quarantine, records("a", "jjjj"), 10_000)
        assert list(quarantine.quarantined) == [NO_ROOM, "a"]


class TestOperator:
    """Commands of an operator."""

    def test_quarantine_and_release(self) -> None:
        """It begins and ends by command; after release a source is judged from zero; nothing else ends it."""
        quarantine = of(RUN_ONLY)
        quarantine.begin("a", BY_OPERATOR, "tests a new switch", 5, 5_000)
        quarantine.begin("a", BY_OPERATOR, "again", 6, 6_000)
        feed(quarantine, records("a", "." * 20_000), 6)
        assert quarantine.summary() == {"a": {"reason": "operator", "since_ms": 5_000, "records": 20_000}}
        assert again(quarantine, RUN_ONLY).summary() == quarantine.summary()

        quarantine.release("a")
        quarantine.release("never heard of")
        feed(quarantine, records("a", "jjj."), 20_006)
        assert not quarantine.quarantined
        feed(quarantine, records("a", "jjjj"), 20_010)
        assert at(quarantine) == 20_013


def first_over(kinds: str, max_run: int, max_ratio: float, window: int) -> int | None:
    """Return where each source first passes a limit, from all its records: the definition, slowly.

    Blocks are counted from the first bad record; before it, and since its last window without one, there is nothing bad to look back on.
    """
    begin: int | None = None
    last_bad = 0
    reach = window if max_ratio else 1
    for place, kind in enumerate(kinds):
        if begin is not None and kind == "." and place - last_bad > reach:
            begin = None
        if kind == ".":
            continue
        if begin is None:
            begin = place
        last_bad = place
        run = place + 1 - (kinds.rfind(".", 0, place) + 1)
        block = window // 20
        looked_at = range(max(begin, begin + ((place - begin) // block - window // block + 1) * block), place + 1)
        bad = sum(kinds[each] != "." for each in looked_at)
        if (max_run and run > max_run) or (max_ratio and bad > max_ratio * window):
            return place
    return None


@pytest.mark.parametrize("seed", range(20))
def test_any_streams_in_any_chunks(seed: int) -> None:
    """Whatever the sources send, however they are interleaved and often it is restarted, each is judged by its own records alone."""
    chance = Random(seed)
    limits = DeadLetterLimits(
        max_run=chance.choice([0, 8, 15, 30]), max_ratio=chance.choice([0, 0.1, 0.3, 0.5]), ratio_window=chance.choice([100, 128, 300])
    )
    stories: dict[str, str] = {}
    for name in ("a", "b", "c", "d"):
        share, kinds = chance.choice([0.02, 0.2, 0.3, 0.6]), ""
        while len(kinds) < 900:
            kinds += (chance.choice("jm") if chance.random() < share else ".") * chance.randint(1, 9)
        stories[name] = kinds
    order = [name for name, kinds in stories.items() for _ in kinds]
    chance.shuffle(order)
    places = dict.fromkeys(stories, 0)
    story: list[tuple[str | None, str]] = []
    offsets: dict[str, list[int]] = {name: [] for name in stories}
    for offset, name in enumerate(order):
        story.append((name, stories[name][places[name]]))
        places[name] += 1
        offsets[name].append(offset)

    quarantine, begin = of(limits), 0
    while begin < len(story):
        size = chance.randint(1, 200)
        feed(quarantine, story[begin : begin + size], begin)
        begin += size
        if chance.random() < 0.4:
            quarantine = again(quarantine, limits)

    for name, kinds in stories.items():
        place = first_over(kinds, limits.max_run or 0, limits.max_ratio or 0, limits.ratio_window)
        assert at(quarantine, name) == (None if place is None else offsets[name][place]), name
        if place is not None:
            assert quarantine.quarantined[name].records == len(kinds) - place - 1
