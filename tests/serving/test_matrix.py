"""Roles, endpoints and scopes, from the one table of endpoints: nothing hidden is in any answer to any request."""

from __future__ import annotations

import asyncio
import re
from itertools import product
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from streams.access.principals import Principal
from streams.access.rights import ROLES
from streams.serving.api import create_app
from streams.serving.door import Door
from streams.serving.endpoints import ENDPOINTS, Endpoint
from streams.serving.events import Feed
from tests.serving.matrix_center import (
    AGENTS,
    AREAS,
    CONFIGURATION,
    CUSTOMERS,
    OF_CONTACTS,
    READ,
    ROLES_OF_PEOPLE,
    Center,
    Grantee,
    access,
    agents_of,
    center,
    conversations_of,
    grantees,
    markers_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from streams.access.views import View

GRANTEES = grantees()
#: Scope → the id of its silence in the matrix' center.
SILENCES = {scope: f"s{160_000 + 1013 * (index + 1)}" for index, scope in enumerate(OF_CONTACTS)}
QUEUES = [scope.partition(":")[2] for scope in OF_CONTACTS if scope.startswith("queue:")]
#: Values of parameters, by name, whatever endpoint has them: of what there is, all; of these a test of leaks must try each.
VALUES: dict[str, list[str]] = {
    "queue": [*QUEUES, "nowhere"],
    "agent": [*AGENTS[::4], "NOBODY"],
    "scope": [*OF_CONTACTS, "agent:TORA0", "agent:KUMA0", "queue:nowhere"],
    "alert": [*(f"id-{queue}" for queue in QUEUES), "id-nowhere"],
    "silence": [*SILENCES.values(), "snowhere"],
    "kpi": ["offered"],
    "format": ["csv"],
    "limit": ["3"],
    "window": ["trailing_15m", "day", "interval_15m"],
}
NUMBER_OF_ALL = {str(number) for number in READ}


class Held:
    """The access file that is in force."""

    running = access()


def made() -> Center:
    """Return the center behind a door that knows all grantees."""
    return center(lambda backend, clock: Door(Held(), configuration=lambda: CONFIGURATION, signed_in=backend.store.signed_in, clock=clock))


def requests_of(endpoint: Endpoint) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield addresses and queries: bare, with each parameter by itself, and all values of what names something."""
    required = [each.name for each in endpoint.parameters if each.required]
    paths = [endpoint.template]
    for name in endpoint.path_parameters:
        paths = [path.replace(f"{{{name}}}", value) for path in paths for value in VALUES.get(name, ["wallboard.js"])]
    for path in paths:
        for values in product(*(VALUES[name] for name in required)):
            given = list(zip(required, values, strict=True))
            yield path, given
            for parameter in endpoint.parameters:
                if not parameter.required:
                    yield from ((path, [*given, (parameter.name, value)]) for value in VALUES.get(parameter.name, [parameter.example]))


def appears_in(marker: str, text: str) -> bool:
    """Return whether a name or number is in a text, by itself."""
    return re.search(rf"(?<![0-9A-Za-z-]){re.escape(marker)}(?![0-9A-Za-z])", text) is not None


def found(markers: set[str], text: str) -> set[str]:
    """Return which of the markers are in a text."""
    return {marker for marker in markers if marker in text and appears_in(marker, text)}


async def fetch(session: aiohttp.ClientSession, url: str, grantee: Grantee | None, **more: Any) -> tuple[int, str]:
    """Return status, and body with headers as one text."""
    headers = {} if grantee is None else {"Authorization": f"Bearer {grantee.token}"}
    async with session.request(more.pop("method", "GET"), url, headers=headers | more.pop("headers", {}), **more) as answer:
        body = (await answer.read()).decode(errors="replace")
        return answer.status, f"{body}\n{[(name, value) for name, value in answer.headers.items() if name != 'Date']}"


def serving_app(whole: Center) -> Any:
    """Run the application."""
    return TestServer(create_app(whole.serving))


@pytest.mark.parametrize("grantee", GRANTEES, ids=lambda each: f"{each.role}-{each.area}")
def test_no_answer_reveals_what_is_hidden(grantee: Grantee) -> None:
    """Every endpoint, with every parameter and every name: without the right 403 and nothing else, with it the permitted part alone."""
    _, hidden = markers_of(grantee)
    people, others = agents_of(grantee)
    _, conversations = conversations_of(grantee)

    async def check() -> None:
        whole = made()
        async with serving_app(whole) as server, aiohttp.ClientSession() as session:
            for endpoint in ENDPOINTS:
                if endpoint.messages:  # a stream: below
                    continue
                for path, query in requests_of(endpoint):
                    status, text = await fetch(session, str(server.make_url(path)), grantee, params=query, method=endpoint.method)
                    where = f"{endpoint.name} {path} {query}"
                    if endpoint.right is not None and endpoint.right not in ROLES[grantee.role]:  # type: ignore[index]
                        assert status == 403, where
                    elif endpoint.right is not None:
                        assert status not in {401, 403}, where
                    # What changes something is to be written to Kafka, which is not here.
                    assert status < 500 or (endpoint.method != "GET" and status == 503), where
                    # What one has typed oneself may come back.
                    typed = {value.partition(":")[2] or value for _, value in query} | {path.rpartition("/")[2]}
                    assert not found(hidden - (typed if status >= 400 else set()), text), where
                    assert not found(others - typed, text), where
                    assert not found(conversations, text), where
                    if AREAS[grantee.area].grant:
                        assert not found(NUMBER_OF_ALL, text), where
                    if endpoint.name == "agents" and endpoint.right in ROLES[grantee.role] and not query:  # type: ignore[index]
                        assert found(people, text) == people
                    if endpoint.name == "people" and endpoint.right in ROLES[grantee.role] and not query:  # type: ignore[index]
                        names = people.intersection(AGENTS)
                        assert found(names, text) == names

    asyncio.run(check())


@pytest.mark.parametrize("grantee", GRANTEES, ids=lambda each: f"{each.role}-{each.area}")
def test_everything_permitted_is_returned(grantee: Grantee) -> None:
    """A filter that lets nothing through would pass the test above."""
    shown, _ = markers_of(grantee)
    conversations, _ = conversations_of(grantee)

    async def check() -> None:
        whole = made()
        async with serving_app(whole) as server, aiohttp.ClientSession() as session:
            paths = ["/api/v1/figures", "/api/v1/alerts", "/api/v1/targets"]
            text = "".join([(await fetch(session, str(server.make_url(path)), grantee))[1] for path in paths])
            assert found(shown, text) == shown
            history = (await fetch(session, str(server.make_url("/api/v1/alerts/history?limit=1000")), grantee))[1]
            of_alerts = {each for each in shown if each.isdigit() and int(each) in {*range(160_000, 180_000), *range(210_000, 220_000)}}
            assert found(of_alerts, history) == of_alerts
            if "export" in ROLES[grantee.role]:  # type: ignore[index]
                exported = (await fetch(session, str(server.make_url("/api/v1/export")), grantee))[1]
                assert appears_in(CUSTOMERS, exported) == (not AREAS[grantee.area].grant)
            metrics = (await fetch(session, str(server.make_url("/metrics")), grantee))[1]
            names = {scope.partition(":")[2] for scope in AREAS[grantee.area].contacts.split()}
            assert names <= {each for each in names if f'scope="{each}"' in metrics}
            for id_ in conversations:
                query = {"queue": id_.partition("-")[2], "kpi": "offered"}
                assert appears_in(id_, (await fetch(session, str(server.make_url("/api/v1/explain")), grantee, params=query))[1])
                assert appears_in(id_, (await fetch(session, str(server.make_url("/api/v1/contacts")), grantee, params=query))[1])
            if "audit" in ROLES[grantee.role]:  # type: ignore[index]
                read = (await fetch(session, str(server.make_url("/api/v1/audit?limit=1000")), grantee))[1]
                looked_at = {f"{160_000 + 1013 * (OF_CONTACTS.index(scope) + 1)}" for scope in AREAS[grantee.area].contacts.split()}
                assert found(looked_at, read) == looked_at
            if "contacts" in ROLES[grantee.role]:  # type: ignore[index]
                to_call = (await fetch(session, str(server.make_url("/api/v1/abandoned")), grantee))[1]
                assert found(conversations, to_call) == {id_ for id_ in conversations if not id_.startswith("conv-")}

    asyncio.run(check())


PARTIAL = [each for each in GRANTEES if AREAS[each.area].grant]


@pytest.mark.parametrize("grantee", PARTIAL, ids=lambda each: f"{each.role}-{each.area}")
def test_hidden_names_are_answered_as_unknown_names(grantee: Grantee, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, header for header, and with the same number of reads of the store."""
    hidden = [queue for queue in QUEUES if f"queue:{queue}" not in AREAS[grantee.area].contacts.split()]
    assert hidden

    async def check() -> None:
        whole = made()
        looked: list[str] = []
        for name in ("of_scope", "group", "entries"):
            plain: Callable[..., Any] = getattr(type(whole.backend.store), name)

            def counting(self: Any, *given: Any, _plain: Callable[..., Any] = plain, _name: str = name) -> Any:
                looked.append(_name)
                return _plain(self, *given)

            monkeypatch.setattr(type(whole.backend.store), name, counting)
        async with serving_app(whole) as server, aiohttp.ClientSession() as session:

            async def answer(path: str, query: dict[str, str], name: str, method: str = "GET") -> tuple[int, str, tuple[str, ...]]:
                looked.clear()
                status, text = await fetch(session, str(server.make_url(path)), grantee, params=query, method=method)
                return status, text.replace(name, "NAME"), tuple(looked)

            for method in ("GET", "HEAD"):
                nothing = await answer("/api/v1/queues/nowhere", {}, "nowhere", method)
                assert nothing[0] == 404
                for queue in hidden:
                    assert await answer(f"/api/v1/queues/{queue}", {}, queue, method) == nothing
            for method, path, ids in (
                ("POST", "/api/v1/alerts/{}/acknowledgement", [f"id-{queue}" for queue in hidden]),
                ("DELETE", "/api/v1/silences/{}", [SILENCES[f"queue:{queue}"] for queue in hidden]),
            ):
                nothing = await answer(path.format("nowhere"), {}, "nowhere", method)
                assert nothing[0] == (404 if "alerts" in ROLES[grantee.role] else 403)  # type: ignore[index]
                for each in ids:
                    assert await answer(path.format(each), {}, each, method) == nothing
            for kpi in ("offered", "no_kpi"):
                nothing = await answer("/api/v1/explain", {"queue": "nowhere", "kpi": kpi}, "nowhere")
                for queue in hidden:
                    assert await answer("/api/v1/explain", {"queue": queue, "kpi": kpi}, queue) == nothing
            for path, parameter, names in (
                ("/api/v1/agents", "agent", [each for each in AGENTS if each in agents_of(grantee)[1]]),
                ("/api/v1/export", "scope", [f"queue:{queue}" for queue in hidden]),
            ):
                nothing = await answer(path, {parameter: "queue:nowhere" if parameter == "scope" else "NOBODY"}, "nowhere")
                for name in names:
                    assert await answer(path, {parameter: name}, name) == nothing

    asyncio.run(check())


@pytest.mark.parametrize("grantee", PARTIAL, ids=lambda each: f"{each.role}-{each.area}")
def test_an_etag_does_not_change_with_hidden_records(grantee: Grantee) -> None:
    """Every tagged endpoint that the grantee may call: 304 after everything hidden has changed."""
    seen = {*AREAS[grantee.area].contacts.split(), *AREAS[grantee.area].people.split()}

    async def check() -> None:
        whole = made()
        async with serving_app(whole) as server, aiohttp.ClientSession() as session:

            def urls() -> Iterator[str]:
                for endpoint in ENDPOINTS:
                    if endpoint.tagged and endpoint.right in ROLES[grantee.role] and not any(each.required for each in endpoint.parameters):  # type: ignore[index]
                        yield from (
                            str(server.make_url(path)) for path, query in requests_of(endpoint) if not query and "wallboard" not in path
                        )

            tags = {}
            for url in urls():
                async with session.get(url, headers={"Authorization": f"Bearer {grantee.token}"}) as answer:
                    if answer.status == 200:
                        tags[url] = answer.headers["ETag"]
            assert tags
            whole.changes(lambda scope: scope not in seen, 2)
            for url, tag in tags.items():
                status, _ = await fetch(session, url, grantee, headers={"If-None-Match": tag})
                assert status == 304, url

    asyncio.run(check())


def busy_elsewhere(grantee: Grantee) -> tuple[Center, Center]:
    """Return two centers, which differ in what others do alone: in one of them everything of theirs has changed, or has gone."""
    seen = {*AREAS[grantee.area].contacts.split(), *AREAS[grantee.area].people.split()}
    quiet, busy = made(), made()
    for revision in (2, 3, 4):
        busy.changes(lambda scope: scope not in seen, revision)
    busy.removes(lambda scope: scope not in seen and scope.startswith(("queue", "team")))
    assert not busy.backend.store.feed(b"odd", b"{}")
    return quiet, busy


@pytest.mark.parametrize("grantee", PARTIAL, ids=lambda each: f"{each.role}-{each.area}")
def test_activity_of_others_changes_no_byte(grantee: Grantee) -> None:
    """Every endpoint and parameter, metrics of the process included: the same answer and the same headers."""
    quiet, busy = busy_elsewhere(grantee)

    async def check() -> None:
        async with serving_app(quiet) as one, serving_app(busy) as other, aiohttp.ClientSession() as session:
            for endpoint in ENDPOINTS:
                if not endpoint.messages:
                    for path, query in requests_of(endpoint):
                        answers = [await fetch(session, str(each.make_url(path)), grantee, params=query) for each in (one, other)]
                        assert answers[0] == answers[1], (path, query)

    asyncio.run(check())


@pytest.mark.parametrize("grantee", [each for each in PARTIAL if each.role == "viewer"], ids=lambda each: each.area)
def test_activity_of_others_changes_no_byte_of_an_event(grantee: Grantee, monkeypatch: pytest.MonkeyPatch) -> None:
    """Snapshot, change and alerts are the same, number included, and no event is due where nothing visible changed."""
    quiet, busy = busy_elsewhere(grantee)
    seen = {*AREAS[grantee.area].contacts.split(), *AREAS[grantee.area].people.split()}
    entry = Held.running.tokens[f"t{GRANTEES.index(grantee)}"]

    async def check() -> None:
        messages = []
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 1000.0)
        for whole in (quiet, busy):
            door, feed = whole.serving.door, Feed(whole.serving.figures)
            assert door is not None
            view = door.view(Principal("x", "token", tuple(role.grant() for role in entry.roles)), "figures")
            since, snapshot = feed.message(None, None, view)
            alerts_since, alerts = feed.alerts(None, view)
            whole.changes(lambda scope: scope in seen, 9)
            feed.tick += 1
            changed_since, change = feed.message(since, None, view)
            _, alerts_changed = feed.alerts(alerts_since, view)
            whole.changes(lambda scope: scope not in seen and scope.startswith("site:"), 10)
            nothing = feed.message(changed_since, None, view)[1]
            of_time = feed.message(changed_since, None, view, silent_seconds=1.0)[1]
            assert nothing == b""
            messages.append([snapshot, alerts, change, alerts_changed, of_time])
        assert messages[0] == messages[1]
        assert all(messages[0][index] for index in (0, 1, 4))
        # A viewer sees of usagi nothing that could change.
        assert (messages[0][2] != b"") == (grantee.area != "usagi")

    asyncio.run(check())


