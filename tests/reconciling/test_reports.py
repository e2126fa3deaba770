"""Hand-made reports beside hand-made events: each gap with its cause, and the errors of unreadable reports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from streams.cli import main
from tests.explaining.hour import event, jsonl
from tests.serving.records import Backend, client_of, figure, window

if TYPE_CHECKING:
    from pathlib import Path

QUEUE = "support 窓口"

CONFIGURATION = """
service_level: {threshold_s: 20}
queues:
  support 窓口: {channel: voice}
"""


def call(name: str, entered: str, answered: str, ended: str, **more: Any) -> list[dict[str, Any]]:
    """Return a call that was answered."""
    return [
        event("contact.queued", entered, name, queue=QUEUE),
        event("contact.answered", answered, name, agent="ann", **more),
        event("contact.ended", ended, name, by="customer"),
    ]


#: From 09:00: answered after 10 s (of which alone hold is known: 30 s), after 40 s, and after 15 s in the next interval; abandoned after
#: 15 s; sent to voicemail; one excluded as a test. From 09:30: answered after 5 s; another that was reported five minutes too late.
#: From 10:00: answered after 5 s.
EVENTS = [
    *call("a1", "09:01:00", "09:01:10", "09:05:00", reports=["hold"]),
    event("contact.held", "09:02:00", "a1"),
    event("contact.resumed", "09:02:30", "a1"),
    *call("a2", "09:02:00", "09:02:40", "09:06:00"),
    event("contact.queued", "09:03:00", "a3", queue=QUEUE),
    event("contact.left_queue", "09:03:15", "a3", reason="abandoned"),
    event("contact.queued", "09:04:00", "a4", queue=QUEUE),
    event("contact.left_queue", "09:04:30", "a4", reason="voicemail"),
    *call("x1", "09:10:00", "09:10:05", "09:10:06"),
    event("contact.excluded", "09:10:08", "x1", reason="test"),
    *call("a5", "09:29:50", "09:30:05", "09:40:00"),
    *call("b1", "09:31:00", "09:31:05", "09:33:00"),
    *[each | {"received_at": "2026-03-02T09:40:00.000Z"} for each in call("b2", "09:35:00", "09:35:10", "09:36:00")],
    *call("c1", "10:01:00", "10:01:05", "10:02:00"),
]


class Desk:
    """Events and configuration in a folder, and the command run on reports."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        (folder / "events.jsonl").write_bytes(jsonl(EVENTS))
        (folder / "center.yaml").write_text(CONFIGURATION, encoding="utf-8")

    def run(self, report: str | bytes, *arguments: str, code: int = 0) -> str:
        """Reconcile a report with the events; the command has to end with this code."""
        path = self.folder / "report.csv"
        path.write_bytes(report.encode() if isinstance(report, str) else report)
        if "--url" not in arguments:
            arguments = (*arguments, "--replay", str(self.folder / "events.jsonl"))
        ended = main(["reconcile", str(path), "--config", str(self.folder / "center.yaml"), *arguments])
        output = self._capsys.readouterr()
        assert ended == code, output
        return output.out or output.err

    def gaps(self, report: str, *arguments: str, code: int = 0) -> list[tuple[str, str, str, str]]:
        """Return the gaps: begin of the interval, figure, cause, detail."""
        document = orjson.loads(self.run(report, *arguments, "--json", code=code))
        return [(each["start"][11:16], each["kpi"], each["cause"], each["detail"]) for each in document["gaps"]]


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """The morning on a desk."""
    return Desk(tmp_path, capsys)


def report(columns: str, *rows: str) -> str:
    """Return a report of the queue in the generic layout: rows begin with the time."""
    lines = "".join(f"{QUEUE},2026-03-02 {row}\n" for row in rows)
    return f"queue,interval_start,zone,{columns}\n{lines}"


def test_equal(desk: Desk) -> None:
    """Five offered, three of them answered, one abandoned; two of four in time; 65 s of waiting by three: nothing to explain."""
    output = desk.run(report("offered,answered,abandoned,service_level,asa", "09:00,UTC,5,3,1,50 %,21.7", "09:30,UTC,1,1,0,1,5"))

    assert output == "10 figures compared, 10 equal\n"


