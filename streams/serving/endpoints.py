"""The endpoints of ``serve`` with their rights: the one table of routes, guard, OpenAPI, documents and the matrix test."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import BaseModel

from schemas.alert_actions import Acknowledgement, Silence
from schemas.alerts import AlertRecord
from schemas.api import (
    AbandonedAnswer,
    AcknowledgeBody,
    AgentsAnswer,
    AlertHistoryAnswer,
    AlertsAnswer,
    AlertsMessage,
    AliveAnswer,
    AliveMessage,
    AuditAnswer,
    BoardsAnswer,
    CallOrder,
    CatalogueAnswer,
    ChangeMessage,
    ContactsAnswer,
    ContactsReadingAnswer,
    CustomersAnswer,
    EarlierAnswer,
    ExplainAnswer,
    FiguresAnswer,
    IntervalsAnswer,
    OpenApiDocument,
    OutlookAnswer,
    PeopleAnswer,
    PersonState,
    QueueAnswer,
    ReadyAnswer,
    SessionAnswer,
    SessionsAnswer,
    SilenceBody,
    SilencesAnswer,
    SnapshotMessage,
    SourcesAnswer,
    StandingAnswer,
    TargetsAnswer,
    TodayAnswer,
    TrendsAnswer,
)
from schemas.audit import ACTIONS
from schemas.metrics import ScopeKind
from streams.access.rights import Right
from streams.catalogue import KPI_BY_ID, LANGUAGES
from streams.explaining import EXPLAINED
from streams.serving.page_files import PAGE_FILES
from streams.serving.paging import MAX_LIMIT

__all__ = ["ENDPOINTS", "ENDPOINT_BY_NAME", "MAX_LISTED", "Endpoint", "Parameter"]

_Method = Literal["GET", "POST", "DELETE"]

#: The most conversations that an answer of ``explain`` lists per part.
MAX_LISTED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A query parameter."""

    name: str
    about: str
    example: str
    required: bool = False
    #: Whether it may be repeated.
    many: bool = False
    #: Whether the document omits the example, because it conflicts with those of other parameters.
    omits_example: bool = False
    #: The JSON Schema of one value.
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path."""

    #: Also the name of the route: ``request.match_info.route.name``.
    name: str
    method: _Method = "GET"
    #: As in the router; parameters of the path are in braces.
    path: str
    #: The right that it requires; None for none.
    right: Right | None
    about: str
    parameters: tuple[Parameter, ...] = ()
    #: The type of the JSON body.
    body: type[BaseModel] | None = None
    #: The type of a JSON answer with status 200.
    answer: type[BaseModel] | None = None
    #: The media types of an answer with status 200.
    media: tuple[str, ...] = ("application/json",)
    #: Its own statuses; those of the guard, of parameters and of every answer are added.
    statuses: tuple[int, ...] = (200,)
    #: The statuses with the same content as 200; the others are problems.
    answered: frozenset[int] = frozenset({200})
    #: Event of a stream → the type of its message.
    messages: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    #: Whether answers have an ETag.
    tagged: bool = False
    #: Whether HEAD is answered, too.
    head: bool = True
    #: Whether it is part of the API, not of the pages.
    documented: bool = True

    @property
    def template(self) -> str:
        """The path with the bare names of its parameters."""
        return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", self.path)

    @property
    def path_parameters(self) -> list[str]:
        """The names of the parameters of the path."""
        return re.findall(r"\{(\w+)", self.template)

    @property
    def all_statuses(self) -> tuple[int, ...]:
        """All its statuses; 400 and 421 without content if the request names no host of this server."""
        statuses = {*self.statuses, 400, 421}
        if self.tagged:
            statuses.add(304)
        if self.right is not None:
            # 429: too many requests of the account; 503: the sessions have not been read yet.
            statuses |= {401, 403, 429, 503}
            if "text/html" in self.media:
                # A page is redirected to the login.
                statuses.add(303)
        return tuple(sorted(statuses))

    @property
    def paged(self) -> bool:
        """Whether the answer has pages."""
        return any(parameter.name == "cursor" for parameter in self.parameters)


_INSTANT = {"type": "string", "format": "date-time"}
_WINDOW_NAME = {"type": "string", "pattern": "^((trailing|interval)_[0-9]{1,5}m|day|customers_day|customers_month)$"}
_WINDOW = Parameter(
    name="window", about="Only the records of this window, and the current ones.", example="trailing_15m", many=True, schema=_WINDOW_NAME
)
_OF_CONTACTS = (
    Parameter(name="queue", about="Name of the queue; this or `scope` is required.", example="sales"),
    Parameter(
        name="scope",
        about="A site, a department, a business or the center, in place of a queue.",
        example="total:all",
        omits_example=True,
    ),
    Parameter(
        name="kpi",
        about="Id of the KPI.",
        example="abandoned",
        required=True,
        schema={"enum": [*EXPLAINED, "waiting", "longest_wait"]},
    ),
    Parameter(name="window", about="The window; trailing_15m by default, none for waiting contacts.", example="day", schema=_WINDOW_NAME),
    Parameter(name="channel", about="The channel, if there are several.", example="voice"),
    Parameter(
        name="at",
        about="The window that holds this instant; the newest by default.",
        example="2026-03-29T12:00:00Z",
        schema=_INSTANT,
    ),
)
_PAGES = (
    Parameter(
        name="limit",
        about=f"Records of one page, 1 to {MAX_LIMIT}; all by default.",
        example="1000",
        schema={"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    ),
    Parameter(
        name="cursor",
        about="The start of the page: from the Link of the previous page.",
        example="bm93fHZvaWNlfHF1ZXVlOnNhbGVz",
        schema={"type": "string", "pattern": "^[A-Za-z0-9_-]*$"},
    ),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        name="metrics",
        path="/metrics",
        right="figures",
        about="All figures for Prometheus.",
        media=("text/plain", "application/openmetrics-text"),
        statuses=(200, 429),
    ),
    Endpoint(
        name="figures",
        path="/api/v1/figures",
        right="figures",
        about="The newest records of all scopes by key.",
        parameters=(_WINDOW, *_PAGES),
        answer=FiguresAnswer,
        tagged=True,
    ),
    Endpoint(
        name="queue",
        path="/api/v1/queues/{queue:.+}",
        right="figures",
        about="The figures of one queue, by channel.",
        answer=QueueAnswer,
        statuses=(200, 404),
        tagged=True,
    ),
    Endpoint(
        name="alerts",
        path="/api/v1/alerts",
        right="figures",
        about="The state of every alert.",
        parameters=(
            Parameter(
                name="state",
                about="Only alerts in this state.",
                example="firing",
                many=True,
                schema={"enum": list(get_args(AlertRecord.model_fields["state"].annotation))},
            ),
            *_PAGES,
        ),
        answer=AlertsAnswer,
        tagged=True,
    ),
    Endpoint(
        name="alert_history",
        path="/api/v1/alerts/history",
        right="figures",
        about="The history of alerts, the newest first: fired, delivered, acknowledged, escalated, cleared, and by whom.",
        parameters=(
            Parameter(name="since", about="Only alerts that fired from this instant on.", example="2026-03-29T12:00:00Z", schema=_INSTANT),
            Parameter(name="rule", about="Only alerts of this rule.", example="low-service-level", many=True),
            Parameter(
                name="scope",
                about="Only alerts about this scope, KIND:NAME.",
                example="queue:sales",
                many=True,
                schema={"type": "string", "pattern": f"^({'|'.join(get_args(ScopeKind))}):.+$"},
            ),
            Parameter(
                name="limit",
                about="Alerts of one page; 100 by default.",
                example="100",
                schema={"type": "integer", "minimum": 1, "maximum": 1000},
            ),
            Parameter(
                name="cursor",
                about="The start of the page: from the Link of the previous page.",
                example="MjAyNi0wMy0yOVQxMjowMDowMFp8MQ",
                schema={"type": "string", "pattern": "^[A-Za-z0-9_-]*$"},
            ),
        ),
        answer=AlertHistoryAnswer,
        tagged=True,
    ),
    Endpoint(
        name="acknowledge",
        method="POST",
        path="/api/v1/alerts/{alert}/acknowledgement",
        right="alerts",
        about="Acknowledge an alert that fires: it is no longer escalated. The first acknowledgement stays.",
        body=AcknowledgeBody,
        answer=Acknowledgement,
        statuses=(200, 400, 404, 408, 413, 415, 503),
    ),
    Endpoint(
        name="silences",
        path="/api/v1/silences",
        right="figures",
        about="The silences: alerts without notifications, and until when.",
        answer=SilencesAnswer,
    ),
    Endpoint(
        name="make_silence",
        method="POST",
        path="/api/v1/silences",
        right="alerts",
        about="Send no notifications of some alerts, for 30 days at most.",
        body=SilenceBody,
        answer=Silence,
        statuses=(200, 400, 404, 408, 409, 413, 415, 503),
    ),
    Endpoint(
        name="end_silence",
        method="DELETE",
        path="/api/v1/silences/{silence}",
        right="alerts",
        about="End a silence.",
        statuses=(204, 404, 503),
        answered=frozenset({204}),
    ),
    Endpoint(
        name="trends",
        path="/api/v1/trends",
        right="figures",
        about="The day so far of every queue, by interval.",
        answer=TrendsAnswer,
        tagged=True,
    ),
    Endpoint(
        name="intervals",
        path="/api/v1/intervals",
        right="figures",
        about="One queue by interval, as far back as intervals are stored: volume, service level, AHT, staff; today's waits and flow-outs.",
        parameters=(
            Parameter(name="queue", about="Name of the queue.", example="sales", required=True, schema={"type": "string", "minLength": 1}),
        ),
        answer=IntervalsAnswer,
        statuses=(200, 400, 404),
        tagged=True,
    ),
    Endpoint(
        name="earlier",
        path="/api/v1/earlier",
        right="figures",
        about="All queues in the interval that holds an instant, as far back as intervals are stored: the board of that time.",
        parameters=(
            Parameter(
                name="at",
                about="An instant in the interval; the last complete one by default.",
                example="2026-04-01T08:50:00Z",
                schema=_INSTANT,
            ),
        ),
        answer=EarlierAnswer,
        statuses=(200, 400),
        tagged=True,
    ),
    Endpoint(
        name="today",
        path="/api/v1/today",
        right="figures",
        about="The day so far of every scope, by channel, and how many contacts in time restore a missed service level.",
        answer=TodayAnswer,
        tagged=True,
    ),
    Endpoint(
        name="customers",
        path="/api/v1/customers",
        right="figures",
        about="Customers' surveys, categories of contacts and complaints of today, and their returns, by scope and channel.",
        answer=CustomersAnswer,
        tagged=True,
    ),
    Endpoint(
        name="sources",
        path="/api/v1/sources",
        right="figures",
        about="The health of every source of events, a sentence each, and the number of dead letters.",
        answer=SourcesAnswer,
        tagged=True,
    ),
    Endpoint(
        name="outlook",
        path="/api/v1/outlook",
        right="figures",
        about="The forecast for the next two hours of queues of calls: contacts, agents needed, service level with the present agents.",
        answer=OutlookAnswer,
        tagged=True,
    ),
    Endpoint(
        name="targets", path="/api/v1/targets", right="figures", about="Every target with its judgment.", answer=TargetsAnswer, tagged=True
    ),
    Endpoint(
        name="boards",
        path="/api/v1/boards",
        right="figures",
        about="The boards of walls, configured and built-in, with the tiles that the account may see.",
        answer=BoardsAnswer,
        tagged=True,
    ),
    Endpoint(
        name="catalogue",
        path="/api/v1/catalogue",
        right="figures",
        about="Every KPI with names, unit and formula.",
        answer=CatalogueAnswer,
        tagged=True,
    ),
    Endpoint(
        name="explain",
        path="/api/v1/explain",
        right="explain",
        about="The contacts behind a figure of a queue; requires serve --explain.",
        parameters=(
            Parameter(name="queue", about="Name of the queue.", example="sales", required=True),
            Parameter(name="kpi", about="Id of the KPI.", example="service_level", required=True, schema={"enum": list(EXPLAINED)}),
            Parameter(name="window", about="The window; trailing_15m by default.", example="day", schema=_WINDOW_NAME),
            Parameter(name="channel", about="The channel, if the queue has several.", example="voice"),
            Parameter(
                name="at",
                about="The window that holds this instant; the newest by default.",
                example="2026-03-29T12:00:00Z",
                schema=_INSTANT,
            ),
            Parameter(name="lang", about="Language of the texts; en by default.", example="en", schema={"enum": list(LANGUAGES)}),
            Parameter(
                name="limit",
                about="Conversations listed a part; 20 by default.",
                example="20",
                schema={"type": "integer", "minimum": 0, "maximum": MAX_LISTED},
            ),
        ),
        answer=ExplainAnswer,
        statuses=(200, 404, 429, 503),
        tagged=True,
    ),
    Endpoint(
        name="contacts",
        path="/api/v1/contacts",
        right="contacts",
        about="The contacts behind a figure of a queue or a wider scope, abandoned first; requires serve --explain.",
        parameters=(
            *_OF_CONTACTS,
            Parameter(
                name="label",
                about="Only contacts that the figure counts under this label, such as complaints of a category; empty: without a label.",
                example="delivery",
                omits_example=True,
            ),
            Parameter(
                name="limit",
                about="Contacts listed; 200 by default.",
                example="200",
                schema={"type": "integer", "minimum": 0, "maximum": MAX_LISTED},
            ),
        ),
        answer=ContactsAnswer,
        statuses=(200, 404, 429, 503),
        tagged=True,
    ),
    Endpoint(
        name="contacts_reading",
        path="/api/v1/contacts/reading",
        right="contacts",
        about="The progress of reading for a pending request to /api/v1/contacts with the same parameters.",
        parameters=_OF_CONTACTS,
        answer=ContactsReadingAnswer,
        statuses=(200, 404),
    ),
    Endpoint(
        name="abandoned",
        path="/api/v1/abandoned",
        right="contacts",
        about="Customers to call back: they gave up waiting and have not got through since; requires serve --explain.",
        parameters=(
            Parameter(name="queue", about="Only customers who gave up in this queue.", example="sales", many=True),
            Parameter(
                name="hours",
                about="Only customers who gave up in the last hours; 8 by default.",
                example="8",
                schema={"type": "integer", "minimum": 1, "maximum": 24},
            ),
            Parameter(
                name="order",
                about="The last to give up first, or the longest to wait for a call; newest by default.",
                example="longest",
                schema={"enum": [*get_args(CallOrder)]},
            ),
            Parameter(
                name="limit",
                about="Customers listed; 200 by default.",
                example="200",
                schema={"type": "integer", "minimum": 0, "maximum": MAX_LISTED},
            ),
        ),
        answer=AbandonedAnswer,
        statuses=(200, 404, 429, 503),
        tagged=True,
    ),
    Endpoint(
        name="agents",
        path="/api/v1/agents",
        right="people",
        about="Figures of individual agents; requires serve --agents.",
        parameters=(
            Parameter(name="window", about="Only the records of this window.", example="day", many=True, schema=_WINDOW_NAME),
            Parameter(name="agent", about="Only the records of this agent.", example="tanaka", many=True),
            *_PAGES,
        ),
        answer=AgentsAnswer,
        statuses=(200, 404, 503),
        tagged=True,
    ),
    Endpoint(
        name="people",
        path="/api/v1/people",
        right="people",
        about="The states of individual agents, with reasons and times; requires serve --agents.",
        parameters=(
            Parameter(name="team", about="Only agents of this team.", example="north", many=True),
            Parameter(
                name="queue",
                about="Only agents who serve this queue, or are at a contact of it.",
                example="sales",
                many=True,
            ),
            Parameter(
                name="state",
                about="Only agents in this state.",
                example="unavailable",
                many=True,
                schema={"enum": [*get_args(PersonState)]},
            ),
            Parameter(
                name="strip",
                about="true adds each agent's day so far; false by default.",
                example="true",
                schema={"enum": ["false", "true"]},
            ),
        ),
        answer=PeopleAnswer,
        statuses=(200, 404, 429, 503),
        tagged=True,
    ),
    Endpoint(
        name="audit",
        path="/api/v1/audit",
        right="audit",
        about="Actions and attempts of accounts, with address and outcome; oldest first.",
        parameters=(
            Parameter(
                name="since",
                about="From this instant on; all that Kafka has by default.",
                example="2026-03-29T12:00:00Z",
                schema=_INSTANT,
            ),
            Parameter(name="until", about="Before this instant.", example="2026-03-30T12:00:00Z", schema=_INSTANT),
            Parameter(name="actor", about="Only actions of this account: NAME or KIND:NAME.", example="user:tanaka", many=True),
            Parameter(name="action", about="Only this action.", example="login_refused", many=True, schema={"enum": list(ACTIONS)}),
            Parameter(
                name="limit",
                about="Records of one page; 100 by default.",
                example="100",
                schema={"type": "integer", "minimum": 1, "maximum": 1000},
            ),
            Parameter(
                name="cursor",
                about="The start of the page: from the Link of the previous page.",
                example="1200",
                schema={"type": "string", "pattern": "^[0-9]{1,18}$"},
            ),
        ),
        answer=AuditAnswer,
        statuses=(200, 404, 429, 503),
        tagged=True,
    ),
    Endpoint(
        name="export",
        path="/api/v1/export",
        right="export",
        about="Selected figures as a file, one figure a row; a missing parameter selects all.",
        parameters=(
            Parameter(
                name="format",
                about="csv by default; xlsx if serve has the extra.",
                example="csv",
                schema={"enum": ["csv", "xlsx"]},
            ),
            Parameter(
                name="window",
                about="This window, or now.",
                example="day",
                many=True,
                schema={"type": "string", "pattern": "^((trailing|interval)_[0-9]{1,5}m|day|customers_day|customers_month|now)$"},
            ),
            Parameter(
                name="scope_kind",
                about="Scopes of this kind; agent selects individual agents, and also requires the right people.",
                example="queue",
                many=True,
                schema={"enum": [*get_args(ScopeKind), "agent"]},
            ),
            Parameter(
                name="scope",
                about="This scope, KIND:NAME.",
                example="queue:sales",
                many=True,
                schema={"type": "string", "pattern": f"^({'|'.join(get_args(ScopeKind))}|agent):.+$"},
            ),
            Parameter(name="channel", about="This channel.", example="voice", many=True),
            Parameter(name="kpi", about="This KPI, by its id.", example="service_level", many=True, schema={"enum": list(KPI_BY_ID)}),
            Parameter(name="lang", about="Language of the KPIs' names; en by default.", example="en", schema={"enum": list(LANGUAGES)}),
            Parameter(
                name="bom",
                about="true prepends the byte order mark that Excel needs for UTF-8; false by default.",
                example="true",
                schema={"enum": ["false", "true"]},
            ),
        ),
        media=("text/csv", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        statuses=(200, 404, 429, 503),
        head=False,
    ),
    Endpoint(
        name="events",
        path="/api/v1/events",
        right="figures",
        about="All figures once, then changes, as server-sent events.",
        parameters=(_WINDOW,),
        media=("text/event-stream",),
        messages={"snapshot": SnapshotMessage, "change": ChangeMessage, "alerts": AlertsMessage, "alive": AliveMessage},
        statuses=(200, 429, 503),
        head=False,
    ),
    Endpoint(
        name="session",
        path="/api/v1/session",
        right=None,
        about="The account of the request, with its rights.",
        answer=SessionAnswer,
        statuses=(200, 401, 503),
    ),
    Endpoint(
        name="sessions",
        path="/api/v1/sessions",
        right="manage",
        about="The logged-in users, and the screens that have opened their links.",
        answer=SessionsAnswer,
        statuses=(200, 404),
    ),
    Endpoint(
        name="end_session",
        method="DELETE",
        path="/api/v1/sessions/{session}",
        right="manage",
        about="End a session, or revoke a screen.",
        statuses=(204, 404, 503),
        answered=frozenset({204}),
    ),
    Endpoint(
        name="login",
        path="/login",
        right=None,
        about="The login page.",
        parameters=(
            Parameter(name="next", about="The path of this server to open next.", example="/?view=wall"),
            Parameter(name="lang", about="Language of the page: en, ja.", example="ja"),
        ),
        media=("text/html",),
        statuses=(200, 404),
        documented=False,
    ),
    Endpoint(
        name="enter",
        method="POST",
        path="/login",
        right=None,
        about="Log in with name and password, as the form of the page sends them.",
        media=("text/html",),
        statuses=(303, 400, 403, 404, 408, 413, 429, 503),
        documented=False,
    ),
    Endpoint(name="leave", method="POST", path="/logout", right=None, about="Log out.", statuses=(200, 303, 404, 503), documented=False),
    Endpoint(
        name="kiosk",
        path="/kiosk",
        right=None,
        about="The page that the link of a screen opens.",
        parameters=(
            Parameter(name="next", about="The path of this server to open next; the wall by default.", example="/?view=wall&queue=sales"),
            Parameter(name="lang", about="Language of the page: en, ja.", example="ja"),
        ),
        media=("text/html",),
        statuses=(200, 404),
        documented=False,
    ),
    Endpoint(
        name="redeem",
        method="POST",
        path="/kiosk",
        right=None,
        about="Redeem the ticket of a screen's link, once.",
        statuses=(200, 400, 403, 404, 408, 413, 415, 503),
        documented=False,
    ),
    Endpoint(
        name="provider_begin",
        path="/login/provider",
        right=None,
        about="Log in at the provider, by a redirect.",
        parameters=(Parameter(name="next", about="The path of this server to open next.", example="/?view=wall"),),
        media=("text/html",),
        statuses=(303, 404, 503),
        head=False,
        documented=False,
    ),
    Endpoint(
        name="provider_callback",
        path="/login/provider/callback",
        right=None,
        about="The target of the provider's redirects.",
        media=("text/html",),
        statuses=(303, 403, 404, 503),
        head=False,
        documented=False,
    ),
    Endpoint(
        name="provider_logout",
        method="POST",
        path="/login/provider/logout",
        right=None,
        about="OpenID Connect Back-Channel Logout of the provider.",
        statuses=(200, 400, 404, 408, 413, 503),
        documented=False,
    ),
    Endpoint(
        name="openapi",
        path="/api/v1/openapi.json",
        right=None,
        about="The OpenAPI 3.1 document of the API, without figures.",
        answer=OpenApiDocument,
        tagged=True,
    ),
    Endpoint(
        name="docs",
        path="/api/docs",
        right=None,
        about="The documentation of the API as a page, without figures.",
        parameters=(Parameter(name="lang", about="Language of the headings: en, ja.", example="ja"),),
        media=("text/html",),
        documented=False,
    ),
    Endpoint(name="alive", path="/healthz", right=None, about="Whether the process runs.", answer=AliveAnswer),
    Endpoint(
        name="ready",
        path="/readyz",
        right=None,
        about="Whether figures have been read; 503 until then.",
        answer=ReadyAnswer,
        statuses=(200, 503),
        answered=frozenset({200, 503}),
    ),
    Endpoint(
        name="standing",
        path="/api/v1/standing",
        right="figures",
        about="The status in one sentence: the faulty part, since when, what is still right, whom to call.",
        answer=StandingAnswer,
    ),
    Endpoint(name="page", path="/", right="figures", about="The wallboard.", media=("text/html",), documented=False),
    Endpoint(
        name="page_file",
        path=f"/{{file:{'|'.join(re.escape(name) for name in PAGE_FILES if name != 'index.html')}}}",
        right=None,
        about="A file of the wallboard, without figures.",
        media=tuple(sorted(set(PAGE_FILES.values()))),
        documented=False,
    ),
)

ENDPOINT_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
