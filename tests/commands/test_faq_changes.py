"""``contact-streams faq-changes`` on the history of a broker, and what a replay answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import TOPICS
from streams.commands.faq_changes import lines
from streams.configuration import load_configuration
from streams.demo.broker import EmbeddedBroker
from streams.engine.topics import TopicSpec, ensure_topics
from streams.replay import Replay
from tests.support.require import require_embedded_broker

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PREFIX = "faq"
CONFIGURATION = """
faq_changes:
  - {at: 2026-11-05T09:00:00Z, category: Returns, name: Rewritten, days: 2}
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Return a configuration file with one change."""
    path = tmp_path / "center.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    return path


def sessions(day: int, solved: int, left_to_people: int) -> Iterator[bytes]:
    """Yield the events of a day's sessions at noon: some solved by the FAQ, others that enter a queue."""
    for number in range(solved + left_to_people):
        name = f"{day}-{number}"

        def event(type_: str, second: int, name: str = name, **fields: Any) -> bytes:
            at = f"2026-11-{day:02}T12:00:{second:02}Z"
            common = {"type": type_, "event_id": f"{type_}-{name}", "occurred_at": at, "received_at": at, "source": "faq"}
            return orjson.dumps({**common, "conversation_id": name, **fields})

        yield event("self_service.started", 0, kind="faq", category="Returns")
        yield event("self_service.ended", 20, outcome="left")
        if number >= solved:
            yield event("contact.queued", 30, queue="A")


def replayed(configuration: Path) -> Replay:
    """Return a replay of 3 of 4 solved on the 4th, all wrong on the day of the change, 1 of 1 and 2 of 3 after it."""
    replay = Replay(load_configuration(configuration))
    for day, solved, left_to_people in ((3, 1, 1), (4, 3, 1), (5, 0, 9), (6, 1, 0), (7, 2, 1)):
        for value in sessions(day, solved, left_to_people):
            replay.add(value, "contact")
    return replay


def rates(answer: dict[str, Any], kpi: str = "self_service_rate") -> list[tuple[int, int]]:
    """Return solved and decided of both sides."""
    return [(answer[side][kpi]["numerator"], answer[side][kpi]["denominator"]) for side in ("before", "after")]


def test_a_replay_answers(configuration: Path) -> None:
    """Two days each: 4 of 6 before (3rd and 4th), 3 of 4 after (6th and 7th)."""
    (answer,) = replayed(configuration).finish(1_794_182_400_000)["faq_changes"]  # 2026-11-09T00:00:00Z

    assert (answer["days"], rates(answer), rates(answer, "containment_rate")) == (2, [(4, 6), (3, 4)], [(4, 6), (3, 4)])


def test_text() -> None:
    """A line a rate, with both parts, in both languages; a dash where there is no value."""
    half = {"value": 0.5, "numerator": 2, "denominator": 4}
    figures = {"containment_rate": half, "self_service_rate": dict.fromkeys(half)}
    answer = {"name": "Rewritten", "category": "Returns", "at": "2026-11-05T09:00:00.000Z", "days": 2, "before": figures, "after": figures}

    english, japanese = list(lines([answer], "en")), list(lines([answer], "ja"))
    assert english[2:] == ["    containment rate: 50.0% (2/4) → 50.0% (2/4)", "    self-service rate: – → –"]
    assert japanese[1] == "  変更前後 各2日間："
    assert "ボット完結率：50.0% (2/4)" in japanese[2]
    assert len(list(lines([{**answer, "days": None}], "en"))) == 2


@pytest.mark.embedded
def test_the_history_answers(configuration: Path) -> None:
    """Days as the worker publishes them, each several times over: the newest of each counts, and other records are passed over."""
    require_embedded_broker()
    replay = replayed(configuration)
    replay.finish(1_794_182_400_000)
    of_days = [(key, record) for key, record in replay.latest.items() if key.startswith("window|day|")]
    assert len(of_days) > 10

    async def publish(bootstrap: str) -> None:
        history = next(entry for entry in TOPICS if entry.name == "queue-metrics.v1")
        await ensure_topics(bootstrap, [TopicSpec(history.full_name(PREFIX), history.partitions, 1, {})])
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            for number, (key, record) in enumerate(of_days):
                older = {**record, "by_label": {}, "revision": 0}
                for value in (older, record):
                    partition = number % history.partitions
                    await producer.send_and_wait(history.full_name(PREFIX), orjson.dumps(value), key.encode(), partition=partition)

    with EmbeddedBroker() as broker:
        asyncio.run(publish(broker.bootstrap_servers))
        command = [sys.executable, "-m", "streams", "faq-changes", "--config", str(configuration), "--json"]
        command += ["--bootstrap", broker.bootstrap_servers, "--prefix", PREFIX]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
        missing = subprocess.run([*command[:-1], "nothing"], cwd=ROOT, capture_output=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr.decode()
    (answer,) = orjson.loads(done.stdout)
    assert (answer["days"], rates(answer)) == (2, [(4, 6), (3, 4)])
    assert (missing.returncode, b"no topic" in missing.stderr) == (1, True)
