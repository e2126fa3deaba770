"""What the roll-up publishes, and when; seconds count from 09:00:00, the trailing windows are those of the defaults."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration
from streams.windows.rollup import RollUp

START_MS = parse_time_ms("2026-06-15T09:00:00Z")
CONFIGURATION = Configuration.model_validate(
    {
        "sites": {"bonn": {"zone": "Europe/Berlin"}},
        "queues": {"A": {"site": "bonn"}, "strict": {"service_level": {"boundary": "lt", "version": 7}}},
    }
)

ANSWERED = {"offered": 1, "answered": 1, "answered_wait_ms": 5_000, "answered_wait_le_5000": 1}

Published = dict[str, dict[str, Any] | None]


def ms(seconds: float) -> int:
    """Return an instant."""
    return START_MS + round(seconds * 1000)


class Stream:
    """A roll-up of one contact and one agent partition, fed with their records."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self.rollup = RollUp(CONFIGURATION, 0, [("contacts", 0)], [("agents", 0)])
        self._start_ms = start_ms
        self.latest: dict[str, dict[str, Any]] = {}
        self.records: list[tuple[str, dict[str, Any] | None]] = []

    def slice(self, kind: str, seconds: float, counts: dict[str, int] | None, scope: str = "queue:A", channel: str = "voice") -> None:
        """Apply a slice that begins at a second; None expires it."""
        source, start = ("agents" if channel == "-" else "contacts"), self._start_ms + round(seconds * 1000)
        key = f"{kind}|{channel}|{source}|0|{start}|{scope}"
        self.rollup.apply(key, None if counts is None else {"counts": counts})

    def now(self, scope: str = "queue:A", *, since: tuple[float, ...] = (), in_progress: int = 0) -> None:
        """Apply a now record with the entries of waiting contacts in seconds."""
        waiting = [self._start_ms + round(seconds * 1000) for seconds in since]
        self.rollup.apply(f"now|voice|contacts|0|-|{scope}", {"waiting_since_ms": waiting, "in_progress": in_progress})

    def as_of(self, seconds: float, *, through: float | None = None) -> Published:
        """Set the progress of both partitions, and return what is published then."""
        at = self._start_ms + round(seconds * 1000)
        complete = at if through is None else self._start_ms + round(through * 1000)
        for source in ("contacts", "agents"):
            progress = {"progress_ms": complete, "received_through_ms": at, "sources": {"pbx": at}, "stale_sources": []}
            self.rollup.apply(f"progress|-|{source}|0|-|-", progress)
        return self.collect()

    def collect(self) -> Published:
        """Return what is published."""
        found: Published = {}
        for key, written in self.rollup.collect():
            record = None if written is None else orjson.loads(written)
            self.records.append((key, record))
            found[key] = record
            if record is None:
                self.latest.pop(key, None)
            else:
                self.latest[key] = record
        return found

    def kpi(self, name: str, key: str = "window|trailing_5m|voice|queue:A") -> tuple[float | None, ...]:
        """Return value, numerator and denominator of a KPI as it was published last."""
        figure = self.latest[key]["kpis"][name]
        return (figure["value"], figure["numerator"], figure["denominator"])


