"""State of versions that knew conversations and agents by their ids alone: it is read, and moved into the id space of its source.

``rows_keyed_by_id.jsonl`` has the rows of 0:30 of a day: pbx reports 1 to 4 and ``old``, the survey tool last of 2; desk reports
``ann``, ``7`` and ``old``. The rows ``old`` are without a source, as before snapshots.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.times import format_ms
from streams.configuration import Configuration
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from tests.tracking.harness import CONFIGURATION, event, ms, record

if TYPE_CHECKING:
    from streams.engine.stage import Flush

Stage = ContactStage | AgentStage

TOPICS = TrackTopics(
    source="source", panes="panes", pane_partitions=1, dead_letters="dead", consumer_group="g", now_ms=lambda: 0, customer_facts="facts"
)
JOINED = Configuration.model_validate(
    {**CONFIGURATION.model_dump(by_alias=True, exclude_unset=True), "joined_sources": [["pbx", "survey tool"]]}
)
PBX: dict[str, Any] = {"source": "pbx"}
DESK: dict[str, Any] = {"source": "desk"}


class StoredStage:
    """A stage and the rows of its state, which a restart reads."""

    def __init__(self, kind: type[Stage], rows: dict[bytes, bytes], configuration: Configuration = CONFIGURATION) -> None:
        self.rows = dict(rows)
        self.facts: list[dict[str, Any]] = []
        #: scope → its figures of now, as last written
        self.now: dict[str, dict[str, Any]] = {}
        self._kind, self._configuration = kind, configuration
        self.restart()

    def restart(self, configuration: Configuration | None = None) -> StoredStage:
        """Restart from the rows, optionally with another configuration."""
        self._configuration = configuration or self._configuration
        self.stage = self._kind(0, self._configuration, TOPICS)
        self.stage.restore("state", self.rows.items())
        return self

    def apply(self, *events: bytes) -> StoredStage:
        """Take events, and what a flush writes."""
        self.stage.process([record(each) for each in events])
        flush: Flush = self.stage.collect()
        for key, value in flush.rows:
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        kept = (orjson.loads(each.value) for each in flush.outputs if each.topic == "panes" and each.value is not None)
        self.now |= {each["scope"]: each for each in kept if each["kind"] == "now"}
        self.facts += [orjson.loads(each.value) for each in flush.outputs if each.topic == "facts" and each.value is not None]
        return self

    def subjects(self) -> set[str]:
        """Return the names of the rows of conversations or people."""
        return {key[2:].decode() for key in self.rows if key.startswith(b"s|")}

    def rows_of(self, conversation_id: str) -> list[bytes]:
        """Return the keys of the rows of a conversation of pbx, in order."""
        name = f"{conversation_id}\x1fpbx".encode()
        return sorted(
            (key for key in self.rows if key[:2] in {b"s|", b"t|"} and key.endswith(b"|" + name)), key=lambda key: (key[:2], len(key), key)
        )

    def sums(self, scope: str, channel: str | None = "voice") -> dict[str, int]:
        """Return the sums of cells by offer, of agents by outcome, without the histograms of waits."""
        kind = b"cell|" if channel is None else b"cohort|"
        total: dict[str, int] = {}
        for key, value in self.rows.items():
            if key.startswith(kind):
                kept = orjson.loads(value)
                if (kept["scope"], kept["channel"]) == (scope, channel):
                    for field, amount in kept["counts"].items():
                        if "_wait_le_" not in field:
                            total[field] = total.get(field, 0) + amount
        return total


def rows_of_before(kind: str) -> dict[bytes, bytes]:
    """Return the rows of a stage as that version wrote them."""
    lines = (Path(__file__).parent / "rows_keyed_by_id.jsonl").read_bytes().splitlines()
    rows = (orjson.loads(line) for line in lines)
    return {row["key"].encode(): orjson.dumps(row["value"]) for row in rows if row["stage"] == kind}


@pytest.fixture
def contacts() -> StoredStage:
    """Return contacts restored from old rows."""
    return StoredStage(ContactStage, rows_of_before("contacts"))


@pytest.fixture
def people() -> StoredStage:
    """Return agents restored from old rows."""
    return StoredStage(AgentStage, rows_of_before("agents"))


def beat(seconds: float, **source: Any) -> bytes:
    """Return a source's heartbeat that is complete up to its receipt."""
    return event("source.heartbeat", seconds, complete_through=format_ms(ms(seconds)), **source)


