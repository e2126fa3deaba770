"""The worker: the flows of track and roll up, built from the topic list and the configuration."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from schemas.audit import Actor, AuditObject
from schemas.topics import DEFAULT_PREFIX, Topic, topic
from streams.configuration.file import ConfigurationFile, configuration_hash, hand_over
from streams.engine.app import run_worker
from streams.engine.health import Health
from streams.engine.memory import collect_seldom, hold_until_release, release_regularly
from streams.engine.settings import EngineSettings, Flow
from streams.listening import HttpServer, Listening
from streams.serving.audit.auditor import audit_record, instance_of
from streams.serving.audit.writer import write_now
from streams.serving.broker import TopicError
from streams.serving.pipeline import pipeline_app
from streams.serving.reload import now_ms, watch
from streams.stages.counters import StageCounters
from streams.stages.customer_links import CustomerLinkStage
from streams.stages.customers import CustomerEventStage, CustomerStage, CustomerTopics
from streams.stages.customers_before import CustomersBeforeStage
from streams.stages.rollup import RollUpStage, RollUpTopics
from streams.stages.track import AgentStage, ContactStage, TrackTopics
from streams.topics import create_topics, topic_specs

if TYPE_CHECKING:
    from typing import NoReturn

    from streams.configuration import Configuration
    from streams.configuration.file import ChangedConfiguration

__all__ = ["FLOWS", "KafkaUnusableError", "WorkerSettings", "create_topics", "flows", "run", "topic_specs"]

logger = logging.getLogger(__name__)

#: Counting waits for the audit record.
_RECORDED_WITHIN_SECONDS = 3.0
#: The flows of a worker by name.
FLOWS = ("track-contacts", "track-agents", "track-customer-events", "customer-links", "customers", "customers-before", "roll-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings of a worker beside the configuration."""

    bootstrap: str
    prefix: str = DEFAULT_PREFIX
    replication: int = 1
    instance_id: str | None = None
    host: str = "127.0.0.1"
    #: Port of /metrics and the health pages; 0 takes a free one, None serves none.
    port: int | None = None
    #: Settings of that HTTP server.
    listening: Listening = field(default_factory=Listening)
    flush_interval_seconds: float = 0.2
    #: Compression of published records, as ``EngineSettings.compression``.
    compression: str | None = None
    #: Passed to every aiokafka client, as ``EngineSettings.client_options``; may hold a password.
    client_options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def flows(configuration: Configuration, prefix: str, app_id: str, counters: Mapping[str, StageCounters]) -> list[Flow]:
    """Return the flows that a worker runs, one per source topic."""
    panes, latest, alerts_latest = topic("queue-panes.v1"), topic("queue-metrics-latest.v1"), topic("alerts-latest.v1")
    agents_latest = topic("agent-metrics-latest.v1")
    contacts, agents, customers = topic("contact-events.v1"), topic("agent-events.v1"), topic("customer-events.v1")
    facts, links, facts_before = topic("customer-facts.v2"), topic("customer-links.v1"), topic("customer-facts.v1")

    def track_topics(source: Topic) -> TrackTopics:
        return TrackTopics(
            source=source.full_name(prefix),
            panes=panes.full_name(prefix),
            pane_partitions=panes.partitions,
            dead_letters=topic(source.dead_letters or "").full_name(prefix),
            consumer_group=app_id,
            now_ms=now_ms,
            # No figure about customers needs agents.
            customer_facts="" if source is agents else facts.full_name(prefix),
            customer_partitions=facts.partitions,
            customer_links=links.full_name(prefix),
            audit=topic("audit.v1").full_name(prefix),
        )

    roll_up = RollUpTopics(
        panes=panes.full_name(prefix),
        pane_partitions=panes.partitions,
        metrics=topic("queue-metrics.v1").full_name(prefix),
        latest=latest.full_name(prefix),
        alerts=topic("alerts.v1").full_name(prefix),
        alerts_latest=alerts_latest.full_name(prefix),
        contact_events=contacts.full_name(prefix),
        contact_partitions=contacts.partitions,
        agent_events=agents.full_name(prefix),
        agent_partitions=agents.partitions,
        agent_metrics=topic("agent-metrics.v1").full_name(prefix),
        agent_metrics_latest=agents_latest.full_name(prefix),
        customer_partitions=facts.partitions,
    )
    customer_topics = CustomerTopics(
        panes=roll_up.panes,
        pane_partitions=panes.partitions,
        facts=facts.full_name(prefix),
        partitions=facts.partitions,
        links=links.full_name(prefix),
        contact_events=roll_up.contact_events,
        contact_partitions=contacts.partitions,
        before=facts_before.full_name(prefix),
    )
    return [
        Flow(
            name="track-contacts",
            source=contacts.full_name(prefix),
            changelog=topic("track-contacts-state.v1").full_name(prefix),
            stage_factory=lambda p: ContactStage(p, configuration, track_topics(contacts), counters["track-contacts"]),
        ),
        Flow(
            name="track-agents",
            source=agents.full_name(prefix),
            changelog=topic("track-agents-state.v1").full_name(prefix),
            stage_factory=lambda p: AgentStage(p, configuration, track_topics(agents), counters["track-agents"]),
        ),
        Flow(
            name="track-customer-events",
            source=customers.full_name(prefix),
            changelog=topic("track-customer-events-state.v1").full_name(prefix),
            stage_factory=lambda p: CustomerEventStage(p, configuration, track_topics(customers), counters["track-customer-events"]),
        ),
        Flow(
            name="customer-links",
            source=customer_topics.links,
            changelog=topic("customer-links-state.v1").full_name(prefix),
            flushes_second=True,
            stage_factory=lambda _: CustomerLinkStage(configuration, customer_topics, counters["customer-links"]),
        ),
        Flow(
            name="customers",
            source=customer_topics.facts,
            changelog=topic("customers-state.v2").full_name(prefix),
            flushes_second=True,
            stage_factory=lambda p: CustomerStage(p, configuration, customer_topics, counters["customers"]),
        ),
        Flow(
            name="customers-before",
            source=customer_topics.before,
            changelog=topic("customers-state.v1").full_name(prefix),
            restore=(customer_topics.before,),
            stage_factory=lambda _: CustomersBeforeStage(customer_topics, counters["customers-before"]),
        ),
        Flow(
            name="roll-up",
            source=panes.full_name(prefix),
            restore=tuple(restored.full_name(prefix) for restored in (latest, agents_latest, alerts_latest, panes)),
            flushes_second=True,
            stage_factory=lambda p: RollUpStage(p, configuration, roll_up, counters["roll-up"]),
        ),
    ]