class TestChanges:
    """Only what changed is published."""

    def test_nothing_new(self) -> None:
        """A second flush without changes publishes nothing."""
        stream = Stream()
        stream.slice("pane", 0, ANSWERED)
        first = stream.as_of(9)

        assert "window|trailing_5m|voice|queue:A" in first
        assert stream.collect() == {}

    def test_only_progress(self) -> None:
        """When time passes without events, only the progress is published."""
        stream = Stream()
        stream.slice("pane", 0, ANSWERED)
        stream.as_of(9)

        assert set(stream.as_of(9.5)) == {"progress|0"}

    def test_only_the_window_that_a_pane_leaves(self) -> None:
        """At 09:05:05 the pane of 09:00:00 has left the last five minutes, and no other window has changed."""
        stream = Stream()
        stream.slice("pane", 0, ANSWERED)
        stream.as_of(9)

        assert set(stream.as_of(305)) == {"window|trailing_5m|voice|queue:A", "progress|0"}
        assert stream.kpi("answered") == (0, 0, None)
        assert stream.kpi("answered", "window|trailing_15m|voice|queue:A") == (1, 1, None)

    def test_a_wait_changes_windows_once_it_is_too_long(self) -> None:
        """Windows of a waiting contact do not change until 20 s are over: a met contact of one becomes one of two."""
        stream = Stream()
        stream.slice("pane", 0, ANSWERED)
        stream.now(since=(0,))
        stream.as_of(5)
        before, after = stream.as_of(19), stream.as_of(20.5)

        assert set(before) == {"progress|0"}
        assert "window|trailing_5m|voice|queue:A" in after
        assert stream.kpi("service_level_live") == (0.5, 1, 2)

    def test_the_same_slice_again(self) -> None:
        """A slice replaces the one before: read twice it counts once, and changes nothing."""
        stream = Stream()
        stream.slice("pane", 0, ANSWERED)
        stream.slice("pane", 0, ANSWERED)
        stream.as_of(9)
        stream.slice("pane", 0, ANSWERED)

        assert stream.kpi("answered") == (1, 1, None)
        assert stream.collect() == {}

    def test_revisions_grow(self) -> None:
        """Every record of a key has a higher revision than the one before."""
        stream = Stream()
        for number in range(1, 5):
            stream.slice("pane", 0, {"offered": number})
            stream.as_of(9)

        found = [record["revision"] for key, record in stream.records if key == "window|trailing_5m|voice|queue:A" and record]
        assert found == [1, 2, 3, 4]

    def test_nothing_is_published_again_after_a_restart(self) -> None:
        """A roll-up that knows what was published, and reads the same slices, publishes nothing; its next revision is the next number."""
        stream, after = Stream(), Stream()
        for each in (stream, after):
            each.slice("pane", 0, ANSWERED)
            each.slice("cohort", 0, ANSWERED)
            each.now(since=(3,))
        stream.as_of(9)
        for key, record in stream.latest.items():
            # As another version may have written it: the same figures in another order.
            after.rollup.restore_published(key, orjson.loads(orjson.dumps(record, option=orjson.OPT_SORT_KEYS)))

        assert stream.latest
        assert after.as_of(9) == {}
        after.slice("pane", 0, {"offered": 2})
        next_one = after.collect()["window|trailing_5m|voice|queue:A"]
        assert next_one is not None
        assert next_one["revision"] == 2
        after.slice("cohort", 0, {"offered": 2})
        interval = after.collect()[f"window|interval_15m|voice|queue:A|{START_MS}"]
        assert interval is not None
        assert (interval["revision"], interval["counts"]) == (2, {"offered": 2})

    @pytest.mark.parametrize("seconds", [60, 300])
    def test_nothing_is_published_again_though_time_has_passed(self, seconds: int) -> None:
        """The windows have moved on since they were published last: a roll-up that begins then has nothing to add to the live one."""
        stream, after = Stream(), Stream()
        for each in (stream, after):
            each.slice("pane", 0, ANSWERED)
            each.slice("pane", 0, {"idle_ms": 4_000}, "team:red", "-")
        stream.as_of(9)
        stream.as_of(seconds)
        for key, record in stream.latest.items():
            after.rollup.restore_published(key, orjson.loads(orjson.dumps(record)))

        assert after.as_of(seconds) == {}

    def test_an_equal_contact_takes_the_place_of_another(self) -> None:
        """One contact leaves the window as an equal one enters: the figures are the same, and nothing is published."""
        stream = Stream()
        stream.slice("pane", 0, ANSWERED)
        stream.slice("pane", 300, ANSWERED)
        stream.as_of(299)

        assert "window|trailing_5m|voice|queue:A" not in stream.as_of(300)
        assert stream.kpi("answered") == (1, 1, None)
        # The longer windows have both.
        assert stream.kpi("answered", "window|trailing_15m|voice|queue:A") == (2, 2, None)


