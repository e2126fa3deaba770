"""What answers have in common: problem details, ETag, pages, and unknown parameters."""

from __future__ import annotations

import asyncio
import functools
import operator
import re
from typing import TYPE_CHECKING, Any

import pytest

from schemas.times import parse_time_ms
from streams.serving.agents import Agents
from streams.serving.paging import Paging
from tests.serving.records import AS_OF, Backend, alert, client_of, now_record, person, progress, small_center, window

if TYPE_CHECKING:
    from aiohttp.test_utils import TestClient

    Client = TestClient[Any, Any]

TAGGED = ["/api/v1/figures", "/api/v1/queues/sales", "/api/v1/alerts", "/api/v1/trends", "/api/v1/targets", "/api/v1/catalogue"]


def backend() -> Backend:
    """Return a small center with two alerts."""
    return Backend.fed(small_center()).with_alerts(alert(), alert("queue:claims", "mail", state="pending"))


@pytest.mark.parametrize(
    ("method", "path", "status", "title", "detail"),
    [
        ("GET", "/api/v1/queues/north", 404, "Not Found", "no record names this queue"),
        ("GET", "/api/v1/nothing", 404, "Not Found", "nothing is at this address"),
        ("GET", "/api/v1/explain?queue=sales&kpi=offered", 404, "Not Found", "explain is off here: start serve with --explain"),
        ("POST", "/api/v1/figures", 405, "Method Not Allowed", "this address does not accept this method"),
        ("GET", "/api/v1/alerts?state=over", 400, "Bad Request", "unknown state 'over': one of cleared, firing, pending"),
        ("GET", "/api/v1/alerts?state=a%0D%0Ab", 400, "Bad Request", "unknown state 'a\\r\\nb': one of cleared, firing, pending"),
        ("GET", "/api/v1/figures?limit=0", 400, "Bad Request", "limit '0'; permitted: 1 to 10000"),
        ("GET", "/api/v1/agents?limit=10001", 404, "Not Found", "figures of single agents are off here: start serve with --agents"),
        ("GET", "/api/v1/alerts?limit=10001", 400, "Bad Request", "limit '10001'; permitted: 1 to 10000"),
        ("GET", "/api/v1/figures?cursor=%2A", 400, "Bad Request", "cursor: take it as it is from the Link of the page before"),
    ],
    ids=range(10),
)
def test_errors_are_problem_details(method: str, path: str, status: int, title: str, detail: str) -> None:
    """RFC 9457: type, title, status and detail under a media type of their own, with the older member ``error`` beside."""

    async def check() -> None:
        async with client_of(backend().serving()) as client:
            answer = await client.request(method, path)
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem) == (
                status,
                {"type": "about:blank", "title": title, "status": status, "detail": detail, "error": detail},
            )

    asyncio.run(check())


async def tag_of(client: Client, path: str) -> str:
    """Return the ETag of an answer, after a repeated request with that tag in both permitted forms."""
    answer = await client.get(path)
    tag = answer.headers["ETag"]
    assert answer.status == 200
    for asked in (tag, f'"other", {tag.removeprefix("W/")}'):
        again = await client.get(path, headers={"If-None-Match": asked})
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
        assert again.headers["Vary"] == "Accept, Accept-Encoding, Authorization, Cookie"
        assert again.headers["Cache-Control"] == "no-store"
    return tag


@pytest.mark.parametrize("path", TAGGED)
def test_what_a_client_has_is_not_sent_again(path: str) -> None:
    """An answer has an ETag, the same however it is packed and whenever it is asked for, and 304 is all that its owner gets."""

    async def check() -> None:
        served = backend()
        async with client_of(served.serving(targets={"sales": 0.8})) as client:
            tag = await tag_of(client, path)
            served.clock.seconds += 2.5  # older, not stale
            assert await tag_of(client, path) == tag
            plain = await client.get(path, headers={"Accept-Encoding": "identity", "If-None-Match": '"other"'})
            assert (plain.status, plain.headers["ETag"]) == (200, tag)

    asyncio.run(check())


def test_an_etag_is_of_the_content() -> None:
    """It changes with a figure, with the choice of records, and when figures become stale; not with what this answer does not contain."""

    async def check() -> None:
        served = backend()
        async with client_of(served.serving()) as client:
            figures, queue = await tag_of(client, "/api/v1/figures"), await tag_of(client, "/api/v1/queues/sales")
            assert await tag_of(client, "/api/v1/figures?window=day") != figures
            assert await tag_of(client, "/api/v1/figures?limit=2") != figures
            served.store.feed(*window("queue:claims", "mail", revision=2, late_events=1))
            assert await tag_of(client, "/api/v1/figures") != figures
            assert await tag_of(client, "/api/v1/queues/sales") == queue
            served.clock.seconds = parse_time_ms(AS_OF) / 1000 + 10.5
            assert await tag_of(client, "/api/v1/queues/sales") != queue

    asyncio.run(check())


def test_a_text_like_the_headers_time_is_part_of_the_etag() -> None:
    """Only the time of the header is left out of an ETag; a similar text of a record is not."""

    async def check() -> None:
        tags = set()
        for text in ("2026-04-01T09:00:01.000Z", "2026-04-01T09:00:02.000Z"):
            served = Backend.fed([progress(0), now_record("queue:sales", waiting=1, server_time=text, age_seconds=1.0)])
            async with client_of(served.serving()) as client:
                tags.add(await tag_of(client, "/api/v1/figures"))
        assert len(tags) == 2

    asyncio.run(check())


