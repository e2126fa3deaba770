"""Lines of the first hour that take a moment each: what a rule may be, errors of wrong paths, what a version costs, and the Japanese."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.catalogue import KPIS, WORDS
from streams.cli import main
from streams.serving.store import Store
from streams.serving.trends import trends_of
from tests.serving.records import progress, window

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("rule", "wrong"), [("above: 5", True), ("above: 0.05", False), ("{above: 5, unit: percent}", False)])
def test_a_threshold_that_can_never_be_passed(rule: str, wrong: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`above: 5` of a ratio is refused, with what is permitted; 5 percent may be written so."""
    file = tmp_path / "center.yaml"
    inner = rule.strip("{}")
    file.write_text(f"alerts:\n  gone: {{kpi: abandon_rate, {inner}}}\n", encoding="utf-8")

    assert main(["check", str(file)]) == (2 if wrong else 0)
    assert ("can never be passed" in capsys.readouterr().err) is wrong


def test_a_log_in_a_missing_folder_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """A path in a missing folder cannot be followed: status 2, and which folder."""
    assert main(["connector", "asterisk-queue-log", "/no/such/folder/queue_log", "--bootstrap", "127.0.0.1:1"]) == 2
    assert "/no/such/folder" in capsys.readouterr().err


def test_the_version_loads_nothing_heavy() -> None:
    """It took two seconds of CPU: the frame, the Kafka client and the models of events are not for it."""
    program = "import sys; sys.argv[1:] = ['--version']; from streams.cli import main; main(); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.startswith("contact-streams ")
    assert [name for name in ("faust", "aiokafka", "aiohttp", "pydantic", "asyncio") if f"'{name}'" in done.stderr] == []


def test_yesterday_is_not_today() -> None:
    """Of a queue whose last day is over nothing is in the course of today; one with a running day begins with it."""
    store = Store()
    today: dict[str, Any] = {"window_start": "2026-04-01T00:00:00Z", "window_end": "2026-04-02T00:00:00Z"}
    yesterday: dict[str, Any] = {"window_start": "2026-03-31T00:00:00Z", "window_end": "2026-04-01T00:00:00Z"}

    def quarter(start: str, end: str) -> dict[str, Any]:
        return {"window_start": start, "window_end": end}

    for key, value in (
        progress(),  # as of 09:00 on April 1
        window("queue:sales", name="day", **today),
        window("queue:sales", name="interval_15m", **quarter("2026-03-31T23:45:00Z", "2026-04-01T00:00:00Z")),
        window("queue:night", name="day", **yesterday),
        window("queue:night", name="interval_15m", **quarter("2026-03-31T10:00:00Z", "2026-03-31T10:15:00Z")),
    ):
        assert store.feed(key, value)
    assert trends_of(store)["trends"] == []
    key, value = window("queue:sales", name="interval_15m", **quarter("2026-04-01T08:00:00Z", "2026-04-01T08:15:00Z"))
    assert store.feed(key + b"|8", value)
    (trend,) = trends_of(store)["trends"]

    assert (trend["queue"], [orjson.loads(orjson.dumps(each))["start"] for each in trend["intervals"]]) == (
        "sales",
        ["2026-04-01T08:00:00Z"],
    )


#: Former text of the page → the term of the field.
JAPANESE = {
    "返信待ち": "お客様回答待ち",
    "応答なし": "状態不明",
    "対応時間": "解決所要時間",
    "上位目標": "ストレッチ目標",
    "待ち呼数": "待ち件数",
    "放棄呼率": "放棄率",
    "離席": "受付不可",
    "返信漏れ": "返信期限超過",
    "ライブ": "リアルタイム",
    "計測率": "集計対象",
    "回答率": "アンケート回答率",
    "遵守率": "スケジュール遵守率",
    "1日以内解決率": "苦情1日以内解決率",
    "平均回答時間": "平均返信時間",
    "コスト・パー・コール": "1件当たりコスト",
    "昼": "ライト",
    "夜": "ダーク",
    "未達が大きい順": "目標との差が大きい順",
}


@pytest.mark.parametrize(("before", "now"), JAPANESE.items())
def test_japanese_labels(before: str, now: str) -> None:
    """No label of a page or figure is the old word, and some label is or holds the new one."""
    labels = [*WORDS["ja"].values(), *(kpi.ja for kpi in KPIS)]

    assert before not in labels
    assert [label for label in labels if now in label] != []
