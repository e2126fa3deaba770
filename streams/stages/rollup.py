"""The roll-up stage: records of queue-panes become records of the metric and alert topics."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec.json import encode

from schemas.alerts import AlertRecord
from streams.engine.stage import ConfigurationRefusedError, Flush, Output
from streams.stages.counters import StageCounters
from streams.stages.panes import pane_partition
from streams.windows.customer_merge import CustomerMerge
from streams.windows.customer_windows import CUSTOMER_WINDOWS
from streams.windows.definitions import DefinitionChangedError
from streams.windows.rollup import RollUp
from streams.windows.scope_keys import configured_scope_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streams.configuration import Configuration
    from streams.engine.stage import Record
    from streams.windows.cells import Cells
    from streams.windows.scope_state import ScopeState

__all__ = ["RollUpStage", "RollUpTopics"]


#: Windows, and records of queue-panes, about customers.
_OF_CUSTOMERS = tuple(f"window|{name}|" for name in CUSTOMER_WINDOWS)
_CUSTOMER = "customer_"
_AGENT = "|-|agent:"


class RollUpTopics(NamedTuple):
    """The topics of roll-up: full names and partition counts."""

    panes: str
    pane_partitions: int
    metrics: str
    latest: str
    alerts: str
    alerts_latest: str
    contact_events: str
    contact_partitions: int
    agent_events: str
    agent_partitions: int
    agent_metrics: str = "agent-metrics"
    agent_metrics_latest: str = "agent-metrics-latest"
    customer_partitions: int = 1


class RollUpStage:
    """Rolls up one partition of queue-panes; its state is what it reads, so it has no rows."""

    def __init__(
        self,
        partition: int,
        configuration: Configuration,
        topics: RollUpTopics,
        counters: StageCounters | None = None,
        *,
        keep_everything: bool = False,
        cells_of: Callable[[ScopeState], tuple[Cells, Cells]] | None = None,
    ) -> None:
        self._topics = topics
        self._partition = partition
        self.counters = counters if counters is not None else StageCounters()
        self.rollup = RollUp(
            configuration,
            partition,
            [(topics.contact_events, number) for number in range(topics.contact_partitions)],
            [(topics.agent_events, number) for number in range(topics.agent_partitions)],
            keep_everything=keep_everything,
            cells_of=cells_of,
        )
        self.customers = CustomerMerge(configuration, topics.customer_partitions)
        #: shown in the flow's table: the windows' sums by scope and channel
        self.rows = self.rollup.scopes
        for scope, channel in sorted(configured_scope_keys(configuration), key=str):
            if pane_partition(scope, topics.pane_partitions) == partition:
                self.rollup.expect(scope, channel)

    def restore(self, topic: str, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Restore from queue-panes, or from the records that were published last."""
        if topic in {self._topics.latest, self._topics.agent_metrics_latest}:
            try:
                for key, value in rows:
                    name = key.decode()
                    if name.startswith(_OF_CUSTOMERS):
                        self.customers.restore(name, orjson.loads(value))
                    else:
                        self.rollup.restore_published(name, orjson.loads(value))
            except DefinitionChangedError as changed:
                raise ConfigurationRefusedError(changed) from changed
        elif topic == self._topics.alerts_latest:
            for key, value in rows:
                self.rollup.alerts.restore(key.decode(), AlertRecord.model_validate_json(value))
        else:
            for key, value in rows:
                self._apply(key.decode(), orjson.loads(value))

    def process(self, records: Sequence[Record]) -> None:
        """Apply changed panes; track wrote them, so none is malformed."""
        self.rollup.begin()
        apply, loads = self._apply, orjson.loads
        for record in records:
            apply((record.key or b"").decode(), None if record.value is None else loads(record.value))
        self.counters.events += len(records)

    def _apply(self, key: str, value: dict[str, Any] | None) -> None:
        (self.customers if key.startswith(_CUSTOMER) else self.rollup).apply(key, value)

    def collect(self) -> Flush:
        """Return the changed windows and alerts, for the topics of history and of latest records."""
        outputs: list[Output] = []
        topics, partition = self._topics, self._partition
        customers = ((key, None if record is None else encode(record)) for key, record in self.customers.changed_records())
        for key, value in chain(self.rollup.collect(), customers):
            name = key.encode()
            history, latest = (
                (topics.agent_metrics, topics.agent_metrics_latest)
                if _AGENT in key and _is_of_agent(key)
                else (topics.metrics, topics.latest)
            )
            if value is not None:
                outputs.append(Output(history, partition, name, value))
            outputs.append(Output(latest, partition, name, value))
        for change in self.rollup.alerts.changes():
            name = change.key.encode()
            value = None if change.record is None else encode(change.record.model_dump())
            if change.announced:
                outputs.append(Output(topics.alerts, partition, name, value))
            outputs.append(Output(topics.alerts_latest, partition, name, value))
        return Flush([], outputs)


def _is_of_agent(key: str) -> bool:
    """Return whether a record is about a single agent: it goes only to the topics of agents."""
    kind, *parts = key.split("|", 3)
    return kind == "window" and parts[1] == "-" and parts[2].startswith("agent:")
