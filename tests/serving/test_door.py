"""The guard and its tokens: admitted requests, the answers to others, and the check of rights at every request."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest

from schemas.times import parse_time_ms
from streams.access.principals import Grant, Identity, Principal
from streams.configuration import Configuration
from streams.configuration.access import AccessFile
from streams.listening.tokens import TOKEN_FORM, bearer_of, hash_of, is_token, new_token
from streams.serving import door as door_module
from streams.serving.door import Door, Tokens
from streams.serving.endpoints import ENDPOINTS
from tests.serving.records import Backend, Clock, client_of, now_record, small_center

if TYPE_CHECKING:
    from aiohttp import web

OLD, NEW, OTHER = (TOKEN_FORM + character * 43 for character in "abc")


class Held:
    """An access file that a test replaces."""

    def __init__(self, **keys: Any) -> None:
        self.running = AccessFile.model_validate(keys)

    def becomes(self, **keys: Any) -> None:
        """Put another file in force."""
        self.running = AccessFile.model_validate(keys)


def token(*tokens: str, role: str = "viewer", **more: Any) -> dict[str, Any]:
    """Return the entry of a program."""
    return {"hashes": [hash_of(each) for each in tokens], "roles": [{"role": role}], **more}


def bearing(given: str) -> dict[str, str]:
    """Return the header with a token."""
    return {"Authorization": f"Bearer {given}"}


def test_a_token_is_random_and_has_a_form() -> None:
    """SHA-256 of "csa_" and 43 a, by `printf csa_aaa… | sha256sum`."""
    made = new_token(TOKEN_FORM)

    assert made != new_token(TOKEN_FORM)
    assert is_token(made, TOKEN_FORM)
    assert not is_token(made[:-1], TOKEN_FORM)
    assert not is_token(made, "cst_")
    assert hash_of(OLD) == "sha256:2110800a9c74214356033860926095ebfefa4313d4c0cb901d5c4ac2c154224c"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"Bearer {OLD}", OLD),
        (f"bearer  {OLD} ", OLD),
        (f"Basic {OLD}", None),
        (OLD, None),
        ("", None),
        (None, None),
        ("Bearer " + "x" * 1000, None),
    ],
)
def test_the_token_of_a_header(header: str | None, found: str | None) -> None:
    """The scheme in any case, and a token of the right length."""
    assert bearer_of(header) == found


def test_every_hash_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many comparisons if the first matches or none, so that the duration reveals nothing."""
    access = Held(tokens={"a": token(OLD, NEW), "b": token(OTHER)})
    compared: list[bytes] = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr("streams.serving.door.hmac.compare_digest", counting)

    class Asking:
        """The parts of a request that are read."""

        def __init__(self, given: str) -> None:
            self.headers = bearing(given)

    async def check() -> None:
        tokens = Tokens(access)
        for given, name in ((OLD, "a"), (NEW, "a"), (OTHER, "b"), (TOKEN_FORM + "z" * 43, None)):
            compared.clear()
            request: Any = Asking(given)
            assert await tokens.identify(request) == (None if name is None else Identity("token", name))
            assert len(compared) == 3

    asyncio.run(check())


PROTECTED = [each for each in ENDPOINTS if each.right is not None]


@pytest.mark.parametrize("endpoint", PROTECTED, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "headers", [{}, bearing(OTHER), bearing("csa_x"), {"Authorization": f"Basic {OLD}"}], ids=["none", "wrong", "odd", "basic"]
)
def test_without_a_token_nothing_is_there(endpoint: Any, headers: dict[str, str]) -> None:
    """Every endpoint with a right answers 401 alike with the challenge and nothing else, even for what does not exist."""

    async def check() -> None:
        door = Door(Held(tokens={"a": token(OLD)}))
        async with client_of(Backend.fed(small_center()).serving(door=door)) as client:
            path = re.sub(r"\{\w+\}", "sales", endpoint.template)
            answers = []
            for asked in (path, path.replace("sales", "none"), f"{path}?nonsense=1"):
                answer = await client.request(endpoint.method, asked, headers=headers)
                answers.append((answer.status, await answer.read(), answer.headers["WWW-Authenticate"]))
            assert len(set(answers)) == 1
            assert answers[0][0] == 401
            assert answers[0][2] == 'Bearer realm="contact-streams"' + (', error="invalid_token"' if headers else "")
            assert b"sales" not in answers[0][1]

    asyncio.run(check())


