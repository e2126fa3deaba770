"""Errors between a client and the server, by how a program handles them."""

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
    """Any error of the client."""


class UnreachableError(ClientError):
    """The server does not answer, or the connection broke: a retry may help."""


class UnexpectedAnswerError(ClientError):
    """The answer is not of this API, or of another version of it."""


class ApiError(ClientError):
    """The server reports a problem.

    Args:
        problem: as the server reported it.
        retry_after_seconds: when to retry, if the server named it.
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
    """A parameter is unknown or wrong; the detail states what is permitted."""


class UnauthorizedError(ApiError):
    """The token is missing, unknown, or has expired."""


class ForbiddenError(ApiError):
    """The token lacks the right."""


class NotFoundError(ApiError):
    """The object does not exist or is not visible, or the server does not serve it."""


class TooManyRequestsError(ApiError):
    """Other clients, or other requests of the same client, come first."""


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

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}


def error_of(status: int, body: bytes, retry_after: str | None) -> ClientError:
    """Return the error of an answer; an answer without problem details, as from a proxy, becomes one by its status."""
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