class KafkaUnusableError(Exception):
    """Kafka does not answer, or refuses what the worker needs at its start; the message states where, why and what to do."""


def run(settings: WorkerSettings, configuration: Configuration, file: ConfigurationFile | None = None) -> NoReturn:
    """Create missing topics, then track and roll up until SIGTERM or SIGINT.

    When ``file`` becomes another valid configuration, the worker flushes, stops, and restarts in place, as the same process: state is
    restored as after any restart, and neither a supervisor nor, with static membership, the group notices it.

    Raises:
        KafkaUnusableError: the worker cannot start; a supervisor tries again.
        PartitionMismatchError, TopicCreationError: as ``create_topics``.
    """
    collect_seldom()
    hold_until_release()
    try:
        asyncio.run(create_topics(settings.bootstrap, settings.prefix, settings.replication, **settings.client_options))
    except (KafkaError, OSError, TimeoutError) as error:
        message = f"Kafka at {settings.bootstrap} cannot be used: {error!r}. Start it, or set its address with --bootstrap."
        raise KafkaUnusableError(message) from error
    app_id = f"{settings.prefix}.worker"
    engine = EngineSettings(
        app_id=app_id,
        bootstrap=settings.bootstrap,
        flush_interval_seconds=settings.flush_interval_seconds,
        group_instance_id=settings.instance_id,
        heartbeats_topic=topic("worker-heartbeats.v1").full_name(settings.prefix),
        compression=settings.compression,
        client_options=settings.client_options,
    )
    counters = {name: StageCounters() for name in FLOWS}
    health = Health()

    async def serve_metrics(_health: Health) -> None:
        connections = settings.listening.connections()
        server = HttpServer(pipeline_app(health, counters, file, connections), connections, settings.listening)
        print(f"worker metrics {await server.start(settings.host, settings.port or 0)}/metrics", flush=True)  # noqa: T201
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()

    succession = _Succession()

    async def watch_file(_health: Health) -> None:
        if file is not None:
            await watch(file, succession.begin)

    try:
        run_worker(
            engine,
            flows(configuration, settings.prefix, app_id, counters),
            health=health,
            background=[release_regularly, *([] if settings.port is None else [serve_metrics]), *([] if file is None else [watch_file])],
        )
    except SystemExit as end:
        if not end.code and succession.taken is not None and file is not None:
            _record_change(settings, file, succession.taken)
            succession.complete()
        raise


def _record_change(settings: WorkerSettings, file: ConfigurationFile, taken: ChangedConfiguration) -> None:
    """Record in the audit that this worker now counts by another configuration; log a warning where Kafka refuses it."""
    about = AuditObject(
        file=file.path.name, hash_before=configuration_hash(file.running), hash_after=configuration_hash(taken.configuration)
    )
    actor, instance = Actor(kind="process", name="worker"), instance_of("worker")
    record = audit_record("configuration_changed", actor=actor, instance=instance, at=time.time(), about=about)
    writing = write_now(settings.bootstrap, settings.prefix, [record], settings.client_options)
    try:
        asyncio.run(asyncio.wait_for(writing, _RECORDED_WITHIN_SECONDS))
    except (TopicError, KafkaError, OSError, TimeoutError) as error:
        logger.warning("The change of the configuration is not in the audit: %r.", error)


class _Succession:
    """Restarts the same process with another configuration, unless an operator has stopped it meanwhile."""

    def __init__(self) -> None:
        #: The next configuration; None: no restart.
        self.taken: ChangedConfiguration | None = None

    def begin(self, taken: ChangedConfiguration) -> None:
        """Flush and stop, so that ``complete`` is reached."""
        if self.taken is None:
            logger.info("The configuration has changed: restarting with %s.", configuration_hash(taken.configuration))
            self.taken = taken
            os.kill(os.getpid(), signal.SIGTERM)
            # The engine handles only the first signal; a second one comes from an operator.
            asyncio.get_running_loop().call_later(0.1, self._handle_signals)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._cancel)

    def _cancel(self) -> None:
        self.taken = None

    def complete(self) -> None:
        """Replace this process image by a new one, if a restart was requested."""
        if self.taken is not None:
            hand_over(self.taken.text)
            logging.shutdown()
            sys.stdout.flush()
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - our own command line