def test_rounding(desk: Desk) -> None:
    """65 ÷ 3 = 21.67 cut to 21.6."""
    assert desk.gaps(report("asa", "09:00,UTC,21.6")) == [("09:00", "asa", "rounding", "within one of its last digit")]


def test_definition(desk: Desk) -> None:
    """Two of the three answered alone, as Asterisk, Wazo and Cisco's "only handled" have it; with the voicemail, two of five."""
    ((_, _, cause, detail),) = desk.gaps(report("offered,answered,abandoned,service_level", "09:00,UTC,5,3,1,66.7%"))
    assert cause == "definition"
    assert {"cisco-handled (20 s)", "asterisk-sl (20 s)", "wazo-qos (20 s)"} <= set(detail.split(", "))
    assert "cisco-negative (20 s)" not in detail
    ((_, _, cause, detail),) = desk.gaps(report("service_level", "09:00,UTC,40%"))
    assert cause == "definition"
    assert "cisco-negative (20 s)" in detail.split(", ")
    ((_, _, cause, detail),) = desk.gaps(report("answer_rate", "09:00,UTC,0.75"))
    assert (cause, detail) == ("definition", "÷ answered + abandoned")


def test_attribution(desk: Desk) -> None:
    """The call entered at 09:29:50 counts where it was answered: two and two in place of three and one, and 1 of 3 in time."""
    gaps = desk.gaps(report("offered,answered,service_level", "09:00,UTC,5,2,33.3%", "09:30,UTC,1,2,100%"))

    assert gaps == [
        ("09:00", "answered", "attribution", "equals ours by outcome"),
        ("09:00", "service_level", "attribution", "equals ours by outcome"),
        ("09:30", "answered", "attribution", "equals ours by outcome"),
    ]


def test_excluded(desk: Desk) -> None:
    """The test call is in their report: six, of which four answered, three of five in time."""
    gaps = desk.gaps(report("offered,answered,service_level", "09:00,UTC,6,4,60%"))

    assert [(kpi, cause) for _, kpi, cause, _ in gaps] == [("offered", "excluded"), ("answered", "excluded"), ("service_level", "excluded")]


def test_late(desk: Desk) -> None:
    """The call that was reported too late is in their report."""
    assert desk.gaps(report("offered", "09:30,UTC,2")) == [("09:30", "offered", "late", "equals ours with what was late")]


def test_coverage(desk: Desk) -> None:
    """Of three calls one has its time on hold: 30 s; theirs has all of them."""
    assert desk.gaps(report("average_hold", "09:00,UTC,12")) == [("09:00", "average_hold", "coverage", "ours is of 33.3 % of the contacts")]


def test_unexplained(desk: Desk) -> None:
    """Three abandoned there and one here have no cause that can be shown; nor has an interval that their report leaves out."""
    output = desk.run(report("abandoned", "09:00,UTC,3", "10:00,UTC,0"), code=1)
    lines = output.splitlines()

    assert lines[1].split() == ["support", "窓口", "2026-03-02T09:00:00.000Z", "abandoned", "unexplained", "1", "3", "+2", "2"]
    assert lines[2].split() == [
        "support",
        "窓口",
        "2026-03-02T09:30:00.000Z",
        "offered",
        "unexplained:",
        "not",
        "in",
        "the",
        "report",
        "1",
        "-",
        "-",
    ]
    assert lines[3] == "2 figures compared, 1 equal; gaps: 2 unexplained"
    gaps = desk.gaps("queue,interval_start,zone,offered\nsales,2026-03-02 09:00,UTC,4\n", code=1)
    assert gaps == [("09:00", "offered", "unexplained", f"unknown queue; known: {QUEUE}")]


