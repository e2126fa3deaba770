"""Runs the readers, the delivery of alerts and the HTTP server together until stopped."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict
from zoneinfo import ZoneInfo

from schemas.audit import AuditObject
from schemas.topics import DEFAULT_PREFIX
from streams.access.views import EVERYTHING
from streams.catalogue import kind_of_window
from streams.configuration import Configuration
from streams.configuration.file import ConfigurationFile, configuration_hash
from streams.configuration.on_call import OnCall
from streams.listening import HttpServer, Listening
from streams.serving.agents import Agents, agents_topic
from streams.serving.alerting.action_log import KafkaActionLog
from streams.serving.alerting.actions import Actions, actions_topic
from streams.serving.alerting.current import current_of
from streams.serving.alerting.expectations import Outlook
from streams.serving.alerting.messages import message_of
from streams.serving.alerting.notifier import Notifier
from streams.serving.alerting.past import PastAlerts, history_topic
from streams.serving.alerts import Alerts
from streams.serving.api import Serving, create_app
from streams.serving.audit import PROCESS, Audit, NoAudit
from streams.serving.audit.auditor import Auditor, changed_file, instance_of
from streams.serving.audit.log import AuditLog
from streams.serving.audit.writer import AuditWriter
from streams.serving.call_backs import CallBacks, contacts_of, links_of
from streams.serving.client_certificates import ClientCertificates
from streams.serving.clients import Clients
from streams.serving.dead_letters import DeadLetterCounts, DeadLetterWatch
from streams.serving.delivery import Delivery
from streams.serving.door import Door, WatchedAccess
from streams.serving.event_log import EventLog, Limits
from streams.serving.explainer import Explainer
from streams.serving.exporter import DEFAULT_WINDOWS
from streams.serving.figures import Figures
from streams.serving.login.device_log import KafkaDeviceLog
from streams.serving.login.devices import Devices, devices_topic
from streams.serving.login.login import Login
from streams.serving.login.provider.logins import ProviderLogins
from streams.serving.outlook import outlook_of
from streams.serving.people import People
from streams.serving.reader import Reader, Readers, alerts_topic, latest_topic
from streams.serving.reload import now_ms, watch
from streams.serving.status import NOTHING_BROKEN, status_document
from streams.serving.store import Store
from streams.serving.webhook import Webhook
from streams.serving.workers import HeartbeatReader, Workers
from streams.windows.hours import OpeningHours
from streams.windows.targets import Terms

if TYPE_CHECKING:
    from streams.configuration.file import ChangedConfiguration

__all__ = ["ServeSettings", "run_serve"]

log = logging.getLogger(__name__)

#: One object, so that caches per configuration stay valid.
_NOTHING_CONFIGURED = Configuration()
#: How long running requests may take to end; event streams end at once.
_SHUTDOWN_SECONDS = 3.0
#: A task that has not ended this long after its cancellation is cancelled again.
_ENDS_WITHIN_SECONDS = 5.0
#: How often the status is checked for the log, and the codes that are not logged.
_CHECK_SECONDS: Final = 3.0
_NOT_LOGGED: Final = frozenset({"reading", "configuration_refused", "scopes_recovering", "scopes_catching_up"})
#: Limits of reading for one question to the API.
_EXPLAIN_LIMITS = Limits(megabytes=128, seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """The settings of ``contact-streams serve``. Without authentication of its own, it binds to this machine by default."""

    bootstrap: str = "127.0.0.1:9092"
    topic_prefix: str = DEFAULT_PREFIX
    host: str = "127.0.0.1"
    #: 0 takes a free port.
    port: int = 8080
    #: Limits of connections, TLS, and the host names of the server.
    listening: Listening = field(default_factory=Listening)
    #: Event streams at a time, in total and from one address.
    max_streams: int = 500
    max_streams_per_address: int = 250
    #: The windows that ``/metrics`` exports, named as in metric records.
    windows: tuple[str, ...] = DEFAULT_WINDOWS
    #: Service level targets by queue, shown beside the figure; 0 to 1.
    targets: Mapping[str, float] = field(default_factory=dict)
    #: Targets of figures, service levels of queues included.
    kpi_targets: tuple[Terms, ...] = ()
    #: ``queue:NAME`` or ``team:NAME`` → the sources that feed it; if it is missing, any silent source makes its figures doubtful.
    fed_by: Mapping[str, Collection[str]] = field(default_factory=dict)
    #: The sites and departments of queues and teams, as in `streams.configuration.access_places.places_by_scope`.
    places: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)
    #: Queue → its opening hours, if the age of its backlog is on the business clock.
    business: Mapping[str, OpeningHours] = field(default_factory=dict)
    #: The sources that are expected to send: one that never has is shown as silent.
    expected: frozenset[str] = frozenset()
    #: Passed to every aiokafka client: ``security_protocol``, ``ssl_context``, ``sasl_mechanism`` and related options.
    client_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    #: The webhook for alerts; None delivers none.
    webhook: Webhook | None = None
    #: The time zone of texts about alerts.
    zone: str = "UTC"
    #: The contact for faults.
    on_call: OnCall | None = None
    #: The configuration file of these settings, watched while serving, and the function that derives settings from a configuration.
    file: ConfigurationFile | None = None
    of_configuration: Callable[[Configuration], ServeSettings] | None = None
    #: Whether the API returns the contacts behind a figure, which needs contact events.
    explain: bool = False
    #: The rights of accounts, watched while serving; None: every request has all rights.
    access: WatchedAccess | None = None
    #: The client secret for the provider of the access file; empty for a public client.
    provider_secret: str = field(default="", repr=False)
    #: Whether the API serves figures of individual agents, which needs a topic of its own.
    agents: bool = False
    #: Whether accesses and actions are audited.
    audit: bool = False

    def __post_init__(self) -> None:
        for window in self.windows:
            kind_of_window(window)


class _Kafka(TypedDict):
    bootstrap: str
    client_options: Mapping[str, Any]


def _print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def run_serve(
    settings: ServeSettings,
    *,
    announce: Callable[[str], None] = _print_line,
    clock: Callable[[], float] = time.time,
    handle_signals: bool = True,
) -> None:
    """Serve until SIGTERM or SIGINT, or until cancelled; ``announce`` gets the line with the address.

    Raises:
        OSError: the address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT) if handle_signals else ()
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    store = Store()
    store.business, store.exported = settings.business, frozenset(settings.windows)
    store.expected = settings.expected
    alerts = Alerts()
    prefix, kafka = settings.topic_prefix, _Kafka(bootstrap=settings.bootstrap, client_options=settings.client_options)
    readers = Readers(Reader(store, topic_name=latest_topic(prefix), **kafka), Reader(alerts, topic_name=alerts_topic(prefix), **kafka))
    followers = [readers.figures.run, readers.alerts.run]
    actions = Actions()
    actions.concerns, actions.expects = alerts.resend, alerts.expect
    past = PastAlerts()
    followers.append(Reader(past, topic_name=history_topic(prefix), **kafka).run)
    followers.append(Reader(actions, topic_name=actions_topic(prefix), **kafka).run)
    delivery = None
    if settings.webhook is not None:
        delivery = Delivery(settings.webhook, topic_prefix=prefix, clock=clock, zone=settings.zone, **kafka)
        followers.append(delivery.run)
    workers = Workers(prefix)
    followers.append(HeartbeatReader(workers, topic_prefix=prefix, **kafka).run)
    dead_letters = DeadLetterCounts()
    followers.append(DeadLetterWatch(dead_letters, topic_prefix=prefix, **kafka).run)
    figures = Figures(store, readers, clock, settings.targets, alerts, settings.fed_by, settings.kpi_targets, workers)
    figures.on_call, figures.zone, figures.actions, figures.places = settings.on_call, settings.zone, actions, settings.places
    figures.past = past
    file = settings.file
    figures.configuration = _running(file)
    notifier = None
    if file is not None:

        def board_url() -> str | None:
            return _running(file).alerting.board_url or (None if settings.access is None else settings.access.running.public_url)

        notifier = Notifier(
            alerting=lambda: _running(file).alerting,
            compose=lambda alert: message_of(alert, current_of(store), ZoneInfo(_running(file).default_zone), board_url()),
            firing=lambda: [entry.record.alert_id for entry in alerts.chosen({"firing"})] if alerts.known else None,
            expects=lambda: _expected(figures, _running(file)),
            has_rules=lambda: any(rule.is_expected for rule in _running(file).alerts.values()),
            topic_prefix=prefix,
            clock=clock,
            deliveries=None if delivery is None else delivery.deliveries,
            **kafka,
        )
        followers.append(notifier.run)

    def log_of(events: str) -> EventLog:
        return EventLog(settings.bootstrap, prefix, settings.client_options, events=events)

    def configured() -> Configuration:
        return _running(file)

    explainer = call_backs = agents = people = None
    contacts = contacts_of(log_of("contact-events.v1"), configured, clock)
    if settings.explain or settings.agents:
        followers.append(contacts.run)
    if settings.explain:
        explainer = Explainer(log_of("contact-events.v1"), configured, _EXPLAIN_LIMITS)
        links = links_of(log_of("customer-events.v1"), configured, clock)
        followers.append(links.run)
        call_backs = CallBacks(contacts, links)
    if settings.agents:
        people = People(log_of("agent-events.v1"), configured, clock, contacts)
        followers.append(people.floor.run)
        agents = Agents()
        followers.append(Reader(agents, topic_name=agents_topic(prefix), **kafka).run)
    auditor = None
    if settings.audit:
        auditor = Auditor(AuditWriter(settings.bootstrap, prefix, settings.client_options), instance_of("serve"), clock)
    audit: Audit = NoAudit() if auditor is None else auditor
    if file is not None:
        followers.append(lambda: watch(file, lambda taken: _take(taken, settings, figures, delivery, audit)))
    access, door, login, provider_logins = settings.access, None, None, None
    if access is not None:
        devices = Devices()
        followers.append(Reader(devices, topic_name=devices_topic(prefix), **kafka).run)
        secure = settings.listening.is_secure or (access.running.public_url or "").startswith("https://")
        login = Login(access, secure=secure, devices=devices, log=KafkaDeviceLog(devices, topic_prefix=prefix, **kafka), clock=clock)
        followers.append(login.tend)
        provider_logins = ProviderLogins(login, client_secret=settings.provider_secret, audit=audit)
        followers.append(provider_logins.run)
        door = Door(
            access,
            configuration=lambda: _running(file),
            signed_in=store.signed_in,
            identifiers=(ClientCertificates(access, clock), *login.identifiers, provider_logins),
            audit=audit,
            login="/login",
            clock=clock,
        )
        followers.append(lambda: watch(access, lambda _: audit.record("access_changed", principal=PROCESS, about=changed_file(access))))
    followers.append(lambda: _log_status(figures, file))
    delivering = notifier if _running(file).alerting.receivers else delivery
    delivered = None if delivering is None else delivering.deliveries
    connections = settings.listening.connections()
    serving = Serving(
        figures,
        settings.windows,
        deliveries=delivered,
        file=file,
        explainer=explainer,
        call_backs=call_backs,
        agents=agents,
        people=people,
        connections=connections,
        clients=Clients(settings.max_streams, settings.max_streams_per_address),
        door=door,
        login=login,
        provider_logins=provider_logins,
        audit=audit,
        dead_letters=dead_letters,
        action_log=KafkaActionLog(actions, topic_prefix=prefix, **kafka),
        audit_log=None if auditor is None else lambda: AuditLog(settings.bootstrap, prefix, settings.client_options),
    )
    server = HttpServer(create_app(serving), connections, settings.listening, shutdown_timeout=_SHUTDOWN_SECONDS)
    tasks: list[asyncio.Task[object]] = []
    auditing: list[asyncio.Task[object]] = []
    try:
        announce(f"serving {await server.start(settings.host, settings.port)}/")
        tasks = [asyncio.create_task(run()) for run in followers] + [asyncio.create_task(stop.wait())]
        auditing = [] if auditor is None else [asyncio.create_task(auditor.run())]
        done, _ = await asyncio.wait(tasks + auditing, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # a reader ends only by an unexpected error: end the process, do not serve old figures
    finally:
        await _end(tasks)
        await server.stop()
        if auditor is not None:
            # Record what ended with the server, too.
            await auditor.finish()
        await _end(auditing)
        for number in signals:
            loop.remove_signal_handler(number)


async def _log_status(figures: Figures, file: ConfigurationFile | None) -> NoReturn:
    """Log the status as one sentence when it changes."""
    before = "reading"
    while True:
        await asyncio.sleep(_CHECK_SECONDS)
        refused_ms = None if file is None or file.valid else file.changed_ms
        status = status_document(figures.seen(EVERYTHING, refused_ms), ZoneInfo(figures.zone), figures.on_call)
        # During a retry it is unknown whether Kafka answers; single sources and scopes are shown on the page.
        if status["code"] != before and status["code"] not in _NOT_LOGGED:
            before = status["code"]
            log.log(logging.INFO if before in NOTHING_BROKEN else logging.WARNING, "%s", status["text_en"])


async def _end(tasks: Iterable[asyncio.Task[object]]) -> None:
    """Cancel tasks until they have ended: a library may swallow a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_ENDS_WITHIN_SECONDS)


async def _expected(figures: Figures, configuration: Configuration) -> Outlook | None:
    """Return the outlook of queues; None while figures are stale."""
    if figures.stale or figures.store.as_of_ms is None:
        return None
    store = figures.store.copy()
    document = await asyncio.to_thread(outlook_of, store, configuration, figures.targets)
    return Outlook(store.as_of_ms or 0, document["outlook"], configuration.alerts)


def _running(file: ConfigurationFile | None) -> Configuration:
    return _NOTHING_CONFIGURED if file is None else file.running


def _take(taken: ChangedConfiguration, settings: ServeSettings, figures: Figures, delivery: Delivery | None, audit: Audit) -> None:
    """Apply another configuration, and send everything to all clients again."""
    if settings.file is None or settings.of_configuration is None:
        return
    changed = settings.of_configuration(taken.configuration)
    figures.targets, figures.kpi_targets, figures.fed_by = changed.targets, changed.kpi_targets, changed.fed_by
    figures.on_call, figures.zone, figures.places = changed.on_call, changed.zone, changed.places
    figures.configuration = taken.configuration
    figures.store.business, figures.store.expected = changed.business, changed.expected
    if delivery is not None:
        delivery.zone = ZoneInfo(changed.zone)
    figures.store.resend_all()
    before, after = configuration_hash(settings.file.running), configuration_hash(taken.configuration)
    about = AuditObject(file=settings.file.path.name, hash_before=before, hash_after=after)
    audit.record("configuration_changed", principal=PROCESS, about=about)
    settings.file.mark_running(taken.configuration, now_ms())
    log.info("The configuration has changed: %s.", settings.file.status)
