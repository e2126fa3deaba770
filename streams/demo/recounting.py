"""The demo's proof: every event is read back from the topics and recounted slowly, and the served figures must equal the recount."""

from __future__ import annotations

import asyncio
import importlib
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

import streams
from schemas.events import parse_agent_event, parse_contact_event, parse_customer_event
from schemas.topics import TOPICS, topic
from streams.catalogue.kpis import KPI_BY_ID, window_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schemas.base import Event
    from streams.configuration import Configuration
    from streams.demo.scrape import Scrape, Served

__all__ = ["Comparison", "Oracle", "Recount", "compare", "load_oracle", "read_events", "record_counts", "recount_events"]

_CONTACTS: Final = topic("contact-events.v1")
_AGENTS: Final = topic("agent-events.v1")
_CUSTOMERS: Final = topic("customer-events.v1")

#: A partition without records for this long is read to its end, whatever its end offset: transaction markers take offsets too.
_QUIET_SECONDS: Final = 3.0
#: Figures are the same numbers computed in another order.
_TOLERANCE: Final = 1e-9


class Recount(Protocol):
    """What ``tests.oracle.recount.recount`` returns."""

    as_of_ms: int | None
    complete_through_ms: int | None

    def scopes(self) -> list[tuple[str, str | None]]:
        """Return the scopes with their channels."""

    def window(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, dict[str, float | None]]:
        """Return the KPIs of a window, of intervals that begins then; without a begin of the one that holds as-of."""

    def intervals(self, scope: str, channel: str | None, minutes: int) -> Mapping[int, object]:
        """Return the intervals in which anything was counted, by their begin."""

    def by_label(
        self, scope: str, channel: str | None, name: str, start_ms: int | None = None
    ) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return the figures of a window by KPI and label."""

    def now(self, scope: str, channel: str | None) -> dict[str, Any]:
        """Return the current state at as-of."""

    def age_ms(self, scope: str, since_ms: int, as_of_ms: int) -> int:
        """Return the age of a contact that is in a backlog since an instant."""

    def targets(self) -> dict[tuple[str, str, str, str], dict[str, float | None]]:
        """Return the attainment of targets by KPI, scope, channel (empty: all) and window."""


class Oracle(Protocol):
    """The module ``tests.oracle.recount``."""

    def recount(
        self, events: Iterable[Event], configuration: Configuration, as_of_ms: int | None = None, complete_through_ms: int | None = None
    ) -> Recount:
        """Recount everything."""

    def progress_of(self, events: Iterable[Event], configuration: Configuration) -> Any:
        """Return the progress of one partition."""


def load_oracle() -> Oracle | None:
    """Return the recount of the checkout that the demo runs from; None where there is none, as in an installed package."""
    root = Path(streams.__file__ or "").resolve().parents[1]
    if not (root / "tests" / "oracle" / "recount.py").is_file():
        return None
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    oracle: Any = importlib.import_module("tests.oracle.recount")
    return oracle  # type: ignore[no-any-return]


async def read_events(bootstrap: str, prefix: str) -> dict[tuple[str, int], list[Event]]:
    """Return all committed events of the topics of events, by topic and partition."""
    events: dict[tuple[str, int], list[Event]] = {}
    for source, parse in ((_CONTACTS, parse_contact_event), (_AGENTS, parse_agent_event), (_CUSTOMERS, parse_customer_event)):
        name = source.full_name(prefix)
        for partition, values in (await _read(bootstrap, name)).items():
            events[name, partition] = [parse(value) for value in values]
    return events


async def record_counts(bootstrap: str, prefix: str) -> dict[str, int]:
    """Return the number of records of every topic, by its name without prefix."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        by_topic = {entry.name: [TopicPartition(entry.full_name(prefix), number) for number in range(entry.partitions)] for entry in TOPICS}
        ends = await consumer.end_offsets([partition for partitions in by_topic.values() for partition in partitions])
        return {name: sum(ends[partition] for partition in partitions) for name, partitions in by_topic.items()}
    finally:
        await consumer.stop()


async def _read(bootstrap: str, name: str) -> dict[int, list[bytes]]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(name, number) for number in sorted(await _partitions(consumer, name))]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        values: dict[int, list[bytes]] = {partition.partition: [] for partition in partitions}
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while loop.time() - quiet_since < _QUIET_SECONDS:
            positions = [await consumer.position(partition) for partition in partitions]
            if all(position >= ends[partition] for position, partition in zip(positions, partitions, strict=True)):
                break
            for partition, records in (await consumer.getmany(timeout_ms=200, max_records=5000)).items():
                values[partition.partition] += [record.value for record in records]
                quiet_since = loop.time()
        return values
    finally:
        await consumer.stop()


async def _partitions(consumer: Any, name: str) -> set[int]:
    await consumer.topics()
    partitions: set[int] = consumer.partitions_for_topic(name) or set()
    return partitions


def recount_events(oracle: Oracle, events: Mapping[tuple[str, int], Sequence[Event]], configuration: Configuration) -> Recount:
    """Recount the events as of the progress of their partitions."""
    # Events of customers do not affect the completeness of contacts.
    counted = [of_partition for (name, _), of_partition in events.items() if not name.endswith(_CUSTOMERS.name)]
    progress = [oracle.progress_of(of_partition, configuration) for of_partition in counted]
    received = [partition.received_through_ms for partition in progress if partition.received_through_ms is not None]
    complete = [partition.progress_ms for partition in progress]
    everything = [event for of_partition in events.values() for event in of_partition]
    return oracle.recount(everything, configuration, max(received), None if None in complete else min(complete))


