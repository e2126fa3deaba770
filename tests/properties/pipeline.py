"""The worker's stages wired in memory: several source partitions, any chunk sizes, flushes and restarts, no broker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import orjson

from schemas.agent import AgentModel
from schemas.contact import ContactModel
from schemas.other import CustomerModel, ForecastSet
from streams.stages.customer_links import CustomerLinkStage
from streams.stages.customers import CustomerEventStage, CustomerStage, CustomerTopics
from streams.stages.customers_before import CustomersBeforeStage
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

    from schemas.base import Event
    from streams.configuration import Configuration
    from streams.engine.stage import Output

__all__ = ["MemoryPipeline"]

_FAR_MS = 253_402_300_799_000


class MemoryPipeline:
    """Contact and agent partitions, pane partitions, and the compacted topics between them as dictionaries."""

    def __init__(
        self,
        configuration: Configuration,
        random: Random,
        contacts: int = 2,
        agents: int = 2,
        panes: int = 2,
        customers: int = 2,
        before: dict[str, dict[bytes, bytes]] | None = None,
    ) -> None:
        """``before`` has the topics of customers of the last release, if any."""
        self._configuration = configuration
        self._random = random
        self._sizes = {"contacts": contacts, "agents": agents, "panes": panes, "customers": customers}
        self._rows: dict[tuple[str, int], dict[bytes, bytes]] = {}
        self._panes: list[dict[bytes, bytes]] = [{} for _ in range(panes)]
        #: the compacted metric topic, as written: most records are replaced before they are read
        self._latest: dict[bytes, bytes] = {}
        self.dead: list[Any] = []
        self.restarts = 0
        #: the same of single people, in topics of their own
        self._agents_latest: dict[bytes, bytes] = {}
        #: fired and cleared alerts, and the state of each alert
        self.alerts: list[dict[str, Any]] = []
        self.alerts_latest: dict[str, dict[str, Any]] = {}
        self._source: dict[tuple[str, int], ContactStage | AgentStage | CustomerEventStage] = {
            **{("contacts", p): self._track("contacts", p) for p in range(contacts)},
            **{("agents", p): self._track("agents", p) for p in range(agents)},
            **{("customers", p): self._track("customers", p) for p in range(2)},
        }
        self._before = before or {}
        #: the input of the stages of customers, how far it is read, and how far it is durable
        places = [("facts", p) for p in range(customers)] + [("links", 0)] + ([("before", 0)] if self._before else [])
        self._inner: dict[tuple[str, int], CustomerStage | CustomerLinkStage | CustomersBeforeStage] = {}
        self._log: dict[tuple[str, int], list[Any]] = {place: [] for place in places}
        self._read = dict.fromkeys(places, 0)
        self._kept = dict.fromkeys(places, 0)
        for place in places:
            self._begin_inner(place)
        #: by source partition, the events read, and how many of them were sent to roll-up
        self.taken: dict[tuple[str, int], list[Event]] = {place: [] for place in self._source}
        self._passed_on: dict[tuple[str, int], int] = dict.fromkeys(self._source, 0)
        #: each flush of a roll-up that was not lost: its partition, how many restarts came before, and how many events of each source
        #: partition it knew
        self.flushes: list[tuple[int, int, dict[tuple[str, int], int]]] = []
        self._rollups = [self._roll_up(p) for p in range(panes)]
        self._pending: list[tuple[int, bytes, bytes | None]] = []

    def _track(self, topic: str, partition: int) -> ContactStage | AgentStage | CustomerEventStage:
        facts = "" if topic == "agents" else "facts"
        topics = TrackTopics(
            topic, "panes", self._sizes["panes"], f"{topic}-dead", "test", lambda: 0, facts, self._sizes["customers"], "links"
        )
        if topic == "customers":
            return CustomerEventStage(partition, self._configuration, topics)
        return (ContactStage if topic == "contacts" else AgentStage)(partition, self._configuration, topics)

    def _begin_inner(self, place: tuple[str, int]) -> None:
        """Recreate a stage of customers from durable state."""
        sizes, before = self._sizes, "before" if self._before else ""
        parts = ("facts", sizes["customers"], "links", "contacts", sizes["contacts"], before)
        topics = CustomerTopics("panes", sizes["panes"], *parts)
        if place[0] == "facts":
            self._inner[place] = CustomerStage(place[1], self._configuration, topics)
        elif place[0] == "links":
            self._inner[place] = CustomerLinkStage(self._configuration, topics)
        else:
            self._inner[place] = CustomersBeforeStage(topics)
            self._inner[place].restore("state", list(self._rows.setdefault(place, dict(self._before["state"])).items()))
            self._inner[place].restore("before", list(self._before["facts"].items()))
            return
        self._inner[place].restore("state", list(self._rows.get(place, {}).items()))
        self._read[place] = self._kept[place]

    def _roll_up(self, partition: int) -> RollUpStage:
        sizes = self._sizes
        sources = ("contacts", sizes["contacts"], "agents", sizes["agents"])
        topics = RollUpTopics(
            "panes", sizes["panes"], "metrics", "latest", "alerts", "alerts-latest", *sources, customer_partitions=sizes["customers"]
        )
        return RollUpStage(partition, self._configuration, topics)

    def run(self, events: Iterable[Event], *, restarts: float = 0, moves: float = 1 / 8) -> None:
        """Process the events in this order, in chunks, with random flushes and restarts.

        ``moves`` is the probability of a chunk after an event, and ``restarts`` that of a restart after a chunk.
        """
        waiting: dict[tuple[str, int], list[Any]] = {place: [] for place in self._source}
        for event in events:
            value = event.model_dump_json(exclude_none=True).encode()
            for place in self._places(event):
                waiting[place].append(
                    SimpleNamespace(
                        topic=place[0], partition=place[1], offset=0, timestamp=_FAR_MS, key=None, value=value, headers=(), event=event
                    )
                )
            if self._random.random() < moves:
                self._move(waiting)
                if self._random.random() < restarts:
                    self._restart()
        for _ in range(3):
            for place, records in waiting.items():
                self._take(place, records)
                records.clear()
                self._flush(place)
            # From links to families, to copies, to sums, and once more for reports of families.
            for _ in range(4):
                for inner in self._log:
                    self._read_inner(inner, len(self._log[inner]))
                    self._flush_inner(inner)
            for number in range(self._sizes["panes"]):
                self._flush_roll_up(number)

    @property
    def latest(self) -> dict[str, dict[str, Any]]:
        """The compacted metric topic."""
        return {key.decode(): orjson.loads(value) for key, value in self._latest.items()}

    @property
    def agents(self) -> dict[str, dict[str, Any]]:
        """The latest records of single people by key."""
        return {key.decode(): orjson.loads(value) for key, value in self._agents_latest.items()}

    def late(self) -> int:
        """Return how many events were late since the last restart."""
        return sum(stage.tracker.late for stage in self._source.values())

    def _places(self, event: Event) -> list[tuple[str, int]]:
        if isinstance(event, ContactModel):
            return [("contacts", crc32(event.conversation_id.encode()) % self._sizes["contacts"])]
        if isinstance(event, AgentModel):
            return [("agents", crc32(event.person_id.encode()) % self._sizes["agents"])]
        if isinstance(event, CustomerModel | ForecastSet):
            return [("customers", crc32((event.queue if isinstance(event, ForecastSet) else event.customer_key).encode()) % 2)]
        return list(self._source)

    def _take(self, place: tuple[str, int], records: list[Any]) -> None:
        self._source[place].process(records)
        self.taken[place] += [record.event for record in records]

    def _move(self, waiting: dict[tuple[str, int], list[Any]]) -> None:
        for place, records in waiting.items():
            taken = self._random.randint(0, len(records))
            self._take(place, records[:taken])
            del records[:taken]
            if self._random.random() < 1 / 2:
                self._flush(place)
        for number in range(self._sizes["panes"]):
            if self._random.random() < 1 / 2:
                self._flush_roll_up(number)
        for inner in self._log:
            self._read_inner(inner, self._random.randint(self._read[inner], len(self._log[inner])))
            if self._random.random() < 1 / 2:
                self._flush_inner(inner)

    def _flush(self, place: tuple[str, int]) -> None:
        flush = self._source[place].collect()
        _compact(self._rows.setdefault(place, {}), flush.rows)
        self._passed_on[place] = len(self.taken[place])
        self._send(flush.outputs)

    def _send(self, outputs: Iterable[Output]) -> None:
        for output in outputs:
            if output.topic == "panes" and output.key is not None:
                _compact(self._panes[output.partition], [(output.key, output.value)])
                self._rollups[output.partition].process([SimpleNamespace(key=output.key, value=output.value)])
            elif (output.topic, output.partition) in self._log:
                self._log[output.topic, output.partition].append(SimpleNamespace(key=output.key, value=output.value))
            else:
                self.dead.append(output)

    def _read_inner(self, place: tuple[str, int], end: int) -> None:
        self._inner[place].process(self._log[place][self._read[place] : end])
        self._read[place] = end

    def _flush_inner(self, place: tuple[str, int]) -> None:
        flush = self._inner[place].collect()
        _compact(self._rows.setdefault(place, {}), flush.rows)
        self._kept[place] = self._read[place]
        self._send(flush.outputs)

    def _flush_roll_up(self, number: int) -> None:
        self.flushes.append((number, self.restarts, {place: known for place, known in self._passed_on.items() if place[0] != "customers"}))
        for output in self._rollups[number].collect().outputs:
            assert output.key is not None
            key = output.key.decode()
            if output.topic == "latest":
                _compact(self._latest, [(output.key, output.value)])
            elif output.topic == "agent-metrics-latest":
                _compact(self._agents_latest, [(output.key, output.value)])
            elif output.topic == "alerts":
                assert output.value is not None
                self.alerts.append({"key": key, **orjson.loads(output.value)})
            elif output.topic == "alerts-latest" and output.value is None:
                self.alerts_latest.pop(key, None)
            elif output.topic == "alerts-latest":
                assert output.value is not None
                self.alerts_latest[key] = orjson.loads(output.value)

    def start_from(self, rows: dict[tuple[str, int], dict[bytes, bytes]], panes: list[list[list[str]]], latest: list[list[str]]) -> None:
        """Start from the state of an earlier pipeline: rows of the stages of sources, panes, and the latest records."""
        self._rows |= rows
        self._panes = [{key.encode(): value.encode() for key, value in each} for each in panes]
        self._latest = {key.encode(): value.encode() for key, value in latest}
        for place in self._source:
            self._source[place].restore("state", list(self._rows.get(place, {}).items()))
        for number in range(self._sizes["panes"]):
            self._rollups[number] = self._restored_roll_up(number)

    def restart_with(self, configuration: Configuration) -> None:
        """Start again with another configuration."""
        self._configuration = configuration
        self._restart()

    def _restart(self) -> None:
        """Restart: flush, or lose a flush of roll-up, then restore every stage from written state."""
        for place in self._source:
            self._flush(place)
            self._source[place] = self._track(*place)
            self._source[place].restore("state", list(self._rows[place].items()))
        for number in range(self._sizes["panes"]):
            if self._random.random() < 1 / 2:
                self._flush_roll_up(number)
            else:
                self._rollups[number].collect()
            self._rollups[number] = self._restored_roll_up(number)
        self._restart_inner()
        self.restarts += 1

    def _restored_roll_up(self, number: int) -> RollUpStage:
        """Return a roll-up restored from written state, as after a start."""
        stage = self._roll_up(number)
        stage.restore("latest", [(key, value) for key, value in self._latest.items() if self._partition_of(key.decode()) == number])
        of_agents = [(key, value) for key, value in self._agents_latest.items() if self._partition_of(key.decode()) == number]
        stage.restore("agent-metrics-latest", of_agents)
        alerts = [(key, value) for key, value in self.alerts_latest.items() if self._partition_of(key) == number]
        stage.restore("alerts-latest", [(key.encode(), orjson.dumps(value)) for key, value in alerts])
        stage.restore("panes", list(self._panes[number].items()))
        return stage

    def records_after_takeover(self) -> Iterator[tuple[str, Any, Any]]:
        """Let roll-ups take over after a last flush, and yield their outputs: key, record before, record."""
        for number in range(self._sizes["panes"]):
            self._flush_roll_up(number)
            latest = self._latest | self._agents_latest
            for output in self._restored_roll_up(number).collect().outputs:
                assert output.key is not None
                before = latest.get(output.key)
                yield output.key.decode(), before and orjson.loads(before), output.value and orjson.loads(output.value)

    def _restart_inner(self) -> None:
        """Restart the stages of customers, some without their last flush."""
        for place in self._log:
            if self._random.random() < 1 / 2:
                self._flush_inner(place)
            else:
                self._inner[place].collect()
            self._begin_inner(place)

    def _partition_of(self, key: str) -> int:
        if key.startswith(("progress|", "definition|")):
            return int(key.split("|")[1])
        parts = key.split("|")
        return crc32((parts[2] if parts[0] == "now" else parts[3]).encode()) % self._sizes["panes"]


def _compact(topic: dict[bytes, bytes], rows: Iterable[tuple[bytes, bytes | None]]) -> None:
    for key, value in rows:
        if value is None:
            topic.pop(key, None)
        else:
            topic[key] = value
