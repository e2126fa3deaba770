"""A stage handles its sources separately: one beyond its limits is dead-lettered, and the others' figures do not change."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.audit import AuditRecord
from schemas.dead_letters import ORIGINAL_OFFSET, REASON, REPLAYED_FROM
from schemas.operator import SourceQuarantined, SourceReleased, encode_order
from schemas.times import from_ms
from streams.configuration.dead_letters import DeadLetterLimits, SourceLimits
from streams.stages.counters import StageCounters
from streams.stages.customers import CustomerEventStage
from streams.stages.track import AgentStage, ContactStage, TrackStage
from tests.stages.test_track import TOPICS, rows_of
from tests.support.slices import rows_by_pane
from tests.tracking.harness import CONFIGURATION, event, ms, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.engine.stage import Flush

LIMITED = CONFIGURATION.model_copy(
    update={"dead_letters": DeadLetterLimits(max_run=3), "source_limits": SourceLimits(max_late_ratio=0.5, late_window=100)}
)


def records(values: Sequence[bytes | None], first_offset: int = 0, **fields: Any) -> list[Any]:
    """Return records of a topic."""
    return [
        record(value, topic="contacts", partition=0, offset=first_offset + number, timestamp=ms(100_000 + number), **fields)
        for number, value in enumerate(values)
    ]


def dead_letters(*flushes: Flush) -> list[tuple[int, str]]:
    """Return offset and reason of every dead letter."""
    found = [dict(output.headers) for flush in flushes for output in flush.outputs if output.topic == "dead"]
    return [(int(headers[ORIGINAL_OFFSET]), headers[REASON].decode()) for headers in found]


def figures(*flushes: Flush) -> dict[bytes, Any]:
    """Return the panes, cells and states of now as they were written last, each pane by itself."""
    rows = {output.key or b"": output.value for flush in flushes for output in flush.outputs if output.topic == "panes"}
    found = {key.decode(): orjson.loads(value) for key, value in rows.items() if value is not None and not key.startswith(b"progress")}
    return {key.encode(): value for key, value in rows_by_pane(found).items()}


def progress(*flushes: Flush) -> dict[str, Any]:
    """Return the last published progress of the partition."""
    found = [
        output.value
        for flush in flushes
        for output in flush.outputs
        if output.topic == "panes" and (output.key or b"").startswith(b"progress")
    ]
    return dict(orjson.loads(found[-1] or b""))


def bad(source: str) -> bytes:
    """Return an event that cannot be used but names its source."""
    return orjson.dumps({"type": "source.heartbeat", "source": source})


def alive(source: str, seconds: float) -> bytes:
    """Return a heartbeat."""
    return event("source.heartbeat", seconds, source=source, complete_through=orjson.loads(event("contact.queued", seconds))["occurred_at"])


def right(kind: type[TrackStage], source: str, seconds: float) -> bytes:
    """Return an event that counts."""
    if kind is CustomerEventStage:
        return event("order.placed", seconds, source=source, order_id="o1", customer_key="k1")
    if kind is AgentStage:
        return event("agent.heartbeat", seconds, source=source)
    return event("contact.queued", seconds, source=source, queue="A")


@pytest.mark.parametrize("kind", [ContactStage, AgentStage, CustomerEventStage])
def test_one_beyond_its_limits(kind: type[ContactStage | AgentStage | CustomerEventStage]) -> None:
    """From the fourth bad record in a row on none of its records is accepted; it is published with reason, time and number."""
    counters = StageCounters()
    stage = kind(0, LIMITED, TOPICS, counters)
    values = [alive("good", 0), alive("rogue", 0), *[bad("rogue")] * 4, right(kind, "rogue", 1), bad("rogue"), alive("rogue", 1)]
    stage.process(records([*values, right(kind, "good", 2)]))
    flush = stage.collect()

    assert dead_letters(flush) == [*((offset, "missing_field") for offset in range(2, 6)), (6, "source_quarantined"), (7, "missing_field")]
    assert counters.rejected == {"missing_field": 5, "source_quarantined": 1}
    assert counters.quarantined == {(TOPICS.source, 0): ("rogue",)}
    published = progress(flush)
    assert published["quarantined_sources"] == {"rogue": {"reason": "bad_records", "since_ms": ms(100_005), "records": 2}}
    assert (published["stale_sources"], "rogue" in published["sources"]) == ([], False)


def test_c3_everything_under_one_id() -> None:
    """3,100 messages of one id: 2,000 count, 1,001 are too many and quarantine their source; the other's figures are as without it."""
    honest = [event("contact.queued", number / 10, queue="A", conversation_id=f"a{number}", source="a") for number in range(50)]
    null = [
        event("contact.message", 10 + number / 1_000, conversation_id="null", author_kind="agent", source="b") for number in range(3_100)
    ]
    after = [event("contact.answered", 14, agent="ann", conversation_id=f"a{number}", source="a") for number in range(50)]
    attacked, alone = ContactStage(0, CONFIGURATION, TOPICS), ContactStage(0, CONFIGURATION, TOPICS)
    flushes = []
    for values in (honest, null, after):
        attacked.process(records(values))
        flushes.append(attacked.collect())
    alone.process(records([*honest, *after]))

    reasons = [reason for _, reason in dead_letters(*flushes)]
    assert (reasons.count("too_many_events"), reasons.count("source_quarantined"), len(reasons)) == (1_001, 99, 1_100)
    assert progress(*flushes)["quarantined_sources"]["b"]["records"] == 99
    of_a = {key: value for key, value in figures(*flushes).items() if b"queue:A" in key}
    assert of_a
    assert of_a == {key: value for key, value in figures(alone.collect()).items() if b"queue:A" in key}