def test_contacts_continue(contacts: StoredStage) -> None:
    """Later events of their source add to them, their rows get new names, and another source's contact is separate."""
    contacts.apply(
        event("contact.queued", 35, queue="A", conversation_id="1", source="intruder"),
        event("contact.left_queue", 36, reason="abandoned", conversation_id="1", source="intruder"),
        event("contact.answered", 40, agent="ann", conversation_id="1", event_id="new", **PBX),
        event("contact.queued", 41, queue="C", conversation_id="4", event_id="before-6", **PBX),
    )

    sums = contacts.sums("queue:A")
    assert (sums["offered"], sums["answered"], sums["answered_wait_ms"]) == (3, 2, 4_000 + 40_000)
    assert (sums["abandoned"], sums["abandoned_wait_ms"]) == (1, 1_000)
    assert contacts.stage.tracker.repeated == 1
    assert contacts.subjects() == {"1\x1fpbx", "1\x1fintruder", "2", "3", "4", "old"}


def test_after_another_restart(contacts: StoredStage) -> None:
    """Rows of both kinds are read, and what is counted does not depend on when it restarts."""
    steady = StoredStage(ContactStage, rows_of_before("contacts"))
    story = [event("contact.answered", 40 + number, agent="ann", conversation_id=each, **PBX) for number, each in enumerate("134")]
    for each in [*story, beat(60, **PBX)]:
        contacts.apply(each).restart()
        steady.apply(each)

    assert contacts.rows == steady.rows
    assert contacts.subjects() == {"1\x1fpbx", "2", "3\x1fpbx", "4\x1fpbx", "old"}


def test_without_a_source(contacts: StoredStage) -> None:
    """A contact without a source belongs to the first source that reports it: it continues to wait, and is answered."""
    contacts.apply(event("contact.answered", 40, conversation_id="old", **PBX))

    assert "old" not in contacts.subjects()
    assert "old\x1fpbx" in contacts.subjects()
    assert contacts.sums("queue:C")["answered_wait_ms"] == 36_000
    assert contacts.now["queue:C"]["waiting_since_ms"] == [ms(3)]


def test_forgotten_from_a_row_of_before(contacts: StoredStage) -> None:
    """A finished contact leaves no row, under its old or new name."""
    hours = 5 * 3_600
    contacts.apply(beat(hours, **PBX)).apply(beat(100 * 3_600, **PBX))

    assert contacts.subjects() == set()


def test_facts_of_customers(contacts: StoredStage) -> None:
    """The fact under the id is withdrawn in the same flush that publishes the fact under the name."""
    contacts.apply(event("contact.answered", 40, conversation_id="3", **PBX))
    contacts.apply(event("contact.status_changed", 41, status="resolved", conversation_id="3", **PBX))
    facts = [each for each in contacts.facts if each["kind"] == "contact"]

    assert facts[0] == {"kind": "contact", "conversation_id": "3", "customer_key": "v1:k", "gone": True}
    assert (facts[1]["conversation_id"], facts[1]["id_space"], facts[1]["queue"]) == ("3", "pbx", "B")
    assert [each.get("gone", False) for each in facts[2:]] == [False]


def test_the_last_source_has_it(contacts: StoredStage) -> None:
    """A contact that several sources reported belongs to the last one; with these joined it belongs to all."""
    wrapped_up = event("contact.wrapped_up", 40, agent="ann", conversation_id="2", **PBX)
    contacts.apply(wrapped_up)
    joined = StoredStage(ContactStage, rows_of_before("contacts"), JOINED).apply(wrapped_up)

    assert {"2", "2\x1fpbx"} <= contacts.subjects()
    assert "wrap_count" not in contacts.sums("queue:A")
    assert joined.sums("queue:A")["wrap_ms"] == 31_000
    assert joined.subjects() == {"1", "2\x1fpbx", "3", "4", "old"}


