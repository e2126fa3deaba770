"""A replay in one process counts as the live pipeline does."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from schemas.other import CustomerModel, ForecastSet
from schemas.times import format_ms
from schemas.topics import topic
from streams.configuration import Configuration
from streams.replay import Replay
from tests.oracle.worlds import random_world
from tests.properties.pipeline import MemoryPipeline
from tests.support.replaying import kinds_of, replay_events
from tests.tracking.harness import CONFIGURATION, event, ms

if TYPE_CHECKING:
    from tests.oracle.worlds import World


def replayed(world: World) -> tuple[Replay, dict[str, Any]]:
    """Return a replay of a world's events, and its result."""
    replay = Replay(world.configuration)
    for each in world.events:
        value = each.model_dump_json(exclude_none=True).encode()
        for kind in kinds_of(each):
            replay.add(value, kind)
    return replay, replay.finish(world.end_ms)


class TestAsThePipeline:
    """The same events in, the same figures out."""

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_intervals(self, seed: int) -> None:
        """Every interval of every queue has exactly the KPIs that the pipeline serves."""
        world = random_world(seed)
        # A replay reads the events of contacts and people.
        world = replace(world, events=[each for each in world.events if not isinstance(each, CustomerModel | ForecastSet)])
        pipeline = MemoryPipeline(world.configuration, Random(seed))
        pipeline.run(world.events)
        _, result = replayed(world)

        found = {(each["interval"], each["channel"], each["queue"], each["start"]): each["kpis"] for each in result["intervals"]}
        served = {
            (record["window"], record["channel"], record["scope"], record["window_start"]): record["kpis"]
            for record in pipeline.latest.values()
            if record["kind"] == "window" and record["scope_kind"] == "queue" and record["window"].startswith("interval")
        }
        assert {place: kpis for place, kpis in served.items() if place in found} == found
        # A record that was published and withdrawn since holds no values; a replay, which reads all at once, never published it.
        assert not any(kpi["numerator"] for place, kpis in served.items() if place not in found for kpi in kpis.values())
        assert found

    @pytest.mark.parametrize("seed", [1, 2, 3])
    @pytest.mark.parametrize(("chunk", "most"), [(40, 3), (1_000_000, 20_000)])
    def test_figures_only(self, seed: int, chunk: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """With figures at the end alone, in chunks of any size, with little memory, a replay gives the same, less what it omits."""
        for name, number in (("_CHUNK", chunk), ("_FLUSHES_PER_SCAN", 3), ("_MAX_CONVERSATIONS", most), ("_MAX_CUSTOMERS", most)):
            monkeypatch.setattr(f"streams.replay.{name}", number)
        world = random_world(seed)
        _, expected = replayed(world)
        replay = Replay(world.configuration, figures_only=True)
        replay_events(replay, world.events, 30)
        found = replay.finish(world.end_ms)
        if most == 3:
            assert len(replay._contacts.tracker.conversations.frozen or ()) > 30
            assert len(replay._contacts.tracker.conversations.live) < 30
        replay.close()
        for result in (expected, found):
            # Named by their location, which the other one does not know.
            result["dead_letters"] = [(dead_letter["reason"], dead_letter["bytes"]) for dead_letter in result["dead_letters"]]
            for record in result["customers"]:
                # How often a record was revised, and as of when last, depends on how often it was looked at.
                for name in ("revision", "as_of", "complete_through", "final"):
                    record.pop(name, None)
        assert found == expected
        assert found["intervals"]

    def test_limits_of_all_partitions(self) -> None:
        """Live a source may have 2 people on each of 8 partitions; here 16, and the next is one too many."""
        configuration = Configuration.model_validate({"source_limits": {"max_people": 2}})
        assert topic("agent-events.v1").partitions == 8
        replay = Replay(configuration)
        for number in range(17):
            replay.add(event("agent.state_changed", number, axis="presence", state="online", person_id=f"p{number}"), "agent")
        assert replay.finish()["dead_letters_by_reason"] == {"too_many_people": 1}

    def test_dead_letters_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All are counted and passed on; the result has the first of them."""
        monkeypatch.setattr("streams.replay._MAX_DEAD_LETTERS", 3)
        passed: list[dict[str, Any]] = []
        replay = Replay(CONFIGURATION, file="f", on_dead_letter=passed.append)
        for number in range(1, 11):
            replay.add(b"nonsense", "contact", origin=f"f:{number}")
        result = replay.finish()
        assert [dead_letter["origin"] for dead_letter in result["dead_letters"]] == ["f:1", "f:2", "f:3"]
        assert [dead_letter["origin"] for dead_letter in passed] == [f"f:{number}" for number in range(1, 11)]
        assert result["dead_letters_by_reason"] == {"invalid_json": 10}


class TestFigures:
    """One small replay by hand."""

    def contact(self, replay: Replay) -> None:
        """Add a contact that waits 30 s and talks 60 s, and one that waits from second 80 on."""
        for value in (
            event("contact.queued", 0, queue="A"),
            event("contact.answered", 30, agent="ann"),
            event("contact.queued", 80, queue="A", conversation_id="c2"),
            event("contact.ended", 90),
        ):
            replay.add(value, "contact")

    def test_totals_and_now(self) -> None:
        """Totals are of all contacts offered; who waits does so as of the last event."""
        replay = Replay(CONFIGURATION)
        self.contact(replay)
        result = replay.finish()

        assert result["as_of"] == format_ms(ms(90))
        totals = result["totals"]
        assert (totals["offered"]["value"], totals["answered"]["value"], totals["asa"]["value"], totals["att"]["value"]) == (2, 1, 30, 60)
        # Answered after 30 s: missed; the other one is not decided: coverage 1 of 2.
        level = totals["service_level"]
        assert (level["value"], level["denominator"], level["coverage"]) == (0, 1, 0.5)
        assert result["queues"]["A"]["voice"]["offered"]["value"] == 2
        waiting = {each["scope"]: each["longest_wait_seconds"] for each in result["now"] if each["waiting"]}
        assert waiting == dict.fromkeys(("A", "help", "acme", "bonn", "all"), 10)

    def test_until(self) -> None:
        """With a given end, waits and agents' time continue until then."""
        replay = Replay(CONFIGURATION)
        self.contact(replay)
        replay.add(event("agent.state_changed", 0, axis="activity", state="busy"), "agent")
        replay.add(event("agent.state_changed", 90, axis="activity", state="idle"), "agent")
        result = replay.finish(ms(600))

        assert result["as_of"] == format_ms(ms(600))
        # busy 90 s, idle 600 - 90 = 510 s
        assert result["totals"]["occupancy"] == {"value": 90 / 600, "numerator": 90, "denominator": 600, "coverage": 1}
        assert result["teams"]["red"]["occupancy"]["numerator"] == 90
        assert {each["longest_wait_seconds"] for each in result["now"] if each.get("waiting")} == {520}

    def test_channels_do_not_mix(self) -> None:
        """With two channels handled there is no common handle time, nor talk, hold or wrap-up time."""
        replay = Replay(CONFIGURATION)
        self.contact(replay)
        for value in (
            event("contact.queued", 0, queue="M", conversation_id="m"),
            event("contact.message", 50, author_kind="agent", conversation_id="m"),
            event("contact.status_changed", 60, status="closed", conversation_id="m"),
        ):
            replay.add(value, "contact")
        totals = replay.finish()["totals"]

        assert [totals[name]["value"] for name in ("att", "average_hold", "acw", "aht")] == [None] * 4
        assert [totals[name]["coverage"] for name in ("att", "average_hold", "acw", "aht")] == [None] * 4
        # 2 calls and 1 mail; mails are not abandoned: 0 of 2 calls.
        assert (totals["offered"]["value"], totals["abandon_rate"]["denominator"]) == (3, 2)

    def test_by_label(self) -> None:
        """Categories are reported by channel: 2 calls about returns in the end, one mail about invoices."""
        replay = Replay(CONFIGURATION)
        self.contact(replay)
        for whom, at, category in (("c1", 30, "sales"), ("c1", 40, "returns"), ("c2", 85, "returns")):
            replay.add(event("contact.categorized", at, category=category, conversation_id=whom), "contact")
        replay.add(event("contact.queued", 50, queue="M", category="invoices", conversation_id="m"), "contact")
        labels_by_channel = replay.finish()["by_label"]

        assert {
            channel: {label: each["value"] for label, each in labels["contacts_by_category"].items()}
            for channel, labels in labels_by_channel.items()
        } == {
            "voice": {"returns": 2},
            "mail": {"invoices": 1},
        }

    def test_bad_lines(self) -> None:
        """A line that cannot be used is reported with its location, and the others count."""
        replay = Replay(CONFIGURATION)
        replay.add(b"nonsense", "contact", origin="events.jsonl:7")
        self.contact(replay)
        result = replay.finish()

        (dead_letter,) = result["dead_letters"]
        assert (dead_letter["origin"], dead_letter["reason"], dead_letter["bytes"]) == ("events.jsonl:7", "invalid_json", "bm9uc2Vuc2U=")
        assert result["totals"]["offered"]["value"] == 2

    def test_nothing(self) -> None:
        """Without events there are no figures, and no error."""
        result = Replay(CONFIGURATION).finish()

        assert (result["as_of"], result["late_events"], result["dead_letters"], result["intervals"]) == (None, 0, [], [])

    def test_late_events(self) -> None:
        """Late events are counted and change nothing."""
        replay = Replay(CONFIGURATION)
        self.contact(replay)
        replay.add(event("contact.queued", 0, received=500, queue="A", conversation_id="late"), "contact")
        result = replay.finish()

        assert (result["late_events"], result["totals"]["offered"]["value"]) == (1, 2)
