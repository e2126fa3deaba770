"""Hostile content on a platform or in a mailbox, which a connector polls: one bad record drops no other, and stops nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from streams.connectors.kit.reading import loaded, written
from streams.connectors.live import imap, kinesis, rasa, sqs
from streams.connectors.pull.entries import MemoryLedger
from tests.connectors.live.test_typeform import Typeform, published
from tests.connectors.test_connections import PASSWORD, FakeFreeSwitch, Followed, freeswitch, until
from tests.support.polling import Clock, poll_once, serving

if TYPE_CHECKING:
    from collections.abc import Callable

NOW: Final = datetime(2026, 4, 7, 12, tzinfo=UTC)
#: As writers that know no better escape what a customer typed.
HALF: Final = '{"text":"\\ud83d"}'
DEEP: Final = '{"a":' * 400 + "1" + "}" * 400


@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_any_json_can_be_written_again(value: Any) -> None:
    """Half characters, endless numbers, no numbers."""
    content = loaded(json.dumps({"value": value}))
    assert set(orjson.loads(written(content))) == {"value"}


@pytest.mark.parametrize("text", [HALF, DEEP], ids=["half", "deep"])
@pytest.mark.parametrize(
    "line_of",
    [sqs._json, lambda text: kinesis._json(text.encode()), lambda text: rasa._json(text.encode())],
    ids=["sqs", "kinesis", "rasa"],
)
def test_an_unwritable_message_is_not_repeated_forever(text: str, line_of: Callable[[str], bytes]) -> None:
    """A queue gives what was not taken again and again: each message becomes a line."""
    assert orjson.loads(line_of(text)).keys() & {"text", "a"}


@pytest.mark.parametrize("odd", [HALF, DEEP, "1" * 400, "NaN", "1e999"], ids=["half", "deep", "long", "no number", "endless"])
def test_an_answer_with_half_a_character_is_read_with_all_others(odd: str) -> None:
    """Three customers answered a survey; one typed half a character, or had a field of its form hold what is nested without end."""

    class Odd(Typeform):
        async def answer(self, request: web.Request) -> web.Response:
            answer = await super().answer(request)
            return web.Response(text=(answer.text or "").replace('"T-1"', f'"T-1", "more": {odd}'), content_type="application/json")

    async def scenario() -> None:
        server, clock, ledger = Odd(), Clock(NOW), MemoryLedger("platform")
        for number in range(3):
            server.respond("Zy8wQr", f"a{number}", NOW - timedelta(hours=5, minutes=number), 5, f"T-{number}")
        async with serving(server.add_to) as url:
            await poll_once("typeform", {"url": url, "access_token": "tf-token", "forms": ["Zy8wQr"]}, ledger, clock)
        assert len(published(ledger)) == 3
        assert ledger.rejected == []

    asyncio.run(scenario())


HEADERS: Final = {
    "comments within comments": b"From: " + b"(" * 5_000 + b"\r\n",
    "bytes that are no text": b"From: \xff\xfe <a\xff@b.c>\r\nMessage-ID: <\xe9\xff@x>\r\n",
    "half a character": b"From: =?utf-7?q?+2AA-?= <a@b>\r\n",
    "quotes without end": b'From: "a,' * 50_000 + b"\r\n",
    "no headers": b"\x00\r\n" * 10_000,
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_a_hostile_mail_stops_no_mailbox(headers: bytes) -> None:
    """It is one mail among others, known by its place where its id is none."""
    folder = imap._Folder("INBOX", "inbox", "q")
    honest = b"From: ann@example.com\r\nMessage-ID: <1@example.com>\r\n\r\n"
    fetched = {uid: {b"INTERNALDATE": NOW, b"BODY[HEADER]": each} for uid, each in ((1, headers + b"\r\n"), (2, honest))}
    mails = [orjson.loads(written(mail)) for mail in imap._mails(fetched, folder, 1, NOW, None, None)]
    assert [mail["uid"] for mail in mails] == [1, 2]
    assert mails[1]["from"] == "ann@example.com"


def test_an_impossible_name_ends_no_connection() -> None:
    """Agents and queues of a telephone system are named by its people: with a control, or too long. All others are followed."""

    async def live() -> Followed:
        async with FakeFreeSwitch() as fake, Followed(freeswitch(), fake.port, secret=PASSWORD) as followed:
            fake.tables["agent list"] = (
                f"name|status|state\nann@default|Available|Waiting\nb\ao|Available|Waiting\n{'x' * 201}|On Break|Waiting\n+OK\n"
            )
            await until(lambda: followed.beats and len([each for each in followed.published() if each["type"] == "source.snapshot"]) == 2)
        return followed

    followed = asyncio.run(live())
    assert followed.runner.summary.failures == 0
    assert [each["open_ids"] for each in followed.published() if each.get("kind") == "agents"] == [["ann@default"]]
