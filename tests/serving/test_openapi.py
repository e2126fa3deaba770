"""The OpenAPI document: current, valid, and true of what the handlers answer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.api import AlertsMessage, AliveMessage, ChangeMessage, SnapshotMessage
from streams.listening.listening import Listening
from streams.serving import docs
from streams.serving.api import create_app
from streams.serving.endpoints import ENDPOINTS
from streams.serving.events import Feed
from streams.serving.openapi import openapi
from tests.serving.records import alert, client_of, now_record
from tests.serving.running import ALL, FEW, full, guarded

if TYPE_CHECKING:
    from pydantic import BaseModel


DOCUMENT = openapi()
COMPONENTS: dict[str, Any] = DOCUMENT["components"]["schemas"]
#: Records of topics are handed on with what this version does not know.
OF_TOPICS = {"WindowFigures", "NowFigures", "ProgressFigures", "DefinitionFigures", "AlertRecord", "AgentFigures"}


def closed() -> dict[str, Any]:
    """Return the components, each of ours without room for a field that is not described."""
    found: dict[str, Any] = json.loads(json.dumps(COMPONENTS))
    for name, schema in found.items():
        if "properties" in schema and name not in OF_TOPICS | {"OpenApiDocument", "Problem"}:
            schema["additionalProperties"] = False
    return found


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of a schema of the document."""
    return jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": closed()}}, validate_formats=True)


def faults_of(schema: dict[str, Any], instance: object) -> list[str]:
    """Return what is wrong with an instance."""
    return [f"{list(error.instance_path)}: {error.message}" for error in validator(schema).iter_errors(instance)]


def test_what_is_committed_is_current() -> None:
    """The document and the page equal what would be written; if not, run ``python -m streams.serving.docs``."""
    assert docs.main(["--check"]) == 0


def test_every_reference_leads_somewhere() -> None:
    """Whatever a part refers to is there, and every component is referred to."""

    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if "$ref" in part else []
            return own + [found for each in part.values() for found in references(each)]
        return [found for each in part for found in references(each)] if isinstance(part, list) else []

    found = set(references(DOCUMENT))
    there = {f"#/components/{kind}/{name}" for kind in ("schemas", "headers") for name in DOCUMENT["components"][kind]}
    assert found == there


def test_schemas_are_schemas() -> None:
    """Each component is a JSON Schema of the dialect of OpenAPI 3.1."""
    for name, schema in COMPONENTS.items():
        assert jsonschema_rs.meta.is_valid(schema), name
        assert schema.get("description") or name == "OtherFigures", f"{name} has no description"


def test_examples_are_what_they_are_examples_of() -> None:
    """Every example, of components, answers and parameters, is as its schema has it."""
    faults = [
        (name, faults_of({"$ref": f"#/components/schemas/{name}"}, each))
        for name, schema in COMPONENTS.items()
        for each in schema.get("examples", [])
    ]
    seen, without = 0, set()
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            given = [each for each in operation["parameters"] if "example" in each]
            without |= {each["name"] for each in operation["parameters"] if each not in given}
            faults += [(each["name"], faults_of(each["schema"], each["example"])) for each in given]
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    if "example" in content:
                        seen += 1
                        faults.append((path, faults_of(content["schema"], content["example"])))
    assert [fault for fault in faults if fault[1]] == []
    assert seen == len([each for each in ENDPOINTS if each.answer is not None]) + 1  # that of readyz twice
    assert without == {"scope", "label"}  # of contacts: they do not go with the other examples