class TestWindows:
    """Which contributions a window holds."""

    def test_the_end_of_a_trailing_window(self) -> None:
        """As of 09:05:09 the last five minutes are the panes from 09:00:10 on; the pane of 09:00:00 is out."""
        stream = Stream()
        for pane in (0, 10, 300):
            stream.slice("pane", pane, {"offered": 1})
        stream.as_of(300)
        # hi = 309.999 down to 300, + 10 = 310; 310 - 300 = 10.
        record = stream.latest["window|trailing_5m|voice|queue:A"]

        assert (record["window_start"], record["window_end"]) == (format_ms(ms(10)), format_ms(ms(310)))
        assert stream.kpi("offered") == (2, 2, None)
        assert stream.kpi("offered", "window|trailing_15m|voice|queue:A") == (3, 3, None)

    def test_it_empties_with_time(self) -> None:
        """With time alone, a contact leaves the last five minutes."""
        stream = Stream()
        stream.slice("pane", 0, {"offered": 1})
        stream.as_of(299.999)
        still = stream.kpi("offered")
        stream.as_of(300)

        assert (still, stream.kpi("offered")) == ((1, 1, None), (0, 0, None))

    def test_people_wait_for_progress(self) -> None:
        """Windows of agents end at the progress of the agent partitions: their time is booked no further."""
        stream = Stream()
        stream.slice("pane", 0, {"handling_ms": 6_000, "idle_ms": 2_000}, "team:red", "-")
        stream.slice("pane", 10, {"handling_ms": 10_000}, "team:red", "-")
        stream.as_of(25, through=19.999)
        record = stream.latest["window|trailing_5m|-|team:red"]

        # hi = 19.999 down to 10: only the pane of 0 s: 6 of 8 s.
        assert record["window_end"] == format_ms(ms(10))
        assert stream.kpi("occupancy", "window|trailing_5m|-|team:red") == (0.75, 6, 8)

    def test_two_cells_make_a_half_hour(self) -> None:
        """A half hour and the day sum their cells; each quarter has its own."""
        stream = Stream()
        stream.slice("cohort", 0, {"offered": 1})
        stream.slice("cohort", 900, {"offered": 2})
        stream.as_of(1_000)

        assert stream.kpi("offered", f"window|interval_15m|voice|queue:A|{ms(0)}") == (1, 1, None)
        assert stream.kpi("offered", f"window|interval_15m|voice|queue:A|{ms(900)}") == (2, 2, None)
        assert stream.kpi("offered", f"window|interval_30m|voice|queue:A|{ms(0)}") == (3, 3, None)
        # Midnight in Berlin is 22:00 UTC of the day before, 11 hours earlier.
        assert stream.kpi("offered", f"window|day|voice|queue:A|{ms(-11 * 3_600)}") == (3, 3, None)

    @pytest.mark.parametrize("published_at", [-60, 60])
    def test_a_forecast_of_later_in_an_interval(self, published_at: float) -> None:
        """A forecast from 09:15 on is in the half-hour from 09:00 once that begins, whether it is set a minute before or after."""
        stream = Stream()
        stream.as_of(published_at)
        stream.slice("cohort", 900, {"forecasts": 1, "forecast_milli": 4_000})
        before = stream.as_of(published_at + 1)
        stream.as_of(100)

        half_hour = f"window|interval_30m|voice|queue:A|{START_MS}"
        assert (half_hour in before) == (published_at > 0)
        assert stream.kpi("forecast_contacts", half_hour)[0] == 4
        assert f"window|interval_15m|voice|queue:A|{ms(900)}" not in stream.latest
        stream.as_of(900)
        assert stream.kpi("forecast_contacts", f"window|interval_15m|voice|queue:A|{ms(900)}")[0] == 4

    def test_midnight(self) -> None:
        """A contact offered before midnight counts in that day, whenever it is answered; the next day begins empty."""
        midnight = parse_time_ms("2026-06-15T22:00:00Z")  # 00:00 in Berlin
        stream = Stream(midnight)
        stream.slice("cohort", -900, ANSWERED)
        stream.slice("cohort", 0, {"offered": 1})
        stream.slice("pane", 0, {"answered": 1})
        stream.as_of(10)

        old, new = (f"window|day|voice|queue:A|{start}" for start in (midnight - 24 * 3_600_000, midnight))
        assert (stream.kpi("offered", old), stream.kpi("answered", old)) == ((1, 1, None), (1, 1, None))
        assert (stream.kpi("offered", new), stream.kpi("answered", new)) == ((1, 1, None), (0, 0, None))
        assert stream.kpi("answered") == (1, 1, None)

    def test_a_dropped_slice_changes_nothing(self) -> None:
        """Tombstones make room at the source; what was counted stays counted."""
        stream = Stream()
        stream.slice("cohort", 0, ANSWERED)
        stream.as_of(9)
        stream.slice("cohort", 0, None)

        assert stream.collect() == {}
        assert stream.kpi("offered", f"window|interval_15m|voice|queue:A|{ms(0)}") == (1, 1, None)


