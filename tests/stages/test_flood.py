"""Too many bad records stop the stage: how many in a row and what share, over chunks, restarts and other limits."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.configuration.dead_letters import DeadLetterLimits
from streams.engine.stage import DeadLetterFloodError
from streams.stages.flood import FloodGauge
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from tests.tracking.telling import CONFIGURATION, event, ms, record

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_ONLY = DeadLetterLimits(max_run=3, max_ratio=None)
SHARE_ONLY = DeadLetterLimits(max_run=None, max_ratio=0.25, ratio_window=100)
OFF = DeadLetterLimits(max_run=0, max_ratio=0)

#: ``.`` is a good record, a letter a bad one.
REASONS = {"j": "invalid_json", "m": "missing_field"}


def feed(gauge: FloodGauge, story: str, chunk: int = 7, first_offset: int = 0) -> int | None:
    """Give a gauge the records of a story in chunks; return the offset at which it stopped, or None."""
    for begin in range(0, len(story), chunk):
        part = story[begin : begin + chunk]
        for index, kind in enumerate(part):
            if kind != ".":
                offset = first_offset + begin + index
                try:
                    gauge.bad(index, record(None, topic="contacts", partition=3, offset=offset), REASONS[kind])
                except DeadLetterFloodError:
                    return offset
        gauge.took(len(part))
    return None


def again(gauge: FloodGauge, limits: DeadLetterLimits) -> FloodGauge:
    """Return a gauge that knows what this one has written."""
    restored = FloodGauge(limits)
    restored.restore(orjson.loads(orjson.dumps(gauge.state())))
    return restored


def first_over(story: str, limits: DeadLetterLimits) -> int | None:
    """Say by looking at the whole story for each record where a limit is passed first: the definition, slowly."""
    for end in range(1, len(story) + 1):
        if story[end - 1] == ".":
            continue
        run = end - (story.rfind(".", 0, end) + 1)
        window = story[end - limits.ratio_window : end] if end >= limits.ratio_window else ""
        bad = len(window) - window.count(".")
        if (limits.max_run and run > limits.max_run) or (limits.max_ratio and window and bad / len(window) > limits.max_ratio):
            return end - 1
    return None


class TestRun:
    """So many in a row."""

    def test_one_more_than_permitted(self) -> None:
        """Three in a row are permitted, the fourth stops; a good one in between begins anew."""
        assert feed(FloodGauge(RUN_ONLY), "..jjj.jjj.") is None
        assert feed(FloodGauge(RUN_ONLY), "..jjj.jmjj.") == 9

    @pytest.mark.parametrize("chunk", [1, 2, 3, 4, 5, 100])
    def test_over_chunks(self, chunk: int) -> None:
        """A run goes on from chunk to chunk."""
        assert feed(FloodGauge(RUN_ONLY), "j.jjmm", chunk) == 5

    def test_over_a_restart(self) -> None:
        """A restart in the middle of a run gives the sender no further records; one after a good record is no run."""
        gauge = FloodGauge(RUN_ONLY)
        feed(gauge, ".jj")
        assert feed(again(gauge, RUN_ONLY), "jj", first_offset=3) == 4
        feed(gauge, ".")
        assert feed(again(gauge, RUN_ONLY), "jjj", first_offset=4) is None

    def test_the_line(self) -> None:
        """The message is one line with topic, partition, offset, where the run began, the reasons by count, and what to do."""
        gauge = FloodGauge(RUN_ONLY)
        feed(gauge, ".mj", first_offset=40)
        gauge = again(gauge, RUN_ONLY)
        gauge.bad(0, record(None, topic="contacts", partition=3, offset=43), "invalid_json")
        with pytest.raises(DeadLetterFloodError) as caught:
            gauge.bad(1, record(None, topic="contacts", partition=3, offset=44), "invalid_json")

        said = str(caught.value)
        assert said.startswith(
            "contacts partition 3 is not read beyond offset 44: 4 records in a row, from offset 41 on, cannot be used, "
            "and max_run permits 3 (invalid_json 3, missing_field 1). "
        )
        assert "docs/runbooks/dead-letters.md" in said
        assert "\n" not in said


class TestShare:
    """So many among the last."""

    def test_not_before_the_window_is_full(self) -> None:
        """Two of the first three, and even 99 of the first 99, stop nothing; with the hundredth it is judged."""
        assert feed(FloodGauge(SHARE_ONLY), "jj.") is None
        assert feed(FloodGauge(SHARE_ONLY), "j" * 99) is None
        assert feed(FloodGauge(SHARE_ONLY), "j" * 100) == 99

    def test_one_more_than_the_share(self) -> None:
        """A quarter is permitted, one record more is not."""
        assert feed(FloodGauge(SHARE_ONLY), "j..." * 100) is None
        assert feed(FloodGauge(SHARE_ONLY), "j..." * 50 + "j.j.") == 202

    def test_what_is_long_past_does_not_count(self) -> None:
        """Bad records leave the window as others come."""
        assert feed(FloodGauge(SHARE_ONLY), "." * 75 + "j" * 25 + "." * 75 + "j" * 25) is None
        assert feed(FloodGauge(SHARE_ONLY), "." * 75 + "j" * 25 + "." * 74 + "j" * 25) == 174

    def test_the_line(self) -> None:
        """The reasons are those of the window, and the limit is named."""
        gauge = FloodGauge(DeadLetterLimits(max_run=None, max_ratio=0.5, ratio_window=100))
        feed(gauge, "." * 70 + "m" * 5 + "j" * 25)
        lowered = again(gauge, SHARE_ONLY)
        with pytest.raises(DeadLetterFloodError) as caught:
            lowered.bad(0, record(None, topic="contacts", partition=3, offset=100), "invalid_json")

        assert str(caught.value).startswith(
            "contacts partition 3 is not read beyond offset 100: 31 of the last 100 records cannot be used, "
            "and max_ratio permits a share of 0.25 (invalid_json 26, missing_field 5). "
        )

    def test_other_limits_after_a_restart(self) -> None:
        """A smaller window judges by its own last records; a larger one waits until it is full."""
        gauge = FloodGauge(DeadLetterLimits(max_run=None, max_ratio=0.9, ratio_window=200))
        feed(gauge, "j" * 90 + "." * 90 + "j" * 20)
        assert feed(again(gauge, SHARE_ONLY), "jjjjjj") == 5
        larger = DeadLetterLimits(max_run=None, max_ratio=0.25, ratio_window=300)
        assert feed(again(gauge, larger), "j" + "." * 98) is None
        assert feed(again(gauge, larger), "j" + "." * 98 + "j") == 99

    def test_what_is_written_is_small(self) -> None:
        """A partition without bad records writes a number, the worst one a bit a record and reason."""
        good, worst = FloodGauge(DeadLetterLimits()), FloodGauge(DeadLetterLimits(max_run=None))
        feed(good, "." * 30_000, 5_000)
        feed(worst, "j.m." * 7_500, 5_000)

        assert good.state() == {"seen": 10_000}
        assert len(orjson.dumps(worst.state())) < 2 * 10_000 / 4 + 100


class TestBoth:
    """The defaults, and any stream."""

    def test_one_bad_batch_of_a_sender(self) -> None:
        """500 bad records in a row, now and then, stop nothing; 1,001 do, and so does every second record for long."""
        story = ("." * 2_000 + "j" * 500) * 8
        assert feed(FloodGauge(DeadLetterLimits()), story, 512) is None
        assert feed(FloodGauge(DeadLetterLimits()), "." + "j" * 2_000, 512) == 1_001
        assert feed(FloodGauge(DeadLetterLimits()), "jj." * 10_000, 512) == 9_999

    def test_off(self) -> None:
        """With both limits off anything may come, nothing is kept, and a limit that is turned on again begins anew."""
        gauge = FloodGauge(OFF)
        assert feed(gauge, "j" * 30_000, 1_000) is None
        assert gauge.state() == {}
        assert feed(again(gauge, DeadLetterLimits()), "j" * 1_000) is None

    def test_turned_off_and_on(self) -> None:
        """What was counted is forgotten while the limits are off."""
        gauge = FloodGauge(DeadLetterLimits(max_run=50, max_ratio=0.5, ratio_window=100))
        feed(gauge, "." * 50 + "j" * 50)
        off = again(gauge, OFF)
        feed(off, "j" * 10)
        assert feed(again(off, DeadLetterLimits(max_run=50)), "j" * 50) is None

    @pytest.mark.parametrize("seed", range(12))
    def test_any_stream_in_any_chunks(self, seed: int) -> None:
        """Whatever the stream, the chunks and the restarts, it stops at the record that the definition names."""
        chance = Random(seed)
        share = chance.choice([0.05, 0.2, 0.3, 0.6])
        story, bad = "", False
        while len(story) < 900:
            bad = chance.random() < share
            story += (chance.choice("jm") if bad else ".") * chance.randint(1, 9)
        limits = DeadLetterLimits(
            max_run=chance.choice([0, 8, 15, 30]), max_ratio=chance.choice([0, 0.1, 0.3, 0.5]), ratio_window=chance.choice([100, 128, 300])
        )
        gauge, at, stopped = FloodGauge(limits), 0, None
        while at < len(story) and stopped is None:
            size = chance.randint(1, 60)
            stopped = feed(gauge, story[at : at + size], chance.randint(1, 20), at)
            at += size
            if chance.random() < 0.3 and stopped is None:
                gauge = again(gauge, limits)

        assert stopped == first_over(story, limits)


CONFIGURED = CONFIGURATION.model_copy(update={"dead_letters": DeadLetterLimits(max_run=3)})


def records(values: Sequence[bytes], first_offset: int = 0) -> list[Any]:
    """Return records of a topic."""
    return [record(value, topic="contacts", partition=3, offset=first_offset + number) for number, value in enumerate(values)]


@pytest.mark.parametrize("kind", [ContactStage, AgentStage])
def test_a_stage_stops_and_stops_again(kind: type[ContactStage | AgentStage]) -> None:
    """A stage raises at the record over the limit, and a restarted one at the same; with the limit raised it takes them, each once."""
    topics = TrackTopics("contacts", "panes", 2, "dead", "group", lambda: ms(1_000))
    good = event("source.heartbeat", 0, complete_through="2026-06-15T09:00:00Z")
    stage = kind(3, CONFIGURED, topics)
    stage.process(records([good, b"?", b"?"]))
    rows = {key: value for key, value in stage.collect().rows if value is not None}
    for _ in range(2):
        restarted = kind(3, CONFIGURED, topics)
        restarted.restore("state", list(rows.items()))
        with pytest.raises(DeadLetterFloodError, match="beyond offset 4: 4 records in a row, from offset 1 on"):
            restarted.process(records([b"?", b"?", good], 3))
        assert restarted.counters.rejected == {"invalid_json": 1}

    raised = kind(3, CONFIGURATION.model_copy(update={"dead_letters": DeadLetterLimits(max_run=5)}), topics)
    raised.restore("state", list(rows.items()))
    raised.process(records([b"?", b"?", good], 3))
    letters = [output for output in raised.collect().outputs if output.topic == "dead"]
    assert [dict(letter.headers)["dead-letter-original-offset"] for letter in letters] == [b"3", b"4"]


def test_a_state_from_before_the_limits() -> None:
    """State that an older version wrote has no count: it begins with nothing."""
    topics = TrackTopics("contacts", "panes", 2, "dead", "group", lambda: ms(1_000))
    stage = ContactStage(3, CONFIGURED, topics)
    stage.process(records([event("contact.queued", 0, queue="A")]))
    rows = {key: value for key, value in stage.collect().rows if value is not None}
    older = {name: kept for name, kept in orjson.loads(rows[b"m"]).items() if name != "flood"}
    restarted = ContactStage(3, CONFIGURED, topics)
    restarted.restore("state", list((rows | {b"m": orjson.dumps(older)}).items()))
    restarted.process(records([b"?"] * 3, 1))

    assert restarted.counters.rejected == {"invalid_json": 3}
