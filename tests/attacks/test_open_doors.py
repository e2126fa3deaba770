"""Unauthenticated requests to pages, hooks and their challenges: the gateway answers each, and never fails."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from streams.connectors.platforms import connector
from streams.connectors.survey_links import LinkKeys, SurveyLink
from tests.connectors.test_hooks import BELL, House, configured, inside
from tests.connectors.test_pages import DAY, KEY, beacon, survey

if TYPE_CHECKING:
    import pytest

ODD_VALUES = (
    b"http://[",
    b"https://[::1",
    b"http://a]b",
    "https://www.example.com\u2100".encode(),
    b"https://www.example.com:x",
    b"\xff\xfe",
    b"x" * 7_000,
    b"q=NaN",
    b"ja;q=inf,ja;q=nan,ja;q=" + b"9" * 400,
    b"Basic \xff",
    b"Bearer \xe9",
    b"%ED%A0%80",
    b"",
    b",;=,",
)
HEADERS = (
    b"Referer",
    b"Origin",
    b"Accept-Language",
    b"Authorization",
    b"X-Signature",
    b"X-Timestamp",
    b"Content-Type",
    b"x-twitter-webhooks-signature",
    b"X-Twilio-Signature",
)
ODD_QUERIES = (
    b"lang=%00",
    b"c=%ED%A0%80",
    b"crc_token=%ff",
    b"token=%ff%fe",
    b"hub.mode=subscribe&hub.verify_token=%ff&hub.challenge=%00",
    b"%",
    b"c",
)


async def status_of(there: House, request: bytes) -> int:
    """Send bytes; return the status of the answer."""
    host, _, port = there.address.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(100), 5)
    writer.close()
    return int(answer.split()[1])


def test_odd_headers_and_queries_are_answered_and_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """At every door that is open: a status that is meant, and nothing in the log that a stranger wrote."""
    link = LinkKeys([KEY]).token(SurveyLink("T-1", "csat", 1, 5, DAY)).encode()
    doors = [
        (b"GET", b"/b/faq.gif"),
        (b"GET", b"/b/faq.js"),
        (b"POST", b"/b/faq"),
        (b"GET", b"/s/poll/" + link),
        (b"POST", b"/s/poll/" + link),
        (b"GET", b"/s/poll/%ff"),
        *((method, b"/v1/hooks/" + name) for name in (b"bell", b"x", b"page", b"twilio") for method in (b"GET", b"HEAD", b"POST")),
        (b"POST", b"/v1/events"),
    ]

    async def scenario(there: House) -> None:
        for method, path in doors:
            sent = [(path, name + b": " + value) for name in HEADERS for value in ODD_VALUES]
            sent += [(path + b"?" + query, b"X-Nothing: 1") for query in ODD_QUERIES]
            for target, header in sent:
                head = (
                    method
                    + b" "
                    + target
                    + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n"
                    + header
                    + b"\r\n\r\n{}"
                )
                status = await status_of(there, head)
                assert status < 500, (method, target, header[:60], status)

    names = {"x": connector("x"), "page": connector("facebook"), "twilio": connector("twilio-taskrouter"), "bell": BELL}
    caplog.set_level(logging.INFO)
    inside(scenario, *(configured(each, name) for name, each in names.items()), survey(), beacon(), events_per_second=1e6)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "example.com\u2100" not in caplog.text