class TestFinal:
    """When a window is final."""

    KEY = f"window|interval_15m|voice|queue:A|{START_MS}"

    @pytest.mark.parametrize(
        ("counts", "final"),
        [
            ({"offered": 1, "answered": 1, "handled": 1}, True),
            ({"offered": 2, "answered": 1, "abandoned": 1, "handled": 1}, True),
            ({"offered": 2, "answered": 1, "flow_out_overflow": 1, "handled": 1}, True),
            # One still waits.
            ({"offered": 2, "answered": 1, "handled": 1}, False),
            # One is still being talked to.
            ({"offered": 1, "answered": 1}, False),
        ],
    )
    def test_once_all_is_decided(self, counts: dict[str, int], final: bool) -> None:
        """Everything offered is decided, everything answered handled, and grace and rejoin are over."""
        stream = Stream()
        stream.slice("cohort", 0, counts)
        # The quarter ends at 900; 900 + 120 + 60 = 1080.
        stream.as_of(1_079.999)
        before = stream.latest[self.KEY]["final"]
        stream.as_of(1_200)

        assert not before
        assert stream.latest[self.KEY]["final"] is final

    def test_not_while_a_source_is_behind(self) -> None:
        """What is complete decides, not what has been received."""
        stream = Stream()
        stream.slice("cohort", 0, {"offered": 1, "answered": 1, "handled": 1})
        stream.as_of(5_000, through=1_000)

        assert not stream.latest[self.KEY]["final"]

    def test_trailing_windows_are_never_final(self) -> None:
        """They move."""
        stream = Stream()
        stream.slice("pane", 0, {"offered": 1, "answered": 1, "handled": 1})
        stream.as_of(200_000)

        assert not stream.latest["window|trailing_5m|voice|queue:A"]["final"]

    def test_old_windows_are_deleted(self) -> None:
        """Three days later an interval is deleted from the latest records."""
        stream = Stream()
        stream.slice("cohort", 0, {"offered": 1, "answered": 1, "handled": 1})
        stream.as_of(1_200)
        there = self.KEY in stream.latest
        # Revised until 50 h + 120 s + 60 s behind its start, and served a day more: 74 h + 180 s.
        stream.as_of(74 * 3_600 + 180)
        still = self.KEY in stream.latest
        gone = stream.as_of(74 * 3_600 + 300)

        assert (there, still) == (True, True)
        assert gone[self.KEY] is None
        assert len(stream.rollup.scopes["queue:A", "voice"].cells) == 0


