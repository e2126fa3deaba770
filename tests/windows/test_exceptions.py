"""Calendar exceptions on intervals and days, by hand: a typhoon from 13:00 to 13:40 in Tokyo, which is 04:00 to 04:40 UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.agent import AgentModel, AgentStateChanged
from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.replay import Replay
from streams.windows.exceptions import Exceptions
from tests.oracle.reporting import call, report

if TYPE_CHECKING:
    from schemas.base import Event

TYPHOON = {"name": "Typhoon 台風", "kind": "closed", "from": "2026-06-15T13:00", "to": "2026-06-15T13:40", "sites": ["tokyo"]}
NOON = "2026-06-15T03:00:00Z"


def replayed(*exceptions: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the latest records of calls at 12:05, 13:05 (abandoned), 13:42 and 14:05 in Tokyo, and one at 13:05 in another queue."""
    center = {
        "default_zone": "Asia/Tokyo",
        "sites": {"tokyo": {"zone": "Asia/Tokyo"}},
        "queues": {"A": {"site": "tokyo", "department": "help"}, "B": {"department": "help"}},
        "teams": {"red": {"site": "tokyo"}, "blue": {}},
        "calendar_exceptions": list(exceptions),
    }
    events: list[Event] = [
        *_at(5, "c1", "A"),
        *_at(65, "c2", "A", given_up=True),
        *_at(65, "c3", "B"),
        *_at(102, "c4", "A"),
        *_at(125, "c5", "A"),
        report(AgentStateChanged, 0, "ann", start=NOON, axis="activity", state="on call", team="red"),
        report(AgentStateChanged, 7200, "ann", start=NOON, axis="presence", state="offline", team="red"),
        report(AgentStateChanged, 7300, "bob", start=NOON, axis="activity", state="idle", team="blue"),
    ]
    replay = Replay(Configuration.model_validate(center))
    for each in events:
        replay.add(each.model_dump_json(exclude_none=True).encode(), "agent" if isinstance(each, AgentModel) else "contact")
    replay.finish()
    return replay.latest


def _at(minutes: int, whom: str, queue: str, *, given_up: bool = False) -> list[Event]:
    # ``call`` begins at 07:00 UTC, four hours after noon in Tokyo.
    return call(whom, 10, queue, given_up=given_up, at=60 * minutes - 4 * 3600)


def day(records: dict[str, dict[str, Any]], of: str) -> dict[str, Any]:
    """Return the record of 15 June in Tokyo."""
    return records[f"window|day|{of}|{parse_time_ms('2026-06-14T15:00:00Z')}"]


def marked(records: dict[str, dict[str, Any]], of: str) -> dict[str, list[str] | None]:
    """Return the marks of the intervals of 15 minutes by their begins in UTC."""
    prefix = f"window|interval_15m|{of}|"
    found = sorted((int(key.removeprefix(prefix)), record) for key, record in records.items() if key.startswith(prefix))
    return {record["window_start"][11:16]: record.get("exceptions") for _, record in found}


class TestMarks:
    """Records that a calendar exception affects."""

    def test_intervals(self) -> None:
        """All intervals that it overlaps, also the last one by 10 minutes; not those before and after."""
        found = marked(replayed(TYPHOON), "voice|queue:A")

        assert found == {"03:00": None, "04:00": ["Typhoon 台風"], "04:30": ["Typhoon 台風"], "05:00": None}

    def test_scopes(self) -> None:
        """The site, its queue and team, what the queue belongs to and the total; not a queue or a team elsewhere."""
        records = replayed(TYPHOON)
        of = ("voice|queue:A", "voice|site:tokyo", "voice|department:help", "voice|total:all", "-|team:red", "-|site:tokyo", "-|total:all")

        assert [day(records, each).get("exceptions") for each in of] == [["Typhoon 台風"]] * len(of)
        assert [day(records, each).get("exceptions") for each in ("voice|queue:B", "-|team:blue")] == [None, None]

    def test_single_people(self) -> None:
        """Agents who work at the site by the configuration, by themselves or by their team."""
        people = {"ann": {"team": "red"}, "bob": {"site": "tokyo"}, "cy": {"team": "blue"}}
        center = {"sites": {"tokyo": {"zone": "Asia/Tokyo"}}, "teams": {"red": {"site": "tokyo"}, "blue": {}}, "people": people}
        exceptions = Exceptions(Configuration.model_validate({**center, "calendar_exceptions": [TYPHOON]}))

        assert [len(exceptions.of(f"agent:{name}", about_people=True)) for name in ("ann", "bob", "cy")] == [1, 1, 0]

    def test_several(self) -> None:
        """In order of their start; one without an end stays open, and one without sites applies everywhere."""
        outage = {"name": "carrier", "kind": "outage", "from": "2026-06-15T12:10"}
        found = replayed(TYPHOON, outage)

        assert marked(found, "voice|queue:A") == {
            "03:00": ["carrier"],
            "04:00": ["carrier", "Typhoon 台風"],
            "04:30": ["carrier", "Typhoon 台風"],
            "05:00": ["carrier"],
        }
        assert marked(found, "voice|queue:B") == {"04:00": ["carrier"]}

    def test_without_any(self) -> None:
        """Records have no exceptions."""
        records = replayed()

        assert not any("exceptions" in record or "without_exceptions" in record for record in records.values())


class TestWithAndWithout:
    """The figures of a day, with all of it and without what the exception touches."""

    def test_contacts(self) -> None:
        """Four offered and one abandoned; without the typhoon's cells 13:00, 13:15 and 13:30 two, both answered."""
        of_queue = day(replayed(TYPHOON), "voice|queue:A")
        kpis, without = of_queue["kpis"], of_queue["without_exceptions"]["kpis"]

        assert [kpis[name]["value"] for name in ("offered", "answered", "abandoned", "answer_rate")] == [4, 3, 1, 3 / 4]
        assert [without[name]["value"] for name in ("offered", "answered", "abandoned", "answer_rate")] == [2, 2, 0, 1]
        assert without.keys() == kpis.keys()

    def test_people(self) -> None:
        """Two hours of handling, of which 75 minutes are in cells that it does not touch."""
        of_team = day(replayed(TYPHOON), "-|team:red")

        assert of_team["kpis"]["occupancy"]["numerator"] == 120 * 60
        assert of_team["without_exceptions"]["kpis"]["occupancy"]["numerator"] == 75 * 60

    def test_nothing_is_left(self) -> None:
        """A day that is an exception from its begin to its end is null without it, beside 0 of 0."""
        whole = {"name": "strike", "kind": "closed", "from": "2026-06-15T00:00", "to": "2026-06-16T00:00", "queues": ["B"]}
        rate = day(replayed(whole), "voice|queue:B")["without_exceptions"]["kpis"]["answer_rate"]

        assert (rate["value"], rate["numerator"], rate["denominator"]) == (None, 0, 0)