PATHS = {
    "figures": "/api/v1/figures",
    "queue": "/api/v1/queues/sales",
    "alerts": "/api/v1/alerts",
    "alert_history": "/api/v1/alerts/history",
    "silences": "/api/v1/silences",
    "trends": "/api/v1/trends",
    "boards": "/api/v1/boards",
    "intervals": "/api/v1/intervals?queue=sales",
    "earlier": "/api/v1/earlier",
    "today": "/api/v1/today",
    "customers": "/api/v1/customers",
    "sources": "/api/v1/sources",
    "outlook": "/api/v1/outlook",
    "targets": "/api/v1/targets",
    "catalogue": "/api/v1/catalogue",
    "agents": "/api/v1/agents",
    "people": "/api/v1/people?strip=true",
    "contacts": "/api/v1/contacts?queue=sales&kpi=offered&channel=voice",
    "contacts_reading": "/api/v1/contacts/reading?queue=sales&kpi=offered&channel=voice",
    "abandoned": "/api/v1/abandoned",
    "openapi": "/api/v1/openapi.json",
    "session": "/api/v1/session",
    "alive": "/healthz",
    "standing": "/api/v1/standing",
    "ready": "/readyz",
}


def test_answers_are_as_described() -> None:
    """Each endpoint's real answer has every field that is described as required, none that is not described, all of their types."""
    assert PATHS.keys() == {each.name for each in ENDPOINTS if each.answer is not None} - {
        "audit",
        "explain",
        "sessions",
        "acknowledge",
        "make_silence",
    }  # with Kafka or a login alone, or no GET

    async def check() -> None:
        async with client_of(full()) as client:
            for endpoint in ENDPOINTS:
                if endpoint.name in PATHS:
                    answer = await client.get(PATHS[endpoint.name])
                    document = await answer.json()
                    schema = DOCUMENT["paths"][endpoint.template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
                    assert (answer.status, faults_of(schema, document)) == (200, []), endpoint.name
                    assert endpoint.answer is not None
                    endpoint.answer.model_validate_json(orjson.dumps(document))

    asyncio.run(check())


def test_the_full_center_is_full() -> None:
    """What is validated above has every optional field of every record somewhere, a judged target with progress, and a trend."""

    async def check() -> None:
        async with client_of(full()) as client:
            records = (await (await client.get("/api/v1/figures")).json())["records"].values()
            for kind, model in (("window", "WindowFigures"), ("now", "NowFigures"), ("progress", "ProgressFigures")):
                held = {name for record in records if record["kind"] == kind for name in record}
                assert held == COMPONENTS[model]["properties"].keys(), kind
            document = await (await client.get("/api/v1/targets")).json()
            assert {each["standing"] for each in document["targets"]} >= {"met", "missed", "unknown"}
            assert any(each["progress"] for each in document["targets"])
            assert (await (await client.get("/api/v1/trends")).json())["trends"][0]["intervals"]
            sources = (await (await client.get("/api/v1/figures")).json())["sources"]
            assert {name for each in sources.values() for name in each} == COMPONENTS["SourceStanding"]["properties"].keys()
            assert (await (await client.get("/api/v1/figures")).json())["recovering"]

    asyncio.run(check())


@pytest.mark.parametrize("name", sorted(PATHS.keys() - {"openapi", "alive"}))
def test_a_wrong_answer_is_noticed(name: str) -> None:
    """The comparison fails for an answer that lacks a field, has one of another type, or one that is not described."""

    async def check() -> None:
        async with client_of(full()) as client:
            document = await (await client.get(PATHS[name])).json()
            schema = {"$ref": "#/components/schemas/" + next(e.answer.__name__ for e in ENDPOINTS if e.name == name and e.answer)}
            field = next(iter(document))
            assert faults_of(schema, {key: value for key, value in document.items() if key != field})
            assert faults_of(schema, {**document, field: {"no": "such"}})
            assert faults_of(schema, {**document, "undescribed": 1})

    asyncio.run(check())


def test_messages_of_the_event_stream_are_as_described() -> None:
    """A snapshot, a change and what alerts do have the fields that are described."""

    async def check() -> None:
        serving = full()
        feed = Feed(serving.figures)
        since, snapshot = feed.message(None, None)
        serving.figures.store.feed(*now_record("queue:sales", waiting=5, revision=2))
        serving.figures.store.feed(b"now|voice|queue:late", None)
        _, change = feed.message(since, None)
        alerts_since, alerts = feed.alerts(None)
        assert alerts_since is not None
        serving.figures.alerts.feed(*alert("queue:firing", state="cleared"))
        _, ended = feed.alerts(alerts_since)
        types: dict[str, type[BaseModel]] = {
            "snapshot": SnapshotMessage,
            "change": ChangeMessage,
            "alerts": AlertsMessage,
            "alive": AliveMessage,
        }
        described = DOCUMENT["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]
        assert described == {event: {"$ref": f"#/components/schemas/{model.__name__}"} for event, model in types.items()}
        kinds = []
        for event in (snapshot, change, alerts, ended):
            lines = dict(line.split(b": ", 1) for line in event.strip().split(b"\n"))
            kinds.append(kind := lines[b"event"].decode())
            document = orjson.loads(lines[b"data"])
            assert faults_of(described[kind], document) == []
            types[kind].model_validate(document)
        assert kinds == ["snapshot", "change", "alerts", "alerts"]

    asyncio.run(check())


def test_the_document_states_rights() -> None:
    """Every endpoint with a right states how to log in, 401 and 403; the others none of these."""
    for endpoint in ENDPOINTS:
        if not endpoint.documented:
            assert endpoint.template not in DOCUMENT["paths"]
            continue
        operation = DOCUMENT["paths"][endpoint.template][endpoint.method.lower()]
        schemes = {name for each in operation["security"] for name in each}
        assert schemes == (set() if endpoint.right is None else {"token", "session", "certificate"})
        assert ({"401", "403"} <= operation["responses"].keys()) == (endpoint.right is not None)
        assert operation.get("x-right") == endpoint.right
        for status in ("429", "503"):
            if status in operation["responses"] and int(status) not in endpoint.answered:
                assert "Retry-After" in operation["responses"][status]["headers"]


def test_errors_are_as_described() -> None:
    """Access control, router, handlers and the check of hosts refuse requests as the document states."""

    async def check() -> None:
        served, _ = guarded()
        listening = Listening()
        connections = listening.connections()
        app = create_app(served)
        listening.attend(app, connections)
        async with TestClient(TestServer(app)) as client:
            few, everything = ({"Authorization": f"Bearer {token}"} for token in (FEW, ALL))
            for path, template, headers, status in (
                ("/api/v1/figures", None, {}, 401),
                ("/api/v1/events", None, {}, 401),
                ("/api/v1/agents", None, few, 403),
                ("/api/v1/queues/claims", "/api/v1/queues/{queue}", few, 404),
                ("/api/v1/queues/none", "/api/v1/queues/{queue}", everything, 404),
                ("/api/v1/events?window=x", None, few, 400),
                ("/api/v1/export?kpis=x", None, everything, 400),
                ("/api/v1/export?scope=sales", None, everything, 400),
                ("/api/v1/alerts/history?scope=sales", None, few, 400),
                ("/api/v1/intervals?queue=", None, few, 400),
                (f"/api/v1/explain?queue=sales&kpi=offered&at=2026-03-01T00:00:00Z&window=trailing_{'9' * 5000}m", None, everything, 400),
                ("/api/v1/audit", None, everything, 503),
                ("/api/v1/explain?queue=sales&kpi=offered&channel=voice", None, everything, 503),
                ("/api/v1/targets", None, everything | {"Host": "elsewhere.example"}, 421),
                ("/healthz", None, {"Host": "elsewhere.example"}, 421),
                ("/metrics", None, everything | {"Host": "?"}, 400),
            ):
                answer = await client.get(path, headers=headers)
                described = DOCUMENT["paths"][template or path.partition("?")[0]]["get"]["responses"][str(status)]
                assert answer.status == status, path
                if "Host" in headers:
                    assert await answer.read() == b""
                    continue
                assert list(described["content"]) == [answer.content_type], path
                assert faults_of(described["content"][answer.content_type]["schema"], await answer.json()) == []
                assert described.get("headers", {}).keys() <= {name.title().replace("Www", "WWW") for name in answer.headers}, path

    asyncio.run(check())