class TestNow:
    """Figures of now, and the live service level."""

    def test_waiting(self) -> None:
        """Who waits, since when, and for how long as of now."""
        stream = Stream()
        stream.now(since=(3, 10), in_progress=2)
        stream.as_of(15)
        record = stream.latest["now|voice|queue:A"]

        assert (record["waiting"], record["in_progress"]) == (2, 2)
        assert (record["waiting_since"], record["longest_wait_seconds"]) == (format_ms(ms(3)), 12)

    def test_no_contact_waits(self) -> None:
        """Then there is no longest wait."""
        stream = Stream()
        stream.now(since=(3,))
        stream.as_of(5)
        stream.now()
        stream.as_of(6)
        record = stream.latest["now|voice|queue:A"]

        assert (record["waiting"], record["waiting_since"], record["longest_wait_seconds"]) == (0, None, None)

    @pytest.mark.parametrize(
        ("scope", "as_of", "live"),
        [
            # Waiting since 10 with a threshold of 20 s: at 30.000 the wait is exactly the threshold.
            ("queue:A", 30, (1, 1, 1)),
            ("queue:A", 30.001, (0.5, 1, 2)),
            # With lt the threshold itself is a miss.
            ("queue:strict", 29.999, (1, 1, 1)),
            ("queue:strict", 30, (0.5, 1, 2)),
        ],
    )
    def test_live_service_level(self, scope: str, as_of: float, live: tuple[float, int, int]) -> None:
        """With time a waiting contact becomes a miss, without any event of its own."""
        stream = Stream()
        stream.slice("pane", 0, {"answered": 1, "answered_wait_le_5000": 1}, scope)
        stream.now(scope, since=(10,))
        stream.as_of(12)
        key = f"window|trailing_5m|voice|{scope}"
        before = stream.kpi("service_level_live", key)
        stream.as_of(as_of)

        assert [before, stream.kpi("service_level_live", key), stream.kpi("service_level", key)] == [(1, 1, 1), live, (1, 1, 1)]

    def test_the_definition_is_named(self) -> None:
        """Every record names its definition."""
        stream = Stream()
        for scope in ("queue:A", "queue:strict"):
            stream.slice("pane", 0, ANSWERED, scope)
        stream.as_of(9)

        named = [stream.latest[f"window|trailing_5m|voice|{scope}"]["definitions"] for scope in ("queue:A", "queue:strict")]
        kpis = ("service_level", "service_level_live", "asa", "aht", "average_hold", "csat_top2", "first_contact_resolution")
        assert named == [dict.fromkeys(kpis, "service_level@1"), dict.fromkeys(kpis, "service_level@7")]

    def test_people_of_two_partitions(self) -> None:
        """People in a state are summed over the partitions that know of them."""
        stream = Stream()
        for partition, agents in ((0, {"idle": 2}), (1, {"idle": 1, "handling": 4})):
            stream.rollup.apply(f"now|-|agents|{partition}|-|team:red", {"agents_by_state": agents})
        stream.as_of(5)

        assert stream.latest["now|-|team:red"]["agents_by_state"] == {"handling": 4, "idle": 3}


class TestProgress:
    """Records of progress."""

    def test_a_partition_without_progress(self) -> None:
        """While one partition is silent nothing is complete, but figures are as of what has come."""
        stream = Stream()
        progress = {"progress_ms": ms(5), "received_through_ms": ms(9), "sources": {"pbx": ms(9)}, "stale_sources": []}
        stream.rollup.apply("progress|-|contacts|0|-|-", progress)
        record = stream.collect()["progress|0"]

        assert record is not None
        assert (record["as_of"], record["complete_through"]) == (format_ms(ms(9)), None)

    def test_a_source_is_stale_only_if_no_partition_receives_it(self) -> None:
        """A source that one partition still receives is not stale."""
        stream = Stream()
        for number, stale in ((0, ["crm", "pbx"]), (1, ["crm"])):
            stream.rollup.apply(
                f"progress|-|contacts|{number}|-|-",
                {"progress_ms": None, "received_through_ms": ms(9), "sources": {"pbx": ms(number), "crm": ms(0)}, "stale_sources": stale},
            )
        record = stream.collect()["progress|0"]

        assert record is not None
        assert (record["stale_sources"], record["sources"]) == (["crm"], {"crm": format_ms(ms(0)), "pbx": format_ms(ms(1))})

    def test_a_quarantined_source_is_listed_once(self) -> None:
        """Since when and why where it began first, on how many partitions, and how many records in all; once released, of none any more."""
        stream = Stream()
        nothing = {"progress_ms": ms(9), "received_through_ms": ms(9), "sources": {}, "stale_sources": []}
        for topic, number, reason, second in (
            ("contacts", 0, "operator", 5),
            ("contacts", 1, "bad_records", 3),
            ("orders", 0, "late_records", 7),
        ):
            quarantined = {"bot": {"reason": reason, "since_ms": ms(second), "records": 10 + second}}
            stream.rollup.apply(f"progress|-|{topic}|{number}|-|-", {**nothing, "quarantined_sources": quarantined})
        record = stream.collect()["progress|0"]

        assert record is not None
        assert record["quarantined_sources"] == {
            "bot": {"reason": "bad_records", "since": format_ms(ms(3)), "partitions": 3, "records": 45},
        }
        for topic, number in (("contacts", 0), ("contacts", 1), ("orders", 0)):
            stream.rollup.apply(f"progress|-|{topic}|{number}|-|-", nothing)
        record = stream.collect()["progress|0"]
        assert record is not None
        assert "quarantined_sources" not in record
