"""What can go wrong between a client and the server, by what a program does about it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from schemas.api import Problem

__all__ = [
    "ApiError",
    "BadRequestError",
    "ClientError",
    "ForbiddenError",
    "NotFoundError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "error_of",
]


class ClientError(Exception):
    """Any of them."""


class UnreachableError(ClientError):
    """The server does not answer, or the connection broke: asking again may help."""


class UnexpectedAnswerError(ClientError):
    """What answered is not this API, or another version of it."""


class ApiError(ClientError):
    """The server says what is wrong.

    Args:
        problem: as the server told it.
        retry_after_seconds: when it may be asked again, if it said so.
    """

    def __init__(self, problem: Problem, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int:
        """The status of HTTP."""
        return self.problem.status


class BadRequestError(ApiError):
    """A parameter is none that there is; the detail says what is permitted."""


class UnauthorizedError(ApiError):
    """The token is missing, unknown, or has expired."""


class ForbiddenError(ApiError):
    """The token has not the right."""


class NotFoundError(ApiError):
    """There is no such thing, or it may not be seen, or the server does not serve it."""


class TooManyRequestsError(ApiError):
    """Others, or other requests of the same client, come first."""


class UnavailableError(ApiError):
    """The server cannot answer this at the moment."""


_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    HTTPStatus.BAD_REQUEST: BadRequestError,
    HTTPStatus.UNAUTHORIZED: UnauthorizedError,
    HTTPStatus.FORBIDDEN: ForbiddenError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequestsError,
    HTTPStatus.SERVICE_UNAVAILABLE: UnavailableError,
}

_PHRASES: Final = {each.value: each.phrase for each in HTTPStatus}


def error_of(status: int, body: bytes, retry_after: str | None) -> ClientError:
    """Return the error that an answer tells; one that is no problem of this API, as from a proxy, is told by its status."""
    seconds = float(retry_after) if retry_after is not None and retry_after.isascii() and retry_after.isdigit() else None
    try:
        problem = Problem.model_validate_json(body)
    except ValueError:
        if status < HTTPStatus.BAD_REQUEST:
            return UnexpectedAnswerError(f"the server answers {status}, which no address of this API does")
        title = _PHRASES.get(status, "Error")
        detail = "no problem details: this is not the answer of serve itself"
        problem = Problem(type="about:blank", title=title, status=status, detail=detail, error=detail)
    return _BY_STATUS.get(status, ApiError)(problem, seconds)
