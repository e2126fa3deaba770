"""Three KPIs given in words, each added in at most two files of a copy of the project, and counted by hand."""

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
            f.declare_time("first_transfer_ms", "from the start to the first transfer", "Σ (first transfer − start)"),
            f.declare("first_transfer_count", "conversations transferred, once", "conversations transferred"),
        ),
        unit="seconds",
        direction="none",
    ),
""",
                ),
            ),
            "streams/tracking/steps.py": (
                (
                    "def _on_transferred(s: State, fact: Transferred, rules: Rules, ledger: Ledger) -> None:\n",
                    """    if s.start is not None and not any(each.kind == fact.kind and precedes(each, fact) for each in s.facts):
        book_whole(s, fact.at, (("first_transfer_ms", fact.at - s.start), ("first_transfer_count", 1)), ledger)
""",
                ),
                (
                    "from streams.tracking.topic import categorize, find_place, name_category, not_offer\n",
                    "from streams.tracking.whole import book_whole\n",
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
            f.declare("held_long_count", "handled that were on hold for longer than 120 s", "handled on hold for longer than 120 s"),
            f.HOLD_COUNT,
            f.HANDLED,
        ),
        unit="ratio",
        direction="down",
    ),
""",
                ),
            ),
            "streams/tracking/legs.py": (
                (
                    '            counts.append("held_count")\n',
                    """        if leg.hold_ms > 120_000:
            counts.append("held_long_count")
""",
                ),
            ),
        },
    ),
    Patch(
        "resolved_same_day_by_category",
        {
            _SUBJECTS: (
                (
                    "SUBJECTS: tuple[Kpi, ...] = (\n",
                    """    Kpi(
        id="resolved_same_day_by_category",
        en="contacts resolved within a day, by category",
        ja="当日解決件数（項目別）",
        meaning_en="Contacts resolved for the first time within 24 hours, by the category that they had then.",
        meaning_ja="受付から24時間以内に初めて解決した問い合わせの件数（解決時の項目別）。",
        formula=Count(f.declare("resolved_same_day", "first resolutions within 24 h of the start", label="category", whole=False)),
        unit="contacts",
        direction="up",
    ),
""",
                ),
            ),
            "streams/tracking/ticket.py": (
                (
                    '        amounts.append(("first_resolved", 1))\n',
                    """        category = None if s.topic is None else category_of(s.topic)
        if category is not None and s.start is not None and at - s.start <= DAY_MS:
            amounts.append((f"resolved_same_day={category}", 1))
""",
                ),
                ("from streams.tracking.state import Ticket\n", "from streams.tracking.topic import category_of\n"),
            ),
        },
    ),
)

PROGRAM = """
import json, sys
import orjson
from streams.configuration import Configuration
from streams.replay import Replay
replay = Replay(Configuration.model_validate({"queues": {"sales": {"channel": "voice"}}}))
number = 0
def say(what, second, **more):
    global number
    number += 1
    at = f"2026-03-02T12:{second // 60:02}:{second % 60:02}Z"
    common = {"type": what, "event_id": str(number), "occurred_at": at, "received_at": at, "source": "pbx"}
    replay.add(orjson.dumps(common | more), "contact")
def call(name, held_s, transfers=(), category=None):
    say("contact.queued", 0, conversation_id=name, queue="sales", channel="voice")
    say("contact.answered", 10, conversation_id=name, agent="x")
    say("contact.held", 20, conversation_id=name)
    say("contact.resumed", 20 + held_s, conversation_id=name)
    for second in transfers:
        say("contact.transferred", second, conversation_id=name, agent="x")
    say("contact.ended", 600, conversation_id=name, by="customer")
    if category:
        say("contact.categorized", 610, conversation_id=name, category=category)
        say("contact.status_changed", 620, conversation_id=name, status="resolved")
call("a", 120, transfers=(300, 400), category="tariff")
call("b", 121, transfers=(500,), category="tariff")
call("c", 30, category="returns")
call("d", 180)
replay.finish()
record = next(value for key, value in replay.latest.items() if key.startswith("window|day|voice|queue:sales"))
json.dump({"kpis": record["kpis"], "by_label": record["by_label"]}, sys.stdout)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return what is served of a day in a copy of the project that has all three."""
    root = copied(tmp_path_factory.mktemp("project"))
    for patch in PATCHES:
        for file, changes in patch.files.items():
            _apply(root / file, changes)
    command = [sys.executable, "-c", PROGRAM]
    there = {"PYTHONPATH": str(root)}
    run = subprocess.run(command, cwd=root, env=there, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stderr
    found: dict[str, dict[str, Any]] = json.loads(run.stdout)
    return found


def _apply(file: Path, changes: tuple[tuple[str, str], ...]) -> None:
    text = file.read_text(encoding="utf-8")
    for kept, added in changes:
        assert text.count(kept) >= 1, (file, kept)
        text = text.replace(kept, kept + added, 1)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("patch", "most_lines"), list(zip(PATCHES, (16, 16, 14), strict=True)), ids=lambda each: getattr(each, "kpi", ""))
def test_each_is_a_small_change(patch: Patch, most_lines: int) -> None:
    """Two files, the entry with its fields and the place where it happens, and so many lines."""
    assert len(patch.files) == 2
    assert sum(added.count("\n") for changes in patch.files.values() for _, added in changes) <= most_lines


def test_time_to_first_transfer(told: dict[str, dict[str, Any]]) -> None:
    """One after 300 s, transferred again later, one after 500 s: 800 s ÷ 2."""
    assert told["kpis"]["time_to_first_transfer"] == {"value": 400, "numerator": 800, "denominator": 2, "coverage": 1}


def test_share_on_hold_for_longer_than_two_minutes(told: dict[str, dict[str, Any]]) -> None:
    """On hold for 120, 121, 30 and 180 s: two of four."""
    assert told["kpis"]["long_hold_rate"] == {"value": 0.5, "numerator": 2, "denominator": 4, "coverage": 1}


def test_resolved_on_the_same_day_by_category(told: dict[str, dict[str, Any]]) -> None:
    """Two about the tariff and one about a return, of four contacts."""
    found = told["by_label"]["resolved_same_day_by_category"]

    assert {label: figure["value"] for label, figure in found.items()} == {"tariff": 2, "returns": 1}