async def events_of(session: aiohttp.ClientSession, url: str, grantee: Grantee, texts: dict[Grantee, list[str]]) -> None:
    """Collect the events of a stream until cancelled."""
    async with session.get(url, headers={"Authorization": f"Bearer {grantee.token}"}) as answer:
        if answer.status != 200:
            texts[grantee].append(f"status {answer.status}")
            return
        async for line in answer.content:
            if not line.startswith((b"retry", b"\n")):
                texts[grantee].append(line.decode())


async def quiet_streams(texts: dict[Grantee, list[str]]) -> None:
    """Wait until all streams have received something and nothing more arrives, or for 15 seconds: the machine may be busy."""
    before = -1
    for _ in range(30):
        number = sum(map(len, texts.values()))
        if all(texts.values()) and number == before:
            return
        before = number
        await asyncio.sleep(0.5)


async def streaming(whole: Center, seconds: tuple[float, ...], then: list[Callable[[], object]]) -> AsyncIterator[dict[Grantee, list[str]]]:
    """Open the stream of every grantee, and yield what each received after each step."""
    texts: dict[Grantee, list[str]] = {each: [] for each in GRANTEES}
    async with serving_app(whole) as server, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        url = str(server.make_url("/api/v1/events"))
        tasks = [asyncio.create_task(events_of(session, url, each, texts)) for each in GRANTEES]
        try:
            for wait, step in zip(seconds, [*then, list], strict=True):
                await asyncio.sleep(wait)
                yield texts
                for lines in texts.values():
                    lines.clear()
                step()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def test_no_event_reveals_what_is_hidden() -> None:
    """All grantees at once: the snapshot, changes of everything, and the removal of everything."""

    async def check() -> None:
        whole = made()
        steps: list[Callable[[], object]] = [lambda: whole.changes(lambda _: True, 2), lambda: whole.removes(lambda _: True)]
        number = 0
        async for texts in streaming(whole, (0.5, 0.5, 0.5), steps):
            await quiet_streams(texts)
            for grantee, lines in texts.items():
                shown, hidden = markers_of(grantee)
                text = "".join(lines)
                assert lines, grantee
                assert not found(hidden | agents_of(grantee)[1], text), (grantee, number)
                if number == 0:
                    scopes = {name for name in shown if not name.isdigit() or not 180_000 <= int(name) < 200_000}
                    targets = {name for name in shown if name.isdigit() and int(name) >= 260_000}
                    of_days = {name for name in scopes if not name.isdigit()}
                    assert found(scopes - targets, text) >= scopes - targets - of_days, grantee
                if number == 2 and AREAS[grantee.area].contacts:
                    one = AREAS[grantee.area].contacts.split()[0]
                    assert re.search(rf'"removed":\[[^\]]*\|{re.escape(one)}"', text), grantee
            number += 1
        assert number == 3

    asyncio.run(check())