def test_joined_after_the_update(contacts: StoredStage) -> None:
    """Two contacts of an id whose sources are joined later become one, and figures are as if they always had been."""
    first = event("contact.queued", 30, queue="A", conversation_id="5", **PBX)
    second = event("contact.answered", 34, queue="A", wait_seconds=4, conversation_id="5", source="survey tool")
    contacts.apply(first, second)
    separate = contacts.sums("queue:A")["offered"]
    contacts.restart(JOINED).apply()
    always = StoredStage(ContactStage, rows_of_before("contacts"), JOINED).apply(first, second)

    assert (separate, contacts.sums("queue:A")["offered"]) == (4, 3)
    assert contacts.sums("queue:A") == always.sums("queue:A")
    assert {name for name in contacts.subjects() if name.startswith("5")} == {"5\x1fpbx"}


def test_snapshot_of_before(contacts: StoredStage) -> None:
    """A repeated snapshot counts as the same one."""
    again = event("source.snapshot", 20, event_id="before-10", kind="contacts", open_ids=[], **PBX)
    contacts.apply(again, beat(100, **PBX))

    assert "lost_contacts" not in contacts.sums("queue:A")


def test_agents_continue(people: StoredStage) -> None:
    """The next state of their source counts on top; without a source, that of the first; a state of another source is another agent's."""
    offline = [event("agent.state_changed", 40, axis="presence", state="offline", person_id=each, **DESK) for each in ("7", "ann", "old")]
    people.apply(event("agent.state_changed", 40, axis="presence", state="away", person_id="7", team="blue", source="intruder"), *offline)
    people.apply(beat(60, **DESK), beat(60, source="intruder"))

    assert people.sums("team:red", None)["available_ms"] == 40_000
    assert people.sums("team:blue", None)["available_ms"] == 80_000
    assert people.sums("team:blue", None)["unavailable_ms"] == 20_000
    assert people.subjects() == {"7\x1fdesk", "7\x1fintruder", "ann\x1fdesk", "old\x1fdesk"}


def test_a_repeat_assigns_an_agent_to_its_source(people: StoredStage) -> None:
    """An event that is known already gives an agent of no source to its source, and counts no second time."""
    again = event("agent.state_changed", 0, axis="presence", state="ready", team="blue", person_id="old", event_id="before-14", **DESK)
    people.apply(again, beat(60, **DESK))

    assert people.stage.tracker.repeated == 1
    row = orjson.loads(people.rows[b"s|old\x1fdesk"])
    assert b"s|old" not in people.rows
    assert orjson.dumps(row).count(b"before-14") == 1


def test_people_joined_after_the_update(people: StoredStage) -> None:
    """Two agents of an id become one: time within the grace is recounted as if they had always been one."""
    joined = Configuration.model_validate(
        {**CONFIGURATION.model_dump(by_alias=True, exclude_unset=True), "joined_sources": [["desk", "phone"]]}
    )
    phone: dict[str, Any] = {"source": "phone"}
    talking = event("agent.state_changed", 10, axis="activity", state="talking", person_id="7", team="blue", **phone)
    people.apply(talking, beat(40, **DESK), beat(40, **phone))
    separate = people.sums("team:blue", None)
    people.restart(joined).apply(beat(50, **DESK), beat(50, **phone))

    # Available from 0 and talking from 10: of the old two, 7 was available all the time and the other one talked.
    assert (separate["available_ms"], separate["handling_ms"]) == (80_000, 30_000)
    assert people.sums("team:blue", None)["available_ms"] == 10_000 + 50_000
    assert people.sums("team:blue", None)["handling_ms"] == 40_000
    assert "7\x1fdesk" in people.subjects()
    assert not {"7", "7\x1fphone"} & people.subjects()