def test_late_events() -> None:
    """More than half of the last hundred are late: quarantined; what an operator sends back is late for a reason and does not count."""
    stage = ContactStage(0, LIMITED, TOPICS)
    late = [event("contact.queued", 0, received=10_000, conversation_id=f"c{number}", queue="A", source="slow") for number in range(60)]
    stage.process(records(late, headers=((REPLAYED_FROM, b"dead/0/1"),)))
    assert dead_letters(stage.collect()) == []
    stage.process(records(late[:50], 60))
    stage.process(records([event("contact.queued", 10_000, queue="A", conversation_id="x", source="slow"), *late[:10]], 110))
    flush = stage.collect()

    assert progress(flush)["quarantined_sources"]["slow"]["reason"] == "late_records"
    assert dead_letters(flush) == [(offset, "source_quarantined") for offset in range(112, 121)]


def test_records_without_a_source() -> None:
    """They are set aside for their own reasons, quarantined or not, and no source pays for them."""
    stage = ContactStage(0, LIMITED, TOPICS)
    stage.process(records([*[b"?"] * 10, b'{"source":"' + b"x" * 101 + b'"}', event("contact.queued", 0, queue="A"), None]))
    flush = stage.collect()

    assert [reason for _, reason in dead_letters(flush)] == ["invalid_json"] * 10 + ["missing_field", "empty"]
    assert progress(flush)["quarantined_sources"] == {"(unreadable)": {"reason": "bad_records", "since_ms": ms(100_003), "records": 8}}
    assert "c1\x1ftest" in stage.tracker.conversations


def test_a_quarantined_source_stays_quarantined() -> None:
    """Its time passes for the others, whose silence it reveals, but it does not delay them; after a day it is still in quarantine."""
    stage = ContactStage(0, LIMITED, TOPICS)
    stage.process(records([alive("good", 0), alive("rogue", 0), *[bad("rogue")] * 4]))
    stage.process(records([alive("good", 60), alive("rogue", 30), right(ContactStage, "rogue", 31)], 6))
    assert progress(stage.collect())["progress_ms"] == ms(60)
    stage.process(records([alive("rogue", 86_400), right(ContactStage, "rogue", 86_400)], 9))
    published = progress(stage.collect())

    assert (published["stale_sources"], list(published["sources"])) == (["good"], ["good"])
    assert published["quarantined_sources"]["rogue"]["records"] == 2


def order(kind: type[SourceQuarantined | SourceReleased], source: str) -> bytes:
    """Return an operator's order as the topic has it."""
    return encode_order(kind(event_id="o1", occurred_at=from_ms(ms(0)), source=source, why="as agreed"))


@pytest.mark.parametrize("kind", [ContactStage, AgentStage, CustomerEventStage])
def test_an_operator_quarantines_and_releases(kind: type[ContactStage | AgentStage | CustomerEventStage]) -> None:
    """Between the two orders all records of the source are dead-lettered, also after a restart; afterwards it counts with new counters."""
    first = kind(0, LIMITED, TOPICS)
    first.process(records([alive("a", 0), alive("b", 0), order(SourceQuarantined, "b"), right(kind, "b", 1)]))
    flush = first.collect()
    stage = kind(0, LIMITED, TOPICS)
    stage.restore("state", list(rows_of(flush, {}).items()))
    stage.process(records([bad("b"), alive("a", 2), order(SourceReleased, "b"), alive("b", 3), *[bad("b")] * 3, alive("b", 4)], 4))
    later = stage.collect()

    assert dead_letters(flush) == [(3, "source_quarantined")]
    assert progress(flush)["quarantined_sources"] == {"b": {"reason": "operator", "since_ms": ms(100_002), "records": 1}}
    assert dead_letters(later) == [(4, "missing_field"), *((offset, "missing_field") for offset in (8, 9, 10))]
    assert progress(later).get("quarantined_sources", {}) == {}
    assert stage.tracker.watermark.sources == {"a": ms(2), "b": ms(4)}


