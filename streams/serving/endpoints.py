"""Every address that ``serve`` answers, with the right it takes: the one table of routes, guard, OpenAPI, documents and the matrix test."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from streams.access.rights import Right
from streams.serving.page_files import PAGE_FILES

__all__ = ["ENDPOINTS", "ENDPOINT_BY_NAME", "Endpoint", "Parameter"]

_Method = Literal["GET", "POST"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a query."""

    name: str
    about: str
    example: str
    required: bool = False
    #: Whether it may be given more than once.
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method of one path."""

    #: Of the route too: ``request.match_info.route.name``.
    name: str
    method: _Method = "GET"
    #: As the router has it; what stands in braces is a parameter of the path.
    path: str
    #: What a principal needs to ask; None where anyone may.
    right: Right | None
    about: str
    parameters: tuple[Parameter, ...] = ()
    #: The media type of an answer with status 200.
    media: str = "application/json"
    #: The statuses of its own; those of the guard and of every answer are not among them.
    statuses: tuple[int, ...] = (200,)
    #: Whether HEAD is answered too.
    head: bool = True

    @property
    def template(self) -> str:
        """The path with the names of its parameters alone."""
        return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", self.path)


_WINDOW = Parameter(name="window", about="Only the records of this window, and those of now.", example="trailing_15m", many=True)
_PAGES = (
    Parameter(name="limit", about="Records of one page, 1 to 10000; all of them without it.", example="1000"),
    Parameter(name="cursor", about="Where the page begins: from the Link of the page before.", example="bm93fHZvaWNlfHF1ZXVlOnNhbGVz"),
)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(name="metrics", path="/metrics", right="figures", about="All figures for Prometheus.", media="text/plain"),
    Endpoint(
        name="figures",
        path="/api/v1/figures",
        right="figures",
        about="The newest records of all scopes by key.",
        parameters=(_WINDOW, *_PAGES),
        statuses=(200, 400),
    ),
    Endpoint(
        name="queue",
        path="/api/v1/queues/{queue:.+}",
        right="figures",
        about="What is known of one queue, by channel.",
        statuses=(200, 404),
    ),
    Endpoint(
        name="alerts",
        path="/api/v1/alerts",
        right="figures",
        about="Where every alert stands.",
        parameters=(
            Parameter(name="state", about="Only alerts in this state: pending, firing, cleared.", example="firing", many=True),
            *_PAGES,
        ),
        statuses=(200, 400),
    ),
    Endpoint(name="trends", path="/api/v1/trends", right="figures", about="The day so far of every queue, by interval."),
    Endpoint(name="targets", path="/api/v1/targets", right="figures", about="Every target with its judgment."),
    Endpoint(name="catalogue", path="/api/v1/catalogue", right="figures", about="Every KPI with names, unit and formula."),
    Endpoint(
        name="explain",
        path="/api/v1/explain",
        right="explain",
        about="Which contacts are behind a figure of a queue.",
        parameters=(
            Parameter(name="queue", about="Name of the queue.", example="sales", required=True),
            Parameter(name="kpi", about="Id of the KPI.", example="service_level", required=True),
            Parameter(name="window", about="The window; trailing_15m without it.", example="day"),
            Parameter(name="channel", about="The channel, where the queue has several.", example="voice"),
            Parameter(
                name="at", about="RFC 3339: the window that holds this instant; the newest without it.", example="2026-03-29T12:00:00Z"
            ),
            Parameter(name="lang", about="Language of the texts: en, ja.", example="en"),
            Parameter(name="limit", about="Conversations listed a part, 0 to 1000; 20 without it.", example="20"),
        ),
        statuses=(200, 400, 404, 429, 503),
    ),
    Endpoint(
        name="agents",
        path="/api/v1/agents",
        right="people",
        about="Figures of single people.",
        parameters=(
            Parameter(name="window", about="Only the records of this window.", example="day", many=True),
            Parameter(name="agent", about="Only the records of this person.", example="tanaka", many=True),
            *_PAGES,
        ),
        statuses=(200, 400, 404, 503),
    ),
    Endpoint(
        name="audit",
        path="/api/v1/audit",
        right="audit",
        about="Who did or tried what, from where, and what came of it; oldest first.",
        parameters=(
            Parameter(name="since", about="RFC 3339: from this instant on; all that Kafka has without it.", example="2026-03-29T12:00:00Z"),
            Parameter(name="until", about="RFC 3339: before this instant.", example="2026-03-30T12:00:00Z"),
            Parameter(name="actor", about="Only what this account did: NAME or KIND:NAME.", example="user:tanaka", many=True),
            Parameter(name="action", about="Only this action.", example="login_refused", many=True),
            Parameter(name="limit", about="Records of one page, 1 to 1000; 100 without it.", example="100"),
            Parameter(name="cursor", about="Where the page begins: from the Link of the page before.", example="1200"),
        ),
        statuses=(200, 400, 404, 429, 503),
    ),
    Endpoint(
        name="events",
        path="/api/v1/events",
        right="figures",
        about="Everything once, then what changes, as server-sent events.",
        parameters=(_WINDOW,),
        media="text/event-stream",
        statuses=(200, 400, 429, 503),
        head=False,
    ),
    Endpoint(name="alive", path="/healthz", right=None, about="Whether the process runs."),
    Endpoint(name="ready", path="/readyz", right=None, about="Whether figures have been read.", statuses=(200, 503)),
    Endpoint(name="page", path="/", right="figures", about="The wallboard.", media="text/html"),
    Endpoint(
        name="page_file",
        path=f"/{{file:{'|'.join(re.escape(name) for name in PAGE_FILES if name != 'index.html')}}}",
        right=None,
        about="A file of the wallboard; it holds no figure.",
        media="text/javascript",
        statuses=(200, 404),
    ),
)

ENDPOINT_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
