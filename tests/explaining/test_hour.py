"""Which contacts are behind the figures of a morning made by hand, from a file; all expectations are by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.cli import main
from tests.explaining.hour import CONFIGURATION, EVENTS, event, jsonl

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = "support 窓口"


class Center:
    """A folder with events and configuration, and the command run on them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys
        self.write(EVENTS)
        (folder / "center.yaml").write_text(CONFIGURATION, encoding="utf-8")

    def write(self, events: list[dict[str, Any]]) -> None:
        """Have other events in the file."""
        (self._folder / "events.jsonl").write_bytes(jsonl(events))

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run the command; it has to end with this code."""
        files = ["--replay", str(self._folder / "events.jsonl"), "--config", str(self._folder / "center.yaml")]
        ended = main(["explain", *arguments, *files])
        output = self._capsys.readouterr()
        assert ended == code, output
        return output.out or output.err

    def document(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Return what the command answers as JSON."""
        document: dict[str, Any] = orjson.loads(self.run(*arguments, "--json", code=code))
        return document


@pytest.fixture
def center(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Center:
    """The morning in a folder."""
    return Center(tmp_path, capsys)


def parts(document: dict[str, Any]) -> dict[str, tuple[float, list[str]]]:
    """Return the parts of an answer: amount and conversations."""
    return {each["part"]: (each["amount"], each["listed"]) for each in document["parts"]}


def test_service_level_by_outcome(center: Center) -> None:
    """In the five minutes to 09:05:10 one of three was answered in time; the callback counts nowhere, who still waits has no outcome."""
    found = center.document(QUEUE, "service_level", "--window", "trailing_5m")

    assert (found["window_start"], found["window_end"]) == ("2026-03-02T09:00:10.000Z", "2026-03-02T09:05:10.000Z")
    assert (found["value"], found["numerator"], found["denominator"], found["coverage"]) == (1 / 3, 1, 3, 1)
    assert parts(found) == {
        "answered_met": (1, ["met"]),
        "answered_missed": (1, ["late"]),
        "abandoned_missed": (1, ["gone"]),
        "flow_out_callback_not_counted": (1, ["back"]),
        "undecided": (1, ["here"]),
    }
    assert found["definition"] == "service_level@1"
    assert found["agrees"] is True
    assert found["served"] == {name: found[name] for name in ("value", "numerator", "denominator", "coverage")}


def test_live_names_who_still_waits(center: Center) -> None:
    """Who has waited beyond the threshold makes the denominator of the live level larger, and is named."""
    found = center.document(QUEUE, "service_level_live", "--window", "trailing_5m")

    assert (found["numerator"], found["denominator"]) == (1, 4)
    assert found["waiting_past_threshold"]["listed"] == ["here"]
    assert found["agrees"] is True


def test_by_offer_and_means(center: Center) -> None:
    """The interval holds all five, whenever they were answered; a mean has its seconds and its contacts, the longest first."""
    found = center.document(QUEUE, "answer_rate", "--window", "interval_30m", "--at", "2026-03-02T09:10:00Z")
    assert (found["window_start"], found["numerator"], found["denominator"], found["coverage"]) == ("2026-03-02T09:00:00.000Z", 2, 5, 0.8)
    assert parts(found) == {
        "answered": (2, ["late", "met"]),
        "abandoned": (1, ["gone"]),
        "flow_out_callback": (1, ["back"]),
        "undecided": (1, ["here"]),
    }
    found = center.document(QUEUE, "asa", "--window", "day")
    assert (found["value"], found["numerator"], found["denominator"]) == (20, 40, 2)
    assert parts(found) == {"numerator": (40, ["late", "met"]), "denominator": (2, ["late", "met"])}
    assert found["agrees"] is True
    assert parts(center.document(QUEUE, "offered", "--window", "day", "--limit", "2")) == {"counted": (5, ["back", "gone"])}


def test_the_records_are_named(center: Center) -> None:
    """By partition, from the first to the last: of a file, by the number of the event."""
    found = center.document(QUEUE, "abandoned", "--window", "trailing_5m")

    assert found["records"] == [{"partition": 0, "first_offset": 1, "last_offset": 13, "records": 11}]


def test_what_is_excluded_or_late_is_behind_nothing(center: Center) -> None:
    """An exclusion takes a contact out of everything; an event received after the grace changes no figure, and is counted as late."""
    late = event("contact.queued", "09:03:30", "tardy", queue=QUEUE) | {"received_at": "2026-03-02T09:06:00.000Z"}
    center.write([*EVENTS, event("contact.excluded", "09:05:00", "here", reason="test"), late])
    found = center.document(QUEUE, "service_level", "--window", "day")

    assert parts(found) == {
        "answered_met": (1, ["met"]),
        "answered_missed": (1, ["late"]),
        "abandoned_missed": (1, ["gone"]),
        "flow_out_callback_not_counted": (1, ["back"]),
    }
    assert found["late_events"] == 1
    assert found["agrees"] is True


@pytest.mark.parametrize(("kpi", "value"), [("offered", 6), ("answered", 6), ("asa", 10)])
def test_what_is_over_before_it_was_looked_at(center: Center, kpi: str, value: int) -> None:
    """Six contacts of a day of which nothing is remembered after the one event of the next evening: they are behind its figures still."""
    events = []
    for number in range(6):
        common = {"contact": f"c{number}", "queue": QUEUE}
        events += [
            event("contact.queued", f"09:{number:02}:00", **common),
            event("contact.answered", f"09:{number:02}:10", **common, agent="ann"),
            event("contact.ended", f"09:{number:02}:40", f"c{number}", by="customer"),
        ]
    next_evening = "2026-03-03T14:00:00.000Z"
    center.write(
        [*events, event("contact.queued", "14:00:00", "next", queue=QUEUE) | {"occurred_at": next_evening, "received_at": next_evening}]
    )
    found = center.document(QUEUE, kpi, "--window", "day", "--at", "2026-03-02T12:00:00Z")

    assert found["agrees"] is True
    assert (found["served"]["value"], found["value"]) == (value, value)
    assert found["parts"][0]["listed"] == [f"c{number}" for number in range(6)]


def test_people_read_it(center: Center) -> None:
    """Lines in English and Japanese: figure with its parts, formula, definition, contacts, verdict."""
    output = center.run(QUEUE, "service_level", "--window", "trailing_5m", "--limit", "1").splitlines()
    assert output[0] == "service level, support 窓口 (voice), trailing_5m: 0.3333 = 1 ÷ 3"
    assert "  definition: service_level@1" in output
    assert ["answered,", "met", "1", "met"] in [line.split() for line in output]
    assert output[-1] == "  the contacts add up to the served figure"
    output = center.run(QUEUE, "service_level", "--window", "trailing_5m", "--lang", "ja").splitlines()
    assert output[0] == "サービスレベル, support 窓口 (voice), trailing_5m: 0.3333 = 1 ÷ 3"
    assert output[-1] == "  内訳の合計は提供値と一致"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((QUEUE, "servicelevel"), "unknown kpi 'servicelevel'; permitted: offered,"),
        ((QUEUE, "occupancy"), "it is about people; permitted: offered,"),
        ((QUEUE, "waiting"), "it is a figure of now; permitted: offered,"),
        ((QUEUE, "offered", "--window", "hour"), "no window is named 'hour'"),
        ((QUEUE, "service_level_live", "--window", "day"), "service_level_live is not served for day"),
        (("suport", "offered"), "nothing is known of a queue 'suport'; configured: support 窓口, other"),
        ((QUEUE, "offered", "--channel", "mail"), "no figure of trailing_15m is served for support 窓口 (mail)"),
    ],
)
def test_questions_without_an_answer(center: Center, arguments: tuple[str, ...], complaint: str) -> None:
    """The error states what is wrong with a question, and what is permitted."""
    assert complaint in center.run(*arguments, code=2)
