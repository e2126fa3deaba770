"""The OpenAPI 3.1 document of the API, generated from the endpoints and the types of answers."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from pydantic.json_schema import models_json_schema

from schemas.api import Problem
from streams.access.rates import REQUESTS_PER_MINUTE
from streams.listening import ConnectionLimits
from streams.serving.clients import Clients
from streams.serving.endpoints import ENDPOINTS
from streams.serving.examples import EXAMPLES, example_of
from streams.serving.problems import PROBLEM_MEDIA
from streams.serving.turns import SCRAPES_WAITING, Turns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from streams.serving.endpoints import Endpoint, Parameter

__all__ = ["LIMITS", "openapi", "openapi_of"]

_CONNECTIONS, _STREAMS, _TURNS = ConnectionLimits(), Clients(), Turns()
_WAIT: Final = (
    f"{_TURNS.waiting_each} of one account may wait, {_TURNS.most_waiting} in all, for {_TURNS.waiting_seconds:g} s; "
    "more are answered with 429."
)

#: What every client should know beside the addresses; docs/api.md has the same list.
LIMITS: Final = (
    "The line of a request and each header may have 8190 bytes; beyond that the server answers 400 and closes the connection.",
    (
        f"A request has to be complete after {_CONNECTIONS.request_seconds:g} s, "
        f"an answer has to be read after {_CONNECTIONS.answer_seconds:g} s, "
        f"and {_CONNECTIONS.idle_seconds:g} s without a request close a connection."
    ),
    (
        f"{_CONNECTIONS.total} connections at a time, {_CONNECTIONS.per_address} from one address (of IPv6 from one /64 network); "
        "more are answered with 503, without content."
    ),
    (
        f"{REQUESTS_PER_MINUTE:,} requests a minute of one account on average, bursts of as many (requests_per_minute of the access file); "
        "more are answered with 429. Without an access file there is no such limit."
    ),
    f"{_STREAMS.total} event streams at a time, {_STREAMS.per_client} of one account; more are answered with 503 and 429.",
    f"One scrape is answered at a time. {SCRAPES_WAITING} of one account may wait; more are answered with 429.",
    f"One question to /api/v1/explain is answered at a time. {_WAIT}",
    f"One export is sent at a time. {_WAIT} A workbook may take 60 s.",
    "Without accounts, the limits hold per address. 429 and 503 carry Retry-After, in seconds.",
)

_ABOUT: Final = """Live figures of a contact center.

Times are RFC 3339 texts, durations are seconds, ratios 0 to 1, and null means unknown. Fields may be added; clients ignore
fields that they do not know. What an account may not see is answered as if it did not exist.

A request that names no host of this server is rejected with 421 (400 if it names none), a request that would change something for a
page of another origin with 403, both without content.

A parameter whose name is nearly one of the endpoint's is rejected with 400, and so is one that is repeated too often; any other
unknown parameter is ignored.

Default limits:

"""

_HEADERS: Final[dict[str, Any]] = {
    "ETag": {
        "description": "Identifies the content of the answer, whenever it is requested; for If-None-Match.",
        "schema": {"type": "string"},
    },
    "Link": {"description": "The next page, relative to the address asked for; absent on the last one.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds before the next attempt.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "The ways to authenticate.", "schema": {"type": "string"}},
}

_SECURITY: Final[dict[str, Any]] = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of the access file, or a JWT of the provider."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-session",
        "description": "The session of a login; without TLS on this machine the cookie is called session.",
    },
    "certificate": {"type": "mutualTLS", "description": "A client certificate that the access file names."},
}

#: Answers without a body.
_EMPTY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED, HTTPStatus.MISDIRECTED_REQUEST})
_RETRIED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@cache
def openapi() -> dict[str, Any]:
    """Return the document. It is shared: do not change it."""
    return openapi_of([endpoint for endpoint in ENDPOINTS if endpoint.documented])


def openapi_of(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document of some endpoints."""
    schemas = _schemas([Problem, *(model for endpoint in endpoints for model in _models(endpoint))])
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.template, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Contact Streams",
            "version": "1",
            "description": _ABOUT + "\n".join(f"- {limit}" for limit in LIMITS),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "headers": _HEADERS, "securitySchemes": _SECURITY},
    }


def _models(endpoint: Endpoint) -> list[type[BaseModel]]:
    return [model for model in (endpoint.answer, endpoint.body) if model is not None] + [*endpoint.messages.values()]


def _schemas(models: list[type[BaseModel]]) -> dict[str, Any]:
    """Return the schemas of models and their parts, with examples."""
    _, document = models_json_schema([(model, "validation") for model in models], ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = dict(sorted(document["$defs"].items()))
    for name in EXAMPLES.keys() & schemas.keys():
        schemas[name]["examples"] = [EXAMPLES[name]]
    return schemas


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    in_path = [_in_path(name) for name in endpoint.path_parameters]
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.about,
        "parameters": in_path + [_in_query(parameter) for parameter in endpoint.parameters],
        "responses": {str(status): _response(endpoint, status, schemas) for status in endpoint.all_statuses},
        "security": [] if endpoint.right is None else [{name: []} for name in _SECURITY],
    }
    if endpoint.body is not None:
        schema = _reference(endpoint.body)
        required = any(field.is_required() for field in endpoint.body.model_fields.values())
        content = {"application/json": {"schema": schema, "example": example_of(schema, schemas)}}
        operation["requestBody"] = {"required": required, "content": content}
    if endpoint.right is not None:
        operation["description"] = f"Requires the right `{endpoint.right}`; without an access file everyone has it."
        operation["x-right"] = endpoint.right
    return operation


def _in_path(name: str) -> dict[str, Any]:
    example = "sales" if name == "queue" else "3f0c9e4f"
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}, "example": example}


def _in_query(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.schema)
    integer = schema.get("type") == "integer"
    example: Any = int(parameter.example) if integer else parameter.example
    document = {"name": parameter.name, "in": "query", "description": parameter.about, "required": parameter.required}
    if parameter.many:
        return {**document, "schema": {"type": "array", "items": schema}, "explode": True, "example": [example]}
    return {**document, "schema": schema} if parameter.omits_example else {**document, "schema": schema, "example": example}


def _response(endpoint: Endpoint, status: int, schemas: dict[str, Any]) -> dict[str, Any]:
    headers = []
    if endpoint.tagged and status in {HTTPStatus.OK, HTTPStatus.NOT_MODIFIED}:
        headers.append("ETag")
        if endpoint.paged:
            headers.append("Link")
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append("WWW-Authenticate")
    content: dict[str, Any] = {}
    if status in endpoint.answered:
        content = {} if status in _EMPTY else {media: _content(endpoint, media, schemas) for media in endpoint.media}
    elif status not in _EMPTY:
        content = {PROBLEM_MEDIA: {"schema": _reference(Problem)}}
        if status in _RETRIED:
            headers.append("Retry-After")
    response: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if headers:
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    if content:
        response["content"] = content
    return response


def _content(endpoint: Endpoint, media: str, schemas: dict[str, Any]) -> dict[str, Any]:
    if endpoint.answer is not None:
        schema = _reference(endpoint.answer)
        return {"schema": schema, "example": example_of(schema, schemas)}
    content: dict[str, Any] = {"schema": {"type": "string"}}
    if endpoint.messages and media == "text/event-stream":
        content["x-events"] = {event: _reference(model) for event, model in endpoint.messages.items()}
    return content


def _reference(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
