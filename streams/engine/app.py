"""The Faust app of a worker: one agent and one table per flow, and the process that runs them."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import faust

from streams.engine.exits import ExitCode, leave
from streams.engine.health import Health
from streams.engine.heartbeats import Heartbeats
from streams.engine.ownership import Ownership
from streams.engine.table import EngineTable, EngineTableManager
from streams.engine.transport import ChunkSchema, Transport
from streams.engine.watch import Watch

if TYPE_CHECKING:
    from streams.engine.owner import Owner
    from streams.engine.settings import EngineSettings, Flow

__all__ = ["Background", "EngineApp", "build_app", "run_worker"]

#: The answer to a heartbeat reports that another worker joins, which waits for this one before it starts.
_HEARTBEAT_SECONDS = 0.5

#: Within the half minute that supervisors allow; without Kafka no clean stop is possible.
_END_SECONDS = 25.0

#: Runs in the worker's loop from its start to its end, a metrics server for instance.
Background = Callable[[Health], Awaitable[None]]

logger = logging.getLogger(__name__)


class EngineApp(faust.App):
    """Faust's app on the transport of this package."""

    health: Health
    background: Sequence[Background] = ()

    def attach(self, settings: EngineSettings, flows: Sequence[Flow], health: Health) -> None:
        """Declare the table and the agent of every flow."""
        self.health = health
        self._engine_settings = settings
        self._flows = flows
        self._ownership: Ownership | None = None
        self.heartbeats = Heartbeats(settings, health, self._member_id)
        for flow in flows:
            self.Table(flow.name, changelog_topic=self.topic(flow.changelog or flow.source))
            self._declare(flow)

    def _declare(self, flow: Flow) -> None:
        async def process(chunks: faust.Stream[Any]) -> None:
            # Compiled, Faust's stream keeps every acknowledged offset until it commits, whatever the consumer's `ack` does.
            async for of_one_fetch in chunks.noack():
                for chunk in of_one_fetch:
                    self.ownership.process(chunk)

        self.agent(self.topic(flow.source, schema=ChunkSchema()), name=f"{flow.name}-agent")(process)

    @property
    def client_options(self) -> Mapping[str, Any]:
        """Options of every Kafka client beside its own settings."""
        return self._engine_settings.client_options

    @property
    def ownership(self) -> Ownership:
        """The owned partitions; created in the running loop on first use."""
        if self._ownership is None:
            self._ownership = Ownership(self._engine_settings, self._flows, self.health, self._show, self._hide)
        return self._ownership

    def _member_id(self) -> str:
        consumer: Any = self.consumer
        member: str = consumer.member_id
        return member

    def _show(self, owner: Owner) -> None:
        self._rows(owner).add(owner.source.partition, owner.rows)

    def _hide(self, owner: Owner) -> None:
        self._rows(owner).drop(owner.source.partition)

    def _rows(self, owner: Owner) -> Any:
        return self.tables[owner.flow.name].data.data

    async def on_first_start(self) -> None:
        """Replaces app/base.py, App.on_first_start, which creates data folders: all state is in Kafka."""
        self.add_future(Watch(self._engine_settings, self.health).run())
        self.heartbeats.start()
        for background in self.background:
            self.add_future(background(self.health))

    def _new_transport(self) -> Transport:
        """Replaces app/base.py, App._new_transport, which finds transports by URL."""
        return Transport(self.conf.broker_consumer, self)


class _Worker(faust.Worker):
    """Faust's worker, which stops without a pause."""

    async def _sentinel_task(self) -> None:
        """Replaces mode/worker.py, Worker._sentinel_task, which waits a second before the loop is closed."""
        await asyncio.sleep(0)

    def _schedule_shutdown(self, signal: Any) -> None:
        """Extends mode/worker.py, Worker._schedule_shutdown, which waits for Kafka without limit: unflushed records are read again."""
        if not self._signal_stop_time:
            timer = threading.Timer(_END_SECONDS, leave, (ExitCode.FLUSH_FAILED, "Could not stop cleanly within %g s.", _END_SECONDS))
            timer.daemon = True
            timer.start()
        super()._schedule_shutdown(signal)

    def _on_sigusr1(self) -> None:
        """Replaces mode/worker.py, Worker._on_sigusr1, which logs every stack, with the content of rows."""
        logger.warning("SIGUSR1 is ignored: the worker continues.")

    def _on_sigusr2(self) -> None:
        """Replaces mode/worker.py, Worker._on_sigusr2, which stops the worker in a debugger."""
        logger.warning("SIGUSR2 is ignored: the worker continues.")


def build_app(settings: EngineSettings, flows: Iterable[Flow], health: Health | None = None) -> EngineApp:
    """Return the Faust app that runs ``flows`` and keeps ``health`` up to date."""
    flows = tuple(flows)
    for field, names in (("name", [flow.name for flow in flows]), ("source", [flow.source for flow in flows])):
        if len(set(names)) < len(names):
            raise ValueError(f"Two flows have the same {field}: {sorted(names)}.")
    app = EngineApp(
        settings.app_id,
        # By default Faust lets the environment override these settings: BROKER_URL, APP_VERSION, STREAM_WAIT_EMPTY and 76 more.
        env={},
        broker=[f"kafka://{server.strip()}" for server in settings.bootstrap.split(",")],
        broker_client_id=settings.client_id,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=min(_HEARTBEAT_SECONDS, settings.session_timeout_seconds / 5),
        broker_rebalance_timeout=settings.rebalance_timeout_seconds,
        broker_request_timeout=max(40.0, settings.session_timeout_seconds + 5),
        broker_max_poll_records=settings.max_poll_records,
        consumer_group_instance_id=settings.group_instance_id,
        producer_request_timeout=40.0,
        # Chunks, not events, as many as one fetch may return: they wait in memory.
        stream_buffer_maxsize=8,
        # A rebalance waits for the current chunk anyway, it cannot be interrupted; the others are cleared.
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        TableManager=EngineTableManager,
        Table=EngineTable,
        table_standby_replicas=0,
        topic_allow_declare=False,
        topic_disable_leader=True,
        # Faust compares this address with the one in the stored assignment of a static member and would crash
        # on a new host name; nothing listens on it.
        canonical_url="http://worker",
        web_enabled=False,
    )
    app.attach(settings, flows, health or Health())
    return app


def run_worker(
    settings: EngineSettings,
    flows: Iterable[Flow],
    *,
    health: Health | None = None,
    background: Sequence[Background] = (),
) -> NoReturn:
    """Run ``flows`` in this process until SIGTERM or SIGINT, then flush and exit with 0.

    The caller configures logging and creates the topics (``ensure_topics``). Any failure ends the process with
    one of ``exits.ExitCode``; its supervisor restarts it.
    """
    app = build_app(settings, flows, health)
    app.background = background
    worker = _Worker(app, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    worker.execute_from_commandline()
    raise SystemExit(0)