def test_what_needs_no_right_is_there_for_all() -> None:
    """Health and the files of the page; a path without endpoint is not found, for all accounts."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving(door=Door(Held()))) as client:
            for path, status in (("/healthz", 200), ("/readyz", 200), ("/wallboard.js", 200), ("/nothing", 404), ("/api/v1/x", 404)):
                assert (await client.get(path)).status == status, path
            assert (await client.post("/api/v1/figures")).status == 405

    asyncio.run(check())


def test_a_right_is_checked_at_every_request() -> None:
    """A token is rotated, loses its role, expires, and goes, without a restart."""

    async def check() -> None:
        access, clock = Held(tokens={"a": token(OLD)}), Clock()
        async with client_of(Backend.fed(small_center()).serving(door=Door(access, clock=clock))) as client:

            async def status(given: str, path: str = "/api/v1/figures") -> int:
                return (await client.get(path, headers=bearing(given))).status

            assert (await status(OLD), await status(NEW)) == (200, 401)
            access.becomes(tokens={"a": token(OLD, NEW)})
            assert (await status(OLD), await status(NEW)) == (200, 200)
            access.becomes(tokens={"a": token(NEW)})
            assert (await status(OLD), await status(NEW)) == (401, 200)
            assert (await status(NEW, "/api/v1/agents"), await status(NEW, "/api/v1/explain")) == (403, 403)
            # At 09:00:01 and at 09:00:02.
            access.becomes(tokens={"a": token(NEW, expires="2026-04-01T09:00:02Z")})
            assert clock.seconds * 1000 == parse_time_ms("2026-04-01T09:00:01Z")
            assert await status(NEW) == 200
            clock.seconds += 1
            assert await status(NEW) == 401
            access.becomes(tokens={"a": {**token(NEW), "roles": []}})
            assert await status(NEW) == 403
            access.becomes()
            assert await status(NEW) == 401

    asyncio.run(check())


def test_the_requests_of_one_account_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    """60 a minute, whatever the answers: then 429 with Retry-After; other accounts, health and login are not affected."""

    async def check() -> None:
        access, clock = Held(requests_per_minute=60, tokens={"a": token(OLD), "b": token(NEW)}), Clock()
        door = Door(access, clock=clock, monotonic=clock)
        async with client_of(Backend.fed(small_center()).serving(door=door)) as client:

            async def status(given: str, path: str = "/api/v1/catalogue") -> int:
                return (await client.get(path, headers=bearing(given))).status

            paths = ("/api/v1/queues/sales", "/api/v1/queues/none", "/api/v1/agents", "/metrics")
            assert [await status(OLD, paths[index % 4]) for index in range(60)] == [200, 404, 403, 200] * 15
            refused = await client.get("/api/v1/catalogue", headers=bearing(OLD))
            assert (refused.status, refused.headers["Retry-After"], refused.content_type) == (429, "1", "application/problem+json")
            assert await status(OLD, "/api/v1/agents") == await status(OLD, "/api/v1/events") == 429
            assert await status(NEW) == 200
            for path in ("/healthz", "/readyz", "/api/v1/session", "/wallboard.js", "/api/v1/openapi.json"):
                assert await status(OLD, path) == 200
            assert [await status(OTHER) for _ in range(70)] == [401] * 70
            clock.seconds += 1
            assert [await status(OLD), await status(OLD)] == [200, 429]
            access.becomes(requests_per_minute=6000, tokens={"a": token(OLD)})
            clock.seconds += 1
            assert [await status(OLD), await status(OLD)] == [200, 200]

    with caplog.at_level("WARNING"):
        asyncio.run(check())
    assert [record.getMessage() for record in caplog.records if "429" in record.getMessage()] == [
        "token:a exceeds 60 requests a minute (requests_per_minute) and is answered with 429."
    ]


def test_without_an_access_file_requests_are_not_counted() -> None:
    """Requests without a login are not limited."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            for _ in range(AccessFile().requests_per_minute + 10):
                assert (await client.get("/api/v1/session")).status == 200
            assert (await client.get("/api/v1/figures")).status == 200

    asyncio.run(check())