def test_no_event_reveals_how_busy_others_are() -> None:
    """Only tsubaki changes, twenty times in 2 s.

    A grantee who does not see it gets the time alone, once in 0.9 s.
    """

    async def check() -> None:
        whole = made()
        before = whole.backend.store.version
        busy = {"queue:tsubaki", "department:sugi", "business:hotaka", "site:kansai", "team:kuma", "total:all"}

        def step(revision: int) -> Callable[[], None]:
            return lambda: whole.changes(lambda scope: scope in busy, revision)

        seconds = (2.0, *[0.1] * 20)
        lines: dict[Grantee, list[str]] = {each: [] for each in GRANTEES}
        first = True
        async for texts in streaming(whole, seconds, [step(2 + index) for index in range(20)]):
            for grantee, found_lines in texts.items():
                if not first:
                    lines[grantee] += found_lines
            first = False
        assert whole.backend.store.version > before + 200
        for grantee in PARTIAL:
            seen = {*AREAS[grantee.area].contacts.split(), *AREAS[grantee.area].people.split()}
            if not seen & busy:
                kinds = [line.strip().removeprefix("event: ") for line in lines[grantee] if line.startswith("event: ")]
                # 2 s with two events of the time alone, and one that may have been due from before.
                assert len(kinds) <= 4, (grantee, kinds)
                assert all('"records":{}' in line for line in lines[grantee] if line.startswith("data: ") and '"records"' in line)

    asyncio.run(check())


def test_equal_views_are_equal() -> None:
    """So that what is made for one serves all of them: roles that see no single people see the same in an area."""
    door = made().serving.door
    assert door is not None
    views: dict[str, View] = {}
    for grantee, (name, entry) in zip(GRANTEES, Held.running.tokens.items(), strict=True):
        view = door.view(Principal(name, "token", tuple(role.grant() for role in entry.roles)), "figures")
        if grantee.role not in ROLES_OF_PEOPLE:
            assert views.setdefault(grantee.area, view) == view
    assert len(set(views.values())) == len(AREAS)
