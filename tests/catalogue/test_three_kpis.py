"""Three KPIs given in words, each added in a few lines of a copy of the project by docs/contributing.md, and counted by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.catalogue.test_recipe import copied

if TYPE_CHECKING:
    from pathlib import Path


class Patch(NamedTuple):
    """What one KPI takes: file → (line that stays, what comes after it)."""

    kpi: str
    files: dict[str, tuple[tuple[str, str], ...]]


_HANDLING, _SUBJECTS = "streams/catalogue/entries/handling.py", "streams/catalogue/entries/subjects.py"
_COUNTING = "docs/counting.md"

PATCHES = (
    Patch(
        "time_to_first_transfer",
        {
            _HANDLING: (
                (
                    "HANDLING: tuple[Kpi, ...] = (\n",
                    """    Kpi(
        id="time_to_first_transfer",
        en="average time to first transfer",
        ja="初回転送までの平均時間",
        meaning_en="How long it took from the start of a contact to its first transfer, on average.",
        meaning_ja="受付から最初の転送までの平均時間。",
        formula=Mean(
            f.declare_time("first_transfer_ms", "from the start to the first transfer by an agent", "Σ (first transfer − start)"),
            f.declare("first_transfer_count", "first transfers of conversations whose start is known", "first transfers"),
            f.declare("first_transfers", "conversations transferred by an agent, once", "conversations transferred"),
        ),
        unit="seconds",
        direction="none",
    ),
""",
                ),
            ),
            "streams/tracking/steps.py": (
                (
                    '        book_separately(s, leg.targets, leg.offered, at, (("transfers_out", 1),), postings)\n',
                    """        if once(s, "first_transfers"):
            timed = () if s.start is None else (("first_transfer_ms", at - s.start), ("first_transfer_count", 1))
            book_separately(s, leg.targets, leg.offered, at, (("first_transfers", 1), *timed), postings)
""",
                ),
                (
                    "close_messages, messages_of, record_customer_message, reply\n",
                    "from streams.tracking.per_contact import once\n",
                ),
            ),
            _COUNTING: (
                (
                    "once a leg (with `agent_stays` that ended and is not wrapped up).\n",
                    """The first of a conversation: **first_transfers** +1;
with a start **first_transfer_ms** += t − start, **first_transfer_count** +1.
""",
                ),
            ),
        },
    ),
    Patch(
        "long_hold_rate",
        {
            _HANDLING: (
                (
                    "HANDLING: tuple[Kpi, ...] = (\n",
                    """    Kpi(
        id="long_hold_rate",
        en="share of contacts on hold for longer than two minutes",
        ja="2分を超える保留の割合",
        meaning_en="Share of handled contacts whose hold is known that were on hold for longer than two minutes in all.",
        meaning_ja="保留を計測できる対応のうち、保留が合計2分を超えた割合。",
        formula=Ratio(
            f.declare("held_long_count", "handled that were on hold for longer than 120 s", "handled, on hold for longer than 120 s"),
            f.HOLD_COUNT,
            f.HANDLED,
        ),
        unit="ratio",
        direction="down",
        windows=("interval", "day"),
    ),
""",
                ),
            ),
            _COUNTING: (
                (
                    "and **held_count** +1 if hold > 0. In reply channels **handle_ms** += talk and **handle_count** +1 with them.\n",
                    "If hold > 120 s, **held_long_count** +1.\n",
                ),
            ),
            "streams/tracking/legs.py": (
                (
                    '            counts.append("held_count")\n',
                    """        if leg.hold_ms > 120_000:  # noqa: PLR2004 - two minutes
            counts.append("held_long_count")
""",
                ),
            ),
        },
    ),
    Patch(
        "resolved_within_day_by_category",
        {
            _SUBJECTS: (
                (
                    "SUBJECTS: tuple[Kpi, ...] = (\n",
                    """    Kpi(
        id="resolved_within_day_by_category",
        en="contacts resolved within 24 hours, by category",
        ja="24時間以内解決件数（項目別）",
        meaning_en="Contacts that were resolved, and stayed so, within 24 hours, by what they are about.",
        meaning_ja="受付から24時間以内に解決した問い合わせの項目別の件数。",
        formula=Count(f.declare("resolved_within_day", "conversations resolved within 24 h of start", label="category", has_total=False)),
        unit="contacts",
        direction="up",
        windows=DATED,
        horizon="24 h",
    ),
""",
                ),
            ),
            "streams/tracking/topic.py": (
                ("        topic.counted = category\n", "        book_within_day(s, topic, postings)\n"),
                (
                    "    within = s.ticket is not None and s.ticket.resolved_in_a_day\n",
                    """    booked, category = topic.named.pop("resolved", None), topic.counted if within and s.start is not None else None
    if category is not None:
        topic.named["resolved"] = category
    for name, change in ((booked, -1), (category, 1)):
        if topic.where is not None and booked != category and name is not None:
            _book(topic.where, ((f"resolved_within_day={name}", change),), postings)
""",
                ),
            ),
            _COUNTING: (
                (
                    "with another category it moves, where it was counted first.\n",
                    """There **resolved_within_day=LABEL** +1 while, with a start,
it was left resolved by its last status up to 24 h after.
""",
                ),
            ),
        },
    ),
)

PROGRAM = """
import json, sys
import orjson
from datetime import datetime, timedelta, timezone
from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.replay import Replay
BEGIN = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
events = []
def add(what, name, second, **more):
    at = (BEGIN + timedelta(seconds=second)).isoformat()
    common = {"type": f"contact.{what}", "event_id": str(len(events)), "occurred_at": at, "received_at": at, "source": "pbx"}
    events.append(common | {"conversation_id": name} | more)