@dataclass(slots=True)
class Comparison:
    """The result of comparing the served figures with the recount."""

    equal: int = 0
    #: One sentence for each difference.
    differences: list[str] = field(default_factory=list)


class _Expected:
    """Looks figures up in the recount, each window once."""

    def __init__(self, recount: Recount) -> None:
        self._recount = recount
        self.age_ms = recount.age_ms
        self.as_of_ms = recount.as_of_ms
        self.targets = recount.targets()
        self._windows: dict[tuple[str, str | None, str], dict[str, dict[str, float | None]]] = {}
        self._labels: dict[tuple[str, str | None, str], dict[str, dict[str, dict[str, float | None]]]] = {}
        self._now: dict[tuple[str, str | None], dict[str, Any]] = {}

    def window(self, scope: str, channel: str | None, name: str) -> dict[str, dict[str, float | None]]:
        key = (scope, channel, name)
        if key not in self._windows:
            self._windows[key] = self._recount.window(*key, self._start(*key))
        return self._windows[key]

    def _start(self, scope: str, channel: str | None, name: str) -> int | None:
        """Return the begin of the served interval: the newest with counts, None if that is the one of as-of."""
        if not name.startswith("interval_") or any(figure["numerator"] for figure in self._recount.window(scope, channel, name).values()):
            return None
        return max(self._recount.intervals(scope, channel, int(name.removeprefix("interval_").removesuffix("m"))), default=None)

    def by_label(self, scope: str, channel: str | None, name: str) -> dict[str, dict[str, dict[str, float | None]]]:
        key = (scope, channel, name)
        if key not in self._labels:
            self._labels[key] = self._recount.by_label(*key, self._start(*key))
        return self._labels[key]

    def now(self, scope: str, channel: str | None) -> dict[str, Any]:
        key = (scope, channel)
        if key not in self._now:
            self._now[key] = self._recount.now(*key)
        return self._now[key]


def compare(scrape: Scrape, recount: Recount, configuration: Configuration) -> Comparison:
    """Compare every served figure with the recount, and check that the served windows have all their figures."""
    expected = _Expected(recount)
    result = Comparison()
    name_of = {window_label(name): name for name in _window_names(configuration)}
    seen: set[tuple[str, str, str | None, str | None]] = set()
    targets: set[tuple[str, str, str, str]] = set()
    for served in scrape.figures():
        should = _should(expected, served, name_of)
        if served.of is None:
            seen.add((served.kpi, served.scope, served.channel, served.window))
        else:
            targets.add((served.of, served.scope, served.channel or "", name_of.get(served.window or "", served.window or "")))
        if _same(served.value, should):
            result.equal += 1
        else:
            what = " ".join(
                filter(None, (served.kpi, served.part, "of", served.of, served.scope, served.channel, served.window, served.label))
            )
            result.differences.append(f"{what}: served {served.value!r}, recounted {should!r}")
    for target, attained in expected.targets.items():
        if attained["value"] and target not in targets:  # a zero count need not be served
            result.differences.append(f"target_attainment of {' '.join(target)}: not served, recounted {attained['value']!r}")
    for label in sorted({window for *_, window in seen if window is not None}):
        for scope, channel in recount.scopes():
            for kpi, figure in expected.window(scope, channel, name_of.get(label, label)).items():
                # A zero count need not be served; every other value must be.
                if figure["value"] is not None and any(figure.values()) and (kpi, scope, channel, label) not in seen and kpi in KPI_BY_ID:
                    result.differences.append(f"{kpi} of {scope} {channel or ''} {label}: not served, recounted {figure['value']!r}")
    return result


def _window_names(configuration: Configuration) -> list[str]:
    counting = configuration.counting
    trailing = [f"trailing_{minutes}m" for minutes in counting.trailing_minutes]
    return [*trailing, *(f"interval_{minutes}m" for minutes in counting.interval_minutes), "day"]


def _should(expected: _Expected, served: Served, name_of: Mapping[str, str]) -> float | None:
    if served.of is not None:
        window = name_of.get(served.window or "", served.window or "")
        attained = expected.targets.get((served.of, served.scope, served.channel or "", window))
        return None if attained is None else attained[served.part]
    if served.window is not None and served.label is not None:
        by_label = expected.by_label(served.scope, served.channel, name_of.get(served.window, served.window))
        labelled = by_label.get(served.kpi, {}).get(served.label)
        return None if labelled is None else labelled[served.part]
    if served.window is not None:
        figures = expected.window(served.scope, served.channel, name_of.get(served.window, served.window))
        figure = figures.get(served.kpi)
        return None if figure is None else figure[served.part]
    now = expected.now(served.scope, served.channel)
    if served.label is not None:
        return float(now[served.kpi].get(served.label, 0))
    if served.kpi == "backlog_oldest":
        since, as_of = now.get("backlog_oldest_since_ms"), expected.as_of_ms
        return None if since is None or as_of is None else expected.age_ms(served.scope, since, as_of) / 1000
    value = now.get("longest_wait_seconds" if served.kpi == "longest_wait" else served.kpi)
    return None if value is None else float(value)


def _same(served: float, should: float | None) -> bool:
    if should is None:
        return math.isnan(served)
    return math.isclose(served, should, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
