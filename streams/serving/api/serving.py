"""The state that handlers of the application share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from aiohttp import web

from streams.access.views import EVERYTHING, View
from streams.configuration import Configuration
from streams.configuration.file import ConfigurationFile
from streams.listening import Connections, client_of
from streams.serving.agents import Agents
from streams.serving.alerting.action_log import ActionLog
from streams.serving.audit import Audit, NoAudit
from streams.serving.audit.log import AuditLog
from streams.serving.cached import CachedAnswer
from streams.serving.call_backs import CallBacks
from streams.serving.clients import Clients
from streams.serving.dead_letters import DeadLetterCounts
from streams.serving.deliveries import Deliveries
from streams.serving.door import PRINCIPAL, Door
from streams.serving.earlier import Earlier
from streams.serving.events import Feed
from streams.serving.explainer import Explainer
from streams.serving.exporter import DEFAULT_WINDOWS, FigureCollector, Process
from streams.serving.figures import Figures
from streams.serving.login.login import Login
from streams.serving.login.provider.logins import ProviderLogins
from streams.serving.people import People
from streams.serving.targets import shows_terms
from streams.serving.turns import SCRAPES_WAITING, Turns
from streams.windows.exceptions import Exceptions

__all__ = ["CUSTOMERS", "EARLIER", "FEED", "OUTLOOK", "SERVING", "TARGETS", "TODAY", "TRENDS", "Serving", "asker_of"]


@dataclass(frozen=True, slots=True)
class Serving:
    """The tables and services of the application, and its limits."""

    figures: Figures
    #: The windows that ``/metrics`` exports, named as in metric records.
    windows: tuple[str, ...] = DEFAULT_WINDOWS
    #: An empty event is sent after this long without changes: proxies close silent connections, and the page takes silence for a cut.
    heartbeat_seconds: float = 2.0
    #: The connections of open event streams, and how many there may be.
    clients: Clients = field(default_factory=Clients)
    #: The owner of a request without an account: by default its address.
    whose: Callable[[web.Request], str] = field(default=lambda request: client_of(request.remote or ""))
    #: Deliveries of alerts by this process; None where it delivers none.
    deliveries: Deliveries | None = None
    #: The configuration file, where there is one.
    file: ConfigurationFile | None = None
    #: Finds the contacts behind a figure; None where that is off.
    explainer: Explainer | None = None
    #: Finds the callers to call back; None where that is off.
    call_backs: CallBacks | None = None
    #: Figures of single agents; None where they are not served.
    agents: Agents | None = None
    #: States of single agents; None where they are not served.
    people: People | None = None
    #: The connections of the server, where it counts them.
    connections: Connections | None = None
    #: Grants views to accounts; None: every client sees everything.
    door: Door | None = None
    #: Records actions.
    audit: Audit = field(default_factory=NoAudit)
    #: Returns a new reader of the audit; None where nothing is recorded.
    audit_log: Callable[[], AuditLog] | None = None
    #: Writes actions on alerts; None where there is no Kafka.
    action_log: ActionLog | None = None
    #: Counts of dead letters; None where they are not counted.
    dead_letters: DeadLetterCounts | None = None
    #: One request reads the audit at a time.
    audit_turns: Turns = field(default_factory=Turns)
    #: One scrape is written at a time.
    scrape_turns: Turns = field(default_factory=lambda: Turns(waiting_each=SCRAPES_WAITING))
    #: One export is written and sent at a time.
    export_turns: Turns = field(default_factory=Turns)
    #: Logs users and screens in; None where there is no door.
    login: Login | None = None
    #: Logins at the provider of the access file; None where there is no access file.
    provider_logins: ProviderLogins | None = None

    @property
    def configuration(self) -> Configuration:
        """The current configuration."""
        return Configuration() if self.file is None else self.file.running

    @property
    def configured(self) -> dict[str, str]:
        """The state of the configuration and of TLS for health pages."""
        listening = {} if self.connections is None else self.connections.status
        return {**({} if self.file is None else {"configuration": self.file.status}), **listening}

    @property
    def refused_since_ms(self) -> int | None:
        """Since when a changed configuration is refused, in ms; None where none is."""
        return None if self.file is None or self.file.valid else self.file.changed_ms

    def collector(self, view: View = EVERYTHING) -> FigureCollector:
        """Return the current metrics that a view shows, safe to read in another thread."""
        figures = self.figures
        header = figures.header(view)
        return FigureCollector(
            figures.store.copy(),
            figures.readers,
            windows=self.windows,
            version=_version(),
            sources=header["sources"].keys(),
            process=self._process(view),
            recovering=len(header["recovering"]),
            targets=figures.targets,
            kpi_targets=[terms for terms in figures.kpi_targets if shows_terms(view, terms)],
            exceptions=Exceptions(self.configuration),
            alerts=figures.alerts.copy(),
            view=view,
        )

    def _process(self, view: View) -> Process | None:
        """Return the metrics of the process; None for a restricted view, which must not show the load of the center."""
        if view.scopes is not None:
            return None
        return Process(
            clients=len(self.clients),
            stalled=self.figures.stalled,
            rejected=sum(each.rejected for each in (self.figures.store, self.figures.alerts)),
            delivered=None if self.deliveries is None else self.deliveries.at(self.figures.clock()),
            file=self.file,
            connections=() if self.connections is None else tuple(self.connections.collect()),
            audit=tuple(self.audit.collect()),
        )


SERVING = web.AppKey("serving", Serving)
FEED = web.AppKey("feed", Feed)
TRENDS = web.AppKey("trends", CachedAnswer)
OUTLOOK = web.AppKey("outlook", CachedAnswer)
TARGETS = web.AppKey("targets", CachedAnswer)
TODAY = web.AppKey("today", CachedAnswer)
CUSTOMERS = web.AppKey("customers", CachedAnswer)
EARLIER = web.AppKey("earlier", Earlier)


def asker_of(request: web.Request) -> str:
    """Return the owner of a request for limits per client: its account, or its address where no account is known."""
    principal = request.get(PRINCIPAL)
    return request.app[SERVING].whose(request) if principal is None else principal.account


def _version() -> str:
    try:
        return version("contact-streams")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