@pytest.mark.parametrize("endpoint", [each for each in PROTECTED if each.right != "figures"], ids=lambda each: each.name)
def test_a_refusal_names_the_missing_right(endpoint: Any) -> None:
    """The same whether the object exists or not: the right is the endpoint's, as the API document states."""

    async def check() -> None:
        door = Door(Held(tokens={"a": token(OLD)}))
        async with client_of(Backend.fed(small_center()).serving(door=door)) as client:
            answers = set()
            for name in ("sales", "none"):
                answer = await client.request(endpoint.method, re.sub(r"\{\w+\}", name, endpoint.template), headers=bearing(OLD))
                answers.add((answer.status, (await answer.json())["detail"]))
            assert answers == {(403, f"this requires the right '{endpoint.right}', which your roles do not have")}

    asyncio.run(check())


def test_a_browser_is_sent_to_the_login_page_and_a_program_is_not() -> None:
    """Only for the page itself, and only to this server, whatever the address; its parameters are preserved."""

    async def check() -> None:
        door = Door(Held(), login="/login")
        async with client_of(Backend.fed(small_center()).serving(door=door)) as client:
            html = {"Accept": "text/html,*/*"}
            for asked, location in (
                ("/", "/login"),
                ("/?view=wall&queue=sales", "/login?next=%2F%3Fview%3Dwall%26queue%3Dsales"),
                # A parameter of the page, which it ignores; the way on is still the page.
                ("/?next=//evil.example", "/login?next=%2F%3Fnext%3D%2F%2Fevil.example"),
            ):
                sent = await client.get(asked, headers=html, allow_redirects=False)
                assert (sent.status, sent.headers["Location"]) == (303, location)
            assert (await client.get("/", allow_redirects=False)).status == 401
            assert (await client.get("/api/v1/figures", headers=html, allow_redirects=False)).status == 401

    asyncio.run(check())


def test_methods_of_authentication_are_tried_in_their_order() -> None:
    """A certificate that the file does not know does not lock out a logged-in user."""

    class Always:
        """Returns the same identity for every request."""

        def __init__(self, identity: Identity | None) -> None:
            self._identity = identity

        async def identify(self, request: web.Request) -> Identity | None:
            """Return it."""
            return self._identity

    async def check() -> None:
        ways = [Always(None), Always(Identity("certificate", "unknown")), Always(Identity("certificate", "known"))]
        access = Held(certificates={"known": {"roles": [{"role": "viewer"}]}})
        async with client_of(Backend.fed(small_center()).serving(door=Door(access, identifiers=ways))) as client:
            assert (await client.get("/api/v1/figures")).status == 200
            access.becomes()
            assert (await client.get("/api/v1/figures")).status == 401

    asyncio.run(check())


async def lines_of(client: Any, given: str, seconds: float) -> tuple[list[str], bool]:
    """Return the lines of an event stream within a time, and whether the server ended it."""
    lines: list[str] = []
    async with client.get("/api/v1/events", headers=bearing(given)) as answer:
        assert answer.status == 200
        try:
            async with asyncio.timeout(seconds):
                async for line in answer.content:
                    lines.append(line.decode())  # noqa: PERF401 - they are wanted when the time is up too
        except TimeoutError:
            return lines, False
    return lines, True


