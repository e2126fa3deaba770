"""A check for schemathesis beside its own: each event of a stream is as the document describes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import jsonschema_rs
import schemathesis

if TYPE_CHECKING:
    from schemathesis import Case, CheckContext, HookContext, Response

_DOCUMENT: Final = json.loads((Path(__file__).parents[2] / "schemas" / "openapi.json").read_text("utf-8"))

#: The server reads no longer line of a request, and answers it before the API is asked.
_LONGEST_QUERY: Final = 8_000


@schemathesis.hook
def filter_query(_: HookContext, query: Any) -> bool:
    """Leave out what does not fit into the line of a request."""
    return not query or len(urlencode(query, doseq=True)) < _LONGEST_QUERY


@schemathesis.hook
def map_query(_: HookContext, query: Any) -> Any:
    """Ask about the queue that there is without what does not go with it, so that not only refusals are answered."""
    if query and query.get("queue") == "sales" and "scope" in query:
        return {name: value for name, value in query.items() if name not in {"scope", "label"}}
    return query


@schemathesis.check
def events_are_as_documented(_: CheckContext, response: Response, case: Case[Any]) -> None:
    """A stream begins with everything, and each of its events is of a documented name and type."""
    (kind,) = response.headers.get("content-type", [""])[:1]
    if response.status_code != 200 or not kind.startswith("text/event-stream"):
        return
    described = _DOCUMENT["paths"][case.path]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]
    names = []
    for event in (response.content or b"").decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if line)
        if "event" in lines:
            names.append(lines["event"])
            schema: dict[str, Any] = {**described[names[-1]], "components": _DOCUMENT["components"]}
            faults = [error.message for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(json.loads(lines["data"]))]
            assert not faults, f"event {names[-1]}: {faults[0]}"
    assert names[:1] == ["snapshot"], names
