"""Which events of a conversation counted nothing, and why; all expectations are by hand, from ``docs/counting.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.cli import main
from tests.explaining.hour import CONFIGURATION, event, jsonl

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = "support 窓口"

_REPEATED = event("contact.queued", "09:00:10", "c", queue=QUEUE)
#: The event, and the reason why it counts nothing, if it does not. It is known where "c" is from its entry on.
EVENTS: tuple[tuple[dict[str, Any], str | None], ...] = (
    (event("contact.callback_requested", "08:59:59", "c"), "no_begin"),
    (event("contact.work_ended", "09:00:00", "c", agent="ann"), "no_begin"),
    (event("contact.left_queue", "09:00:01", "c", reason="abandoned"), "no_visit"),
    (event("contact.held", "09:00:02", "c"), "no_leg"),
    (event("contact.offer_ended", "09:00:03", "c", agent="ann", outcome="no_answer"), "no_queue"),
    (_REPEATED, None),
    (_REPEATED | {"received_at": "2026-03-02T09:00:11.000Z"}, "repeated"),
    (event("contact.answered", "09:00:20", "c", agent="ann"), None),
    (event("contact.answered", "09:00:30", "c", contact_id="asked", relation="consult", agent="bob"), "consultation"),
    (event("contact.held", "09:00:40", "c", contact_id="asked"), "consultation"),
    (event("contact.held", "09:00:50", "c", agent="bob"), "no_leg"),
    (event("contact.held", "09:00:55", "c", agent="ann"), None),
    (event("contact.held", "09:01:00", "another"), "no_leg"),
    (event("contact.ended", "09:02:00", "c", by="agent"), None),
    (event("contact.resumed", "09:02:10", "c", agent="ann"), "no_leg"),
    (event("contact.resumed", "09:01:10", "c") | {"received_at": "2026-03-02T09:30:00.000Z"}, "late"),
)


class Center:
    """A folder with a file of events, and the command run on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._file, self._settings, self._capsys = folder / "events.jsonl", folder / "center.yaml", capsys
        self._settings.write_text(CONFIGURATION, encoding="utf-8")
        self.write([each for each, _ in EVENTS])

    def write(self, events: list[dict[str, Any]]) -> None:
        """Have other events in the file."""
        self._file.write_bytes(jsonl(events))

    def run(self, *arguments: str, code: int = 0, command: str = "explain") -> str:
        """Run the command; it has to end with this code."""
        files = [*(["--replay"] if command == "explain" else []), str(self._file), "--config", str(self._settings)]
        ended = main([command, *arguments, *files])
        output = self._capsys.readouterr()
        assert ended == code, output
        return output.out or output.err


@pytest.fixture
def center(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Center:
    """The events in a folder."""
    return Center(tmp_path, capsys)


def parsed(text: str) -> dict[str, Any]:
    """Return the document."""
    document: dict[str, Any] = orjson.loads(text)
    return document


def test_each_event_that_counted_nothing_has_its_reason(center: Center) -> None:
    """In the order in which they occurred, with the number of each in the file; other conversations are left out."""
    found = parsed(center.run("c", "--json"))

    mine = [(number, each, why) for number, (each, why) in enumerate(EVENTS, 1) if each["conversation_id"] == "c"]
    expected = [(each["occurred_at"], number, each["type"], why) for number, each, why in mine if why is not None]
    assert [(each["occurred_at"], each["offset"], each["type"], each["reason"]) for each in found["listed"]] == sorted(expected)
    assert (found["events"], found["counted_nothing"], found["not_listed"]) == (15, 11, 0)
    assert found["read"]["records"] == 16
    assert parsed(center.run("c", "--json", "--limit", "2"))["not_listed"] == 9


def test_the_reasons_are_those_of_the_figure(center: Center) -> None:
    """What the figure counts by reason is found in the conversations, one by one."""
    output = next(line for line in center.run("--connector", "canonical", command="replay").splitlines() if "counted nothing" in line)

    found = [each["reason"] for name in ("c", "another") for each in parsed(center.run(name, "--json"))["listed"]]
    by_hand = {"no_leg": 4, "no_begin": 2, "no_visit": 1, "no_queue": 1}
    assert {why: found.count(why) for why in by_hand} == by_hand
    assert output.startswith("8 events counted nothing: ")
    assert all(f" {number} {why}" in output for why, number in by_hand.items())


def test_in_both_languages(center: Center) -> None:
    """A line each, with its record."""
    english = center.run("another").splitlines()
    assert english[0] == "another (events: 1): 1 counted nothing"
    assert english[1].startswith("  2026-03-02T09:01:00.000Z  contact.held  no_leg: no agent's share matches it (another-contact.held")
    japanese = center.run("another", "--lang", "ja").splitlines()
    assert japanese[0] == "another (イベント1件): 集計なし1件"
    assert "no_leg: 該当する応対なし" in japanese[1]
    for lang in ("en", "ja"):
        assert all(f" {why}: " in center.run("c", "--lang", lang) for _, why in EVENTS if why is not None)


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (event("contact.excluded", "09:00:30", "c", reason="test"), "excluded"),
        (event("contact.arrived", "09:00:30", "c", channel="voice", direction="internal"), "not_inbound"),
    ],
)
def test_what_takes_all_of_a_conversation_out(center: Center, last: dict[str, Any], reason: str) -> None:
    """Each event before it counts nothing; an exclusion itself is counted as one."""
    center.write([event("contact.queued", "09:00:00", "c", queue=QUEUE), event("contact.answered", "09:00:10", "c", agent="ann"), last])
    found = parsed(center.run("c", "--json"))

    assert [each["reason"] for each in found["listed"]] == [reason] * (2 if reason == "excluded" else 3)


def test_what_is_not_there_or_does_not_fit_is_said(center: Center) -> None:
    """A queue without a KPI is none of the conversations; what only figures have is refused."""
    assert "no event of a conversation 'support 窓口' was read" in center.run(QUEUE, code=2)
    assert "--channel goes with QUEUE and KPI" in center.run("c", "--channel", "voice", code=2)