async def pages_of(client: Client, path: str, member: str) -> list[list[str]]:
    """Return the keys of all pages that a path leads to."""
    pages = []
    while True:
        answer = await client.get(path)
        page = (await answer.json())[member]
        pages.append([*page] if isinstance(page, dict) else [each.get("alert_id") or each["scope"] for each in page])
        found = re.fullmatch(r'<(\?[^>]+)>; rel="next"', answer.headers.get("Link", ""))
        if found is None:
            assert "Link" not in answer.headers
            return pages
        path = path.partition("?")[0] + found[1]


def test_long_lists_have_pages() -> None:
    """Each record is on one page, in the order of keys, the choice of windows kept, and the last page leads nowhere."""

    async def check() -> None:
        served = backend()
        agents = Agents()
        people = Agents()
        for name in ("sato", "tanaka", "suzuki"):
            assert people.feed(*person(name))
        agents.take_over(people)
        async with client_of(served.serving(agents=agents)) as client:
            whole = await pages_of(client, "/api/v1/figures", "records")
            assert whole == [sorted(key.decode() for key, _ in small_center())]
            for limit, sizes in ((3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10])):
                pages = await pages_of(client, f"/api/v1/figures?limit={limit}", "records")
                assert ([len(page) for page in pages], functools.reduce(operator.iadd, pages, [])) == (sizes, whole[0])
            chosen = await pages_of(client, "/api/v1/figures?window=trailing_15m&limit=4&window=day", "records")
            assert [len(page) for page in chosen] == [4, 4]
            assert [key for page in chosen for key in page] == [key for key in whole[0] if "progress" not in key]
            assert await pages_of(client, "/api/v1/alerts?limit=1", "alerts") == [["id-claims"], ["id-sales"]]
            assert await pages_of(client, "/api/v1/alerts?limit=1&state=firing", "alerts") == [["id-sales"]]
            assert await pages_of(client, "/api/v1/agents?limit=2", "agents") == [["sato", "suzuki"], ["tanaka"]]

    asyncio.run(check())


def test_changes_between_pages_shift_no_entry() -> None:
    """A page begins behind the last key of the one before, though that key was deleted and others were added before it."""

    async def check() -> None:
        served = Backend.fed([now_record(f"queue:{name}", waiting=1) for name in "bcdef"])
        async with client_of(served.serving()) as client:
            first = await client.get("/api/v1/figures?limit=2")
            assert [*(await first.json())["records"]] == ["now|voice|queue:b", "now|voice|queue:c"]
            served.store.feed(b"now|voice|queue:c", None)
            served.store.feed(*now_record("queue:a", waiting=1))
            link = re.fullmatch(r'<(.+)>; rel="next"', first.headers["Link"])
            assert link is not None
            second = await client.get(f"/api/v1/figures{link[1]}")
            assert [*(await second.json())["records"]] == ["now|voice|queue:d", "now|voice|queue:e"]

    asyncio.run(check())


def test_any_key_makes_a_cursor() -> None:
    """Keys hold what names of queues hold: what a page ends with is where the next one begins."""

    class Keyed:
        def __init__(self, key: str) -> None:
            self.key = key

    entries = [Keyed(key) for key in sorted(["now|voice|queue:料金", "now|voice|queue:a?b&c=d/e", "\x7f", "zz"])]
    _, cursor = Paging(2).of(entries)
    assert cursor is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    rest, end = Paging.of_query({"cursor": cursor}).of(entries)
    assert ([each.key for each in rest], end) == ([each.key for each in entries[2:]], None)


@pytest.mark.parametrize(("path", "status"), [("figures?limit=1&limit=2", 400), ("figures?window=day&window=trailing_5m", 200)])
def test_a_parameter_that_is_given_too_often_is_refused(path: str, status: int) -> None:
    """Of two limits neither is passed over in silence; windows may be several."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            answer = await client.get(f"/api/v1/{path}")
            assert answer.status == status
            if status == 400:
                assert (await answer.json())["detail"] == "limit: given more than once; permitted: once"

    asyncio.run(check())


@pytest.mark.parametrize("query", ["windows=day", "Window=day", "widow=day", "limits=5", "curser=x"])
def test_a_misspelled_parameter_is_refused(query: str) -> None:
    """A name that is nearly one that the address knows is refused with that name; what is like none is ignored, here and everywhere."""

    async def check() -> None:
        async with client_of(backend().serving()) as client:
            refused = await client.get(f"/api/v1/figures?{query}")
            detail = (await refused.json())["detail"]
            assert (refused.status, re.sub(r"'[^']*'", "''", detail, count=1)) == (
                400,
                f"unknown parameter '': did you mean '{'cursor' if 'cur' in query else 'limit' if 'limit' in query else 'window'}'?",
            )
            for path in (*TAGGED, "/metrics", "/healthz", "/"):
                assert (await client.get(f"{path}?_=1712&utm_source=mail")).status == 200

    asyncio.run(check())
