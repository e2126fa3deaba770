"""A client of the API of ``serve``: typed answers, typed errors, and the event stream, which goes on when the connection breaks."""

from schemas.api import (
    AgentsAnswer,
    AlertsAnswer,
    AlertsMessage,
    CatalogueAnswer,
    ChangeMessage,
    ExplainAnswer,
    FiguresAnswer,
    Problem,
    QueueAnswer,
    SnapshotMessage,
    StandingAnswer,
    TargetsAnswer,
    TrendsAnswer,
)
from streams.client.client import Client
from streams.client.errors import (
    ApiError,
    BadRequestError,
    ClientError,
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from streams.client.events import Message

__all__ = [
    "AgentsAnswer",
    "AlertsAnswer",
    "AlertsMessage",
    "ApiError",
    "BadRequestError",
    "CatalogueAnswer",
    "ChangeMessage",
    "Client",
    "ClientError",
    "ExplainAnswer",
    "FiguresAnswer",
    "ForbiddenError",
    "Message",
    "NotFoundError",
    "Problem",
    "QueueAnswer",
    "SnapshotMessage",
    "StandingAnswer",
    "TargetsAnswer",
    "TooManyRequestsError",
    "TrendsAnswer",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnreachableError",
]