def run(values: Sequence[bytes | None], chance: Random | None) -> tuple[list[tuple[int, str]], dict[bytes, Any], Any, TrackStage]:
    """Process records, in one piece or by chance in chunks and over restarts; return dead letters, figures, state and the stage."""
    everything = records(values)
    rows: dict[bytes, bytes] = {}
    stage, flushes, begin = ContactStage(0, LIMITED, TOPICS), [], 0
    while begin < len(everything):
        size = len(everything) if chance is None else chance.randint(1, 40)
        stage.process(everything[begin : begin + size])
        begin += size
        if chance is None or chance.random() < 0.5 or begin >= len(everything):
            flushes.append(stage.collect())
            rows = rows_of(flushes[-1], rows)
            if chance is not None and chance.random() < 0.5:
                stage = ContactStage(0, LIMITED, TOPICS)
                stage.restore("state", list(rows.items()))
    return dead_letters(*flushes), figures(*flushes), orjson.loads(rows[b"m"])["sources"], stage


@pytest.mark.parametrize("seed", range(8))
def test_any_chunks_and_restarts(seed: int) -> None:
    """Dead letters, figures and quarantine do not depend on chunks and restarts."""
    chance = Random(seed)
    values: list[bytes | None] = []
    for number in range(400):
        source = chance.choice("aabbcd")
        chosen = chance.random()
        if chosen < {"a": 0.05, "b": 0.45, "c": 0.75, "d": 0.3}[source]:
            values.append(bad(source) if chance.random() < 0.9 else chance.choice([b"?", None]))
        elif chosen < 0.85:
            values.append(event("contact.queued", number, queue=chance.choice("AB"), conversation_id=f"c{number}", source=source))
        else:
            values.append(alive(source, number))
    whole, pieces = run(values, None), run(values, chance)

    assert whole[0]
    assert pieces[:3] == whole[:3]
    assert "a" not in whole[2].get("quarantined", {})


def test_a_state_that_counted_all_together() -> None:
    """State of a version that counted the bad records of all sources together is read; its counts restart."""
    stage = ContactStage(0, LIMITED, TOPICS)
    stage.process(records([event("contact.queued", 0, queue="A")]))
    rows = rows_of(stage.collect(), {})
    older = {name: kept for name, kept in orjson.loads(rows[b"m"] or b"").items() if name != "sources"}
    older["flood"] = {
        "run": {"invalid_json": 2, "missing_field": 1},
        "run_from": 1,
        "seen": 4,
        "bits": {"invalid_json": "6", "missing_field": "1"},
    }
    restarted = ContactStage(0, LIMITED, TOPICS)
    restarted.restore("state", list((rows | {b"m": orjson.dumps(older)}).items()))
    restarted.process(records([*[bad("test")] * 3, alive("test", 1)], 4))
    flush = restarted.collect()

    assert dead_letters(flush) == [(offset, "missing_field") for offset in (4, 5, 6)]
    assert "quarantined_sources" not in progress(flush)
    assert "flood" not in orjson.loads(rows_of(flush, {})[b"m"] or b"")


def decisions(*flushes: Flush) -> list[tuple[str, str, int, str | None]]:
    """Return action, source, offset and reason of every record for the audit."""
    found = [AuditRecord.model_validate_json(each.value or b"") for flush in flushes for each in flush.outputs if each.topic == "audit"]
    assert len({each.audit_id for each in found}) == len(found)
    return [(each.action, each.about.source or "", each.about.offset or 0, each.reason) for each in found]


@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("kind", [ContactStage, AgentStage, CustomerEventStage])
def test_decisions_are_recorded_once_where_they_take_effect(kind: type[ContactStage | AgentStage | CustomerEventStage], chunk: int) -> None:
    """The fourth bad record in a row quarantines a; orders count where they change something, over any chunks and a restart."""
    now = from_ms(ms(100_000))

    def order(model: type[SourceQuarantined | SourceReleased], source: str, why: str | None = None) -> bytes:
        return encode_order(model(event_id="o", occurred_at=now, source=source, why=why))

    values = [
        *[bad("a")] * 6,
        order(SourceQuarantined, "a", "it is already"),
        order(SourceReleased, "b"),
        order(SourceReleased, "a", "mended"),
        order(SourceQuarantined, "b", "a test"),
        order(SourceReleased, "b"),
        right(kind, "a", 1),
    ]
    topics = TOPICS._replace(audit="audit")
    stage = kind(0, LIMITED, topics)
    rows: dict[bytes, bytes] = {}
    found: list[Flush] = []
    for begin in range(0, len(values), chunk):
        stage.process(records(values[begin : begin + chunk], begin))
        flush = stage.collect()
        rows = {key: value for key, value in (rows | dict(flush.rows)).items() if value is not None}
        found.append(flush)
        stage = kind(0, LIMITED, topics)
        stage.restore("state", rows.items())

    assert decisions(*found) == [
        ("source_quarantined", "a", 3, "bad_records: 4 records in a row (missing_field 4); max_run permits 3"),
        ("source_released", "a", 8, "operator: mended"),
        ("source_quarantined", "b", 9, "operator: a test"),
        ("source_released", "b", 10, "operator"),
    ]
    untold = kind(0, LIMITED, TOPICS)
    untold.process(records(values))
    assert decisions(untold.collect()) == []