def call(name, held_s):
    add("queued", name, 0, queue="sales", channel="voice")
    add("answered", name, 10, agent="x")
    add("held", name, 20)
    add("resumed", name, 20 + held_s)
def transfer(name, second, **more):
    add("transferred", name, second, agent="x", **more)
def end(name):
    add("ended", name, 600, by="customer")
def categorize(name, second, category):
    add("categorized", name, second, category=category)
def status(name, second, status):
    add("status_changed", name, second, status=status)

call("twice", 120)
transfer("twice", 300)
add("queued", "twice", 310, queue="sales", channel="voice")
add("answered", "twice", 320, agent="y")
add("transferred", "twice", 400, agent="y")
end("twice")
call("once", 121)
transfer("once", 500)
end("once")
call("asks", 30)
add("queued", "asks", 60, contact_id="asks-2", queue="sales", channel="voice", relation="consult")
add("transferred", "asks", 90, contact_id="asks-2", agent="x")
transfer("asks", 200)
end("asks")
add("answered", "mid-way", 10, queue="sales", channel="voice", agent="x")
transfer("mid-way", 100)
end("mid-way")
add("queued", "waits", 0, queue="sales", channel="voice")
add("transferred", "waits", 50)
call("kept", 180)
end("kept")

categorize("twice", 610, "tariff")
status("twice", 620, "resolved")
categorize("once", 620, "tariff")
status("once", 620, "resolved")
categorize("asks", 610, "returns")
status("asks", 620, "resolved")
categorize("asks", 630, "tariff")
categorize("mid-way", 610, "tariff")
status("mid-way", 620, "resolved")
categorize("waits", 610, "returns")
status("waits", 620, "resolved")
status("waits", 700, "reopened")
categorize("kept", 610, "orders")
status("kept", 23 * 3600, "resolved")

def day(until):
    replay = Replay(Configuration.model_validate({"queues": {"sales": {"channel": "voice"}}}))
    for event in sorted(events, key=lambda each: each["occurred_at"]):
        if event["occurred_at"] <= until:
            replay.add(orjson.dumps(event), "contact")
    assert not replay.finish(parse_time_ms(until))["dead_letters"]
    start = parse_time_ms("2026-03-02T00:00:00Z")
    record = replay.latest[f"window|day|voice|queue:sales|{start}"]
    return {name: record[name] for name in ("kpis", "by_label", "final")}
json.dump([day("2026-03-03T10:00:00+00:00"), day("2026-03-04T13:00:00+00:00")], sys.stdout)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project that has all three, its documents written."""
    root = copied(tmp_path_factory.mktemp("project"))
    for patch in PATCHES:
        for file, changes in patch.files.items():
            _apply(root / file, changes)
    _run(root, "-m", "streams.catalogue.docs")
    return root


@pytest.fixture(scope="module")
def days(project: Path) -> list[dict[str, Any]]:
    """Return what is served of the day, the next morning and the day after."""
    found: list[dict[str, Any]] = json.loads(_run(project, "-c", PROGRAM))
    return found


def _run(root: Path, *arguments: str) -> str:
    """Run Python in the copy; it has to end well."""
    there = {"PYTHONPATH": str(root)}
    run = subprocess.run([sys.executable, *arguments], cwd=root, env=there, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def _apply(file: Path, changes: tuple[tuple[str, str], ...]) -> None:
    text = file.read_text(encoding="utf-8")
    for kept, added in changes:
        assert text.count(kept) >= 1, (file, kept)
        text = text.replace(kept, kept + added, 1)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("patch", "most_lines"), list(zip(PATCHES, (20, 18, 21), strict=True)), ids=lambda each: getattr(each, "kpi", ""))
def test_each_is_a_small_change(patch: Patch, most_lines: int) -> None:
    """The entry with its fields, the code where it happens, and the text of the normative page, in this number of lines."""
    assert len(patch.files) == 3
    assert sum(added.count("\n") for changes in patch.files.values() for _, added in changes) <= most_lines


def test_they_pass_what_every_kpi_has_to_pass(project: Path) -> None:
    """The tests of the catalogue and of figures, and the linter, find nothing in the copy."""
    tests = ("tests/catalogue/test_catalogue.py", "tests/catalogue/test_fields.py", "tests/windows/test_kpis.py")
    _run(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    _run(project, "-m", "ruff", "check", "--no-cache", "streams")


def test_time_to_first_transfer(days: list[dict[str, Any]]) -> None:
    """After 300, 500 and 200 s, and once from a start that is not known; a way out of the queue and a consultation are none."""
    figure = {"value": 1000 / 3, "numerator": 1000, "denominator": 3, "coverage": 0.75}
    assert days[1]["kpis"]["time_to_first_transfer"] == figure


def test_share_on_hold_for_longer_than_two_minutes(days: list[dict[str, Any]]) -> None:
    """On hold for 120, 121, 30 and 180 s: two of the four of six handled whose hold is known."""
    assert days[1]["kpis"]["long_hold_rate"] == {"value": 0.5, "numerator": 2, "denominator": 4, "coverage": 4 / 6}


def test_resolved_within_a_day_by_category(days: list[dict[str, Any]]) -> None:
    """Three about the tariff, one of them thought a return first, one resolved before it is categorized in the same instant.

    The one without a start and the one reopened are none; the order is resolved 23 hours on: until then the day is not final.
    """
    found = [day["by_label"]["resolved_within_day_by_category"] for day in days]
    counts = [{label: figure["value"] for label, figure in each.items() if figure["value"]} for each in found]

    assert counts == [{"tariff": 3}, {"tariff": 3, "orders": 1}]
    assert [day["final"] for day in days] == [False, True]