@pytest.mark.parametrize("how", ["deleted", "without the right", "expired"])
def test_an_open_stream_ends_when_the_right_ends(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends within a second of the check: at once after a change of the file, otherwise at the next check within 15 s."""
    assert door_module.RECHECK_SECONDS <= 30
    monkeypatch.setattr(door_module, "RECHECK_SECONDS", 0.3)

    async def check() -> None:
        access, clock = Held(tokens={"a": token(OLD, expires="2026-04-01T09:00:02Z")}), Clock()
        door = Door(access, clock=clock)
        async with client_of(Backend.fed(small_center()).serving(door=door, heartbeat_seconds=0.1)) as client:
            listening = asyncio.create_task(lines_of(client, OLD, 5))
            await asyncio.sleep(0.7)
            assert not listening.done()
            if how == "deleted":
                access.becomes()
            elif how == "expired":
                clock.seconds += 1
            else:
                access.becomes(tokens={"a": {**token(OLD), "roles": []}})
            lines, ended = await asyncio.wait_for(listening, 1)
            assert ended
            assert any("queue:sales" in line for line in lines)

    asyncio.run(check())


def test_an_open_stream_restarts_when_its_view_changes() -> None:
    """The new snapshot holds what is permitted now, and nothing that was permitted before follows."""

    async def check() -> None:
        access = Held(tokens={"a": token(OLD)})
        backend = Backend.fed(small_center())
        async with client_of(backend.serving(door=Door(access), heartbeat_seconds=0.1)) as client:
            listening = asyncio.create_task(lines_of(client, OLD, 1.5))
            await asyncio.sleep(0.5)
            access.becomes(tokens={"a": {**token(OLD), "roles": [{"role": "viewer", "queues": ["claims"]}]}})
            await asyncio.sleep(0.3)
            backend.store.feed(*now_record("queue:sales", waiting=77, revision=2))
            backend.store.feed(*now_record("queue:claims", "mail", waiting=78, revision=2))
            lines, ended = await listening
            assert not ended
            begins = [index for index, line in enumerate(lines) if line == "event: snapshot\n"]
            assert len(begins) == 2
            before, after = "".join(lines[: begins[1]]), "".join(lines[begins[1] :])
            assert "queue:sales" in before
            assert "sales" not in after
            assert '"waiting":78' in after

    asyncio.run(check())


def test_signed_in_agents_are_counted_regularly() -> None:
    """They are counted once in 5 s, as minimum and maximum of three counts; the places are one object until they change."""
    clock, looks = Clock(), [{"team:x": 5}, {"team:x": 7}, {}, {"team:x": 6}, {"team:x": 6}, {"team:x": 6}, {"team:x": 6}]
    asked = iter(looks)
    door = Door(Held(), signed_in=lambda: next(asked), clock=clock)
    found = []
    for _ in looks:
        places = door.places
        clock.seconds += 4.9
        assert door.places is places
        found.append(places.signed_in["team:x"])
        clock.seconds += 0.2
    assert found == [(5, 5), (5, 7), (0, 7), (0, 7), (0, 6), (6, 6), (6, 6)]


def test_views_follow_the_configuration() -> None:
    """A queue that moves to another site is in the view of that site from then on, and equal views are one object."""
    configurations = [
        Configuration.model_validate({"sites": {"a": {"zone": "UTC"}, "b": {"zone": "UTC"}}, "queues": {"q": {"site": site}}})
        for site in "aba"
    ]
    current = configurations[0]
    door = Door(Held(), configuration=lambda: current)
    principal = Principal("x", "token", (Grant("viewer", sites=frozenset({"a"})),))
    first = door.view(principal, "figures")
    assert first.sees("queue", "q")
    current = configurations[1]
    assert not door.view(principal, "figures").sees("queue", "q")
    current = configurations[2]
    assert door.view(principal, "figures") is first
