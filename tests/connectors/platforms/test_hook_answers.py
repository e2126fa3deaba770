"""Answers to senders of surveys and bots, each as the sender requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.connectors.platforms import connector
from tests.connectors.test_hooks import House, configured, inside
from tests.support.platforms import fixture

if TYPE_CHECKING:
    from collections.abc import Iterator


def lines(name: str, file: str) -> Iterator[bytes]:
    """Return the deliveries of a fixture."""
    return iter(fixture(name, file).splitlines())


def test_dialogflow_is_answered_with_an_empty_object() -> None:
    """It would take any other answer for an error of the webhook; the session counts."""

    async def scenario(there: House) -> None:
        headers = {"X-Webhook-Token": "0123456789abcdef"}
        for line in lines("dialogflow-cx", "requests.jsonl"):
            assert await there.send("POST", "bot", line, headers=headers) == (200, {})
        assert [event["type"] for event in there.published()] == [
            "self_service.started",
            "self_service.started",
            "self_service.ended",
            "self_service.started",
            "contact.handed_over",
        ]
        assert (await there.send("POST", "bot", b"{}", headers={"X-Webhook-Token": "wrong-wrong-wrong"}))[0] == 403

    inside(scenario, configured(connector("dialogflow-cx"), "bot", secrets=("0123456789abcdef",)))


def test_surveymonkey_may_test_the_address() -> None:
    """Its webhook cannot be created where HEAD is not answered."""

    async def scenario(there: House) -> None:
        assert (await there.send("HEAD", "poll"))[0] == 200

    inside(scenario, configured(connector("surveymonkey"), "poll", secrets=("client&secret-of-the-app",)))