def test_a_layout(desk: Desk) -> None:
    """Columns, zone, times, units and names as a Japanese report has them."""
    layout = """
queue: キュー
start: 開始
zone: Asia/Tokyo
time_format: "%Y/%m/%d %H:%M"
encoding: cp932
queues: {窓口1: support 窓口}
kpis:
  着信数: offered
  サービスレベル: {kpi: service_level, unit: percent}
  平均応答速度: {kpi: asa, unit: hms}
"""
    (desk.folder / "layout.yaml").write_text(layout, encoding="utf-8")
    text = "キュー,開始,着信数,サービスレベル,平均応答速度\n窓口1,2026/03/02 18:00,5,50.0,0:00:22\n窓口1,2026/03/02 18:30,1,100,00:05\n"
    output = desk.run(text.encode("cp932"), "--layout", str(desk.folder / "layout.yaml"))

    assert output == "6 figures compared, 6 equal\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("queue,offered\na,1\n", "report.csv:1: interval_start: there is no such column; found: queue, offered"),
        ("queue,interval_start,calls\na,2026-03-02T09:00Z,1\n", "no column is named by a KPI; found: queue, interval_start, calls"),
        (report("offered", "09:00,UTC,five"), 'report.csv:2: offered: found "five"; permitted: a number as count'),
        (
            report("offered", "09:10,UTC,5"),
            'found "2026-03-02 09:10"; permitted: the begin of an interval of 30 minutes',
        ),
        (report("offered", "09:00,Mars,5"), 'report.csv:2: zone: found "Mars"; permitted: IANA names'),
        (report("offered", "nine,UTC,5"), "permitted: an ISO 8601 time, such as 2026-03-02 09:00"),
        (report("offered", "09:00,,5"), "of no known zone"),
        (report("offered", "09:00,UTC,5", "09:00,UTC,6"), "report.csv:3: interval_start: the interval is already in line 2"),
    ],
    ids=range(8),
)
def test_what_is_wrong_with_a_report(desk: Desk, text: str, complaint: str) -> None:
    """File, line, column, what was found and what is permitted."""
    assert complaint in desk.run(text, code=2)


@pytest.mark.parametrize(
    ("layout", "complaint"),
    [
        ("kpis: {Calls: offerd}\n", "layout.yaml:1: kpis.Calls.kpi: 'offerd' is no figure of intervals of contacts, did you mean offered?"),
        ("start: Begin\nstat: x\n", "layout.yaml:2: stat: unknown key, did you mean start?"),
        ("interval_minutes: 20\n", "layout.yaml:1: interval_minutes: found 20; permitted: 5, 15, 30, 60"),
    ],
    ids=range(3),
)
def test_what_is_wrong_with_a_layout(desk: Desk, layout: str, complaint: str) -> None:
    """Likewise."""
    (desk.folder / "layout.yaml").write_text(layout, encoding="utf-8")
    assert complaint in desk.run("queue\n", "--layout", str(desk.folder / "layout.yaml"), code=2)


def test_from_a_server(desk: Desk) -> None:
    """Without events: an offset in a neighboring interval is attribution, and a late event or an exclusion is found by its count."""

    def record(start: str, end: str, offered: int, excluded: int = 0, **more: Any) -> tuple[bytes, bytes]:
        times = {"window_start": f"2026-03-02T{start}:00.000Z", "window_end": f"2026-03-02T{end}:00.000Z"}
        kpis = {"offered": figure(offered, offered), "answered": figure(offered, offered), "excluded": figure(excluded, excluded)}
        key, value = window(f"queue:{QUEUE}", name="interval_30m", kpis=kpis, **times, **more)
        return key + start.encode(), value

    records = [record("09:00", "09:30", 5), record("09:30", "10:00", 3), record("10:00", "10:30", 4, late_events=2)]
    records.append(record("10:30", "11:00", 4, excluded=1))
    rows = ("09:00,UTC,5,4", "09:30,UTC,3,4", "10:00,UTC,6,4", "10:30,UTC,5,4")

    async def check() -> list[tuple[str, str, str, str]]:
        async with client_of(Backend.fed(records).serving()) as client:
            return await asyncio.to_thread(desk.gaps, report("offered,answered", *rows), "--url", str(client.make_url("/")))

    assert asyncio.run(check()) == [
        ("09:00", "answered", "attribution", "offset by the interval of 2026-03-02T09:30:00.000Z"),
        ("09:30", "answered", "attribution", "offset by the interval of 2026-03-02T09:00:00.000Z"),
        ("10:00", "offered", "late", "2 late events in this interval"),
        ("10:30", "offered", "excluded", "1 excluded in this interval"),
    ]
