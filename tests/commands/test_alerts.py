"""The command that lists, acknowledges and silences alerts, on an embedded broker."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from schemas.topics import topic
from streams.cli import main
from streams.serving.alerting.actions import actions_topic
from streams.serving.reader import alerts_topic
from tests.serving.records import alert
from tests.serving.topics import bootstrap, make, publish

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bootstrap"]


def given(bootstrap: str, prefix: str, *arguments: str) -> int:
    """Run the command."""
    return main(["alerts", *arguments, "--bootstrap", bootstrap, "--prefix", prefix])


async def prepared(bootstrap: str, prefix: str, names: Sequence[str]) -> None:
    """Make topics, with an alert that fires."""
    for name in names:
        await make(bootstrap, name)
    await publish(bootstrap, alerts_topic(prefix), [alert(), alert("queue:over", state="cleared")])


@pytest.mark.embedded
def test_an_alert_is_listed_acknowledged_and_silenced(bootstrap: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A firing alert is listed with its acknowledgement and silence; the audit has each action; a repeated acknowledgement is reported."""
    audit = topic("audit.v1").full_name("cli")
    asyncio.run(prepared(bootstrap, "cli", [alerts_topic("cli"), actions_topic("cli"), audit]))

    assert given(bootstrap, "cli", "acknowledge", "id-sales", "--note", "mine") == 0
    assert given(bootstrap, "cli", "acknowledge", "id-sales") == 0
    assert given(bootstrap, "cli", "silence", "--scope", "queue:sales", "--for", "2h", "--reason", "drill") == 0
    printed = capfd.readouterr().out
    assert "Acknowledged.\nAcknowledged already" in printed
    assert given(bootstrap, "cli", "list", "--json") == 0
    listed = json.loads(capfd.readouterr().out)
    assert [(each["alert_id"], each["acknowledged"]["note"], each["silenced"]["reason"]) for each in listed["alerts"]] == [
        ("id-sales", "mine", "drill")
    ]
    assert given(bootstrap, "cli", "unsilence", listed["silences"][0]["silence_id"]) == 0
    assert given(bootstrap, "cli", "list") == 0
    printed = capfd.readouterr().out
    assert "id-sales" in printed
    assert "acknowledged by" in printed
    assert "silenced" not in printed
    assert main(["audit", "--json", "--bootstrap", bootstrap, "--prefix", "cli"]) == 0
    actions = [json.loads(line)["action"] for line in capfd.readouterr().out.splitlines()]
    assert [each for each in actions if each != "audit_read"] == ["alert_acknowledged", "silence_made", "silence_ended"]


@pytest.mark.embedded
def test_an_impossible_action_is_an_error(bootstrap: str, capfd: pytest.CaptureFixture[str]) -> None:
    """No such alert, no such silence, a silence about everything, and a Kafka without the topic end with a sentence."""
    asyncio.run(prepared(bootstrap, "wrong", [alerts_topic("wrong"), actions_topic("wrong")]))

    assert given(bootstrap, "wrong", "acknowledge", "id-over") == 1
    assert given(bootstrap, "wrong", "unsilence", "none") == 1
    assert given(bootstrap, "wrong", "silence", "--for", "40d", "--rule", "r", "--reason", "x") == 2
    assert given(bootstrap, "wrong", "silence", "--for", "2h", "--reason", "x") == 2
    errors = capfd.readouterr().err
    assert "no firing alert has this id" in errors
    assert "no such silence" in errors
    assert "30 days" in errors
    assert "name the alerts" in errors
    assert given(bootstrap, "nothing", "list") == 2
    assert "the worker of this version creates it" in capfd.readouterr().err
