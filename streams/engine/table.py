"""The state as a Faust table that reads it: partitions come and go with the assignment, and only stages write.

Replaces internals of faust-streaming 0.15.3, named at each override.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, NoReturn

from faust.stores import memory
from faust.tables import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table

if TYPE_CHECKING:
    from faust.types import TP

__all__ = ["EngineTable", "EngineTableManager", "PartitionedRows"]


class PartitionedRows(Mapping[Any, Any]):
    """The rows of all owned partitions as one mapping; a key is in one partition only."""

    def __init__(self) -> None:
        """Start without partitions."""
        self._partitions: dict[int, Mapping[Any, Any]] = {}

    def add(self, partition: int, rows: Mapping[Any, Any]) -> None:
        """Show ``rows``, a live mapping, as ``partition``."""
        self._partitions[partition] = rows

    def drop(self, partition: int) -> None:
        """Remove ``partition``."""
        self._partitions.pop(partition, None)

    def partition(self, partition: int) -> Mapping[Any, Any]:
        """Return the rows of one owned partition."""
        return self._partitions[partition]

    @property
    def partitions(self) -> list[int]:
        """The owned partitions."""
        return sorted(self._partitions)

    def __getitem__(self, key: Any) -> Any:
        """Return the value of ``key`` from the partition that has it."""
        for rows in self._partitions.values():
            if key in rows:
                return rows[key]
        raise KeyError(key)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the keys of all owned partitions."""
        return chain.from_iterable(self._partitions.values())

    def __len__(self) -> int:
        """Count the rows of all owned partitions."""
        return sum(map(len, self._partitions.values()))


class _Store(memory.Store):
    """Faust's view of the rows. Replaces stores/memory.py, whose keys outlast their partitions."""

    def __post_init__(self) -> None:
        self.data = PartitionedRows()

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Do nothing: the engine adds and drops partitions."""


class EngineTable(Table):
    """A table that Faust agents, views and tests read; its stage is the only writer."""

    rows: PartitionedRows

    def _new_store(self) -> _Store:
        """Replaces tables/base.py, Collection._new_store, which finds stores by URL."""
        store = _Store("memory://", self.app, self, table_name=self.name, loop=self.loop)
        self.rows = store.data
        return store

    async def on_start(self) -> None:
        """Replaces tables/base.py, Collection.on_start, which would also declare the changelog topic."""
        await self.add_runtime_dependency(self.data)

    def on_key_set(self, key: Any, value: Any) -> NoReturn:  # noqa: ARG002 - Faust's signature
        """Replaces tables/table.py, Table.on_key_set, which publishes outside of the flush's transaction."""
        self._refuse()

    def on_key_del(self, key: Any) -> NoReturn:  # noqa: ARG002 - Faust's signature
        """Replaces tables/table.py, Table.on_key_del, for the same reason."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TypeError(f"Rows of {self.name} are written by its stage and become durable with its flush.")


class _RecoveryAfterOwnership(Recovery):
    """Faust's recovery, which reads nothing: it waits for the engine's restoring and resumes the streams."""

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Wait before tables/recovery.py, Recovery.on_recovery_completed, seeks and resumes; then seek once more.

        Faust runs this outside of the rebalance callback, where the consumer sends no heartbeats, and cancels it when the next rebalance
        begins. It resumes the flow before it seeks and clears the queues after it, so a chunk fetched in between is lost; after the
        second seek none is.
        """
        await self.app.ownership.restored()
        await super().on_recovery_completed(generation_id)
        if generation_id == self.app.consumer_generation_id:
            await self.app.consumer.perform_seek()


class EngineTableManager(TableManager):
    """Knows the tables but none of their changelogs, so Faust subscribes to, recovers from and writes to none."""

    def add(self, table: EngineTable) -> EngineTable:
        """Replaces tables/manager.py, TableManager.add, which registers the changelog topic for recovery.

        Faust's recovery waits for "position = high water", which is never true on a topic that ends with a transaction marker.
        """
        if table.name in self:
            raise ValueError(f"There is a table named {table.name} already.")
        self[table.name] = table
        return table

    async def on_start(self) -> None:
        """Replaces tables/manager.py, TableManager.on_start, which first sleeps a second for tables created while Faust starts."""
        await self._update_channels()
        await self.recovery.start()

    _recovery: Recovery | None

    async def _update_channels(self) -> None:
        """Replaces tables/manager.py, TableManager._update_channels, which subscribes to the changelogs."""
        self._tables_finalized.set()
        for table in self.values():
            await table.maybe_start()
        self._tables_registered.set()

    @property
    def recovery(self) -> Recovery:
        """Replaces tables/manager.py, TableManager.recovery."""
        if self._recovery is None:
            self._recovery = _RecoveryAfterOwnership(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery
