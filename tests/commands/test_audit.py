"""``contact-streams audit``: a table in English and Japanese, JSON, filters, and what is recorded while it follows."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.audit import Actor, AuditObject
from streams.serving.audit.auditor import audit_record
from streams.serving.audit.writer import write_now
from tests.serving.audit.topics import make_audit_topic
from tests.serving.topics import bootstrap

if TYPE_CHECKING:
    from schemas.audit import AuditRecord

__all__ = ["bootstrap"]

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[2]
ANNA, BEN = Actor(kind="user", name="anna"), Actor(kind="token", name="ben\x1b[31m")
BEGAN = time.time() - 1000


def command(bootstrap: str, prefix: str, *arguments: str) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "streams", "audit", *arguments, "--bootstrap", bootstrap, "--prefix", prefix]


def run(bootstrap: str, prefix: str, *arguments: str, code: int = 0) -> tuple[list[str], str]:
    """Run the command as operators do; return the lines it prints, and its stderr."""
    done = subprocess.run(command(bootstrap, prefix, *arguments), cwd=ROOT, capture_output=True, check=False, text=True, encoding="utf-8")
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.splitlines(), done.stderr


def a_day() -> list[AuditRecord]:
    """Return a login, a refused one, a look and a changed file, one second from each other."""
    return [
        audit_record("login", actor=ANNA, instance="test", at=BEGAN, client_address="192.0.2.7"),
        audit_record("login_refused", "refused", actor=BEN, instance="test", at=BEGAN + 1, client_address="2001:db8::1", reason="wrong"),
        audit_record(
            "looked_at_contacts",
            actor=ANNA,
            instance="test",
            at=BEGAN + 2,
            client_address="192.0.2.7",
            about=AuditObject(endpoint="GET /api/v1/explain", scope_kind="queue", scope="請求", kpi="aht", window="day"),
        ),
        audit_record(
            "configuration_changed",
            actor=Actor(kind="process", name="serve"),
            instance="test",
            at=BEGAN + 3,
            about=AuditObject(file="center.yaml", hash_before="aa", hash_after="bb"),
        ),
    ]


def test_what_is_printed(bootstrap: str) -> None:
    """Columns in both languages, what a terminal would obey escaped; JSON a line; by time, actor and action; reading is on record."""
    written = a_day()

    async def fill() -> None:
        await make_audit_topic(bootstrap, "printed")
        await write_now(bootstrap, "printed", written, {})

    asyncio.run(fill())
    lines, errors = run(bootstrap, "printed")
    assert errors == ""
    assert [" ".join(line[24:].split()) for line in lines[1:5]] == [
        "user:anna 192.0.2.7 login done",
        "token:ben⟨U+001B⟩[31m 2001:db8::1 login refused refused (name or password is wrong)",
        "user:anna 192.0.2.7 contacts viewed done queue:請求, GET /api/v1/explain, aht, window=day",
        "process:serve - configuration changed done center.yaml, aa → bb",
    ]
    # It reads what was recorded of itself.
    assert "audit read" in lines[5]
    assert "\x1b" not in "".join(lines)

    lines, _ = run(bootstrap, "printed", "--lang", "ja", "--actor", "anna")
    assert lines[0].split() == ["時刻", "実行者", "接続元", "操作", "結果", "対象"]
    assert [line.split()[3:5] for line in lines[1:]] == [["ログイン", "完了"], ["問い合わせを閲覧", "完了"]]

    def found(*arguments: str) -> list[str]:
        records = [json.loads(line) for line in run(bootstrap, "printed", "--json", *arguments)[0]]
        return [each["audit_id"] for each in records if each["action"] != "audit_read"]

    ids = [each.audit_id for each in written]
    at = [json.loads(each.model_dump_json())["at"] for each in written]
    assert found() == ids
    assert found("--since", at[1], "--until", at[3]) == ids[1:3]
    assert found("--action", "login", "--action", "configuration_changed") == [ids[0], ids[3]]
    assert found("--actor", "process:serve") == [ids[3]]
    lines, _ = run(bootstrap, "printed", "--json", "--action", "audit_read")
    assert len(lines) == 7


def test_follow_prints_new_records(bootstrap: str) -> None:
    """A record is printed when it is written; an interrupt ends the command in order."""
    written = a_day()
    asyncio.run(make_audit_topic(bootstrap, "followed"))
    with subprocess.Popen(
        command(bootstrap, "followed", "--follow", "--json", "--action", "login"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        assert following.stdout is not None
        for record in (written[0], a_day()[0]):
            asyncio.run(write_now(bootstrap, "followed", [record], {}))
            assert json.loads(following.stdout.readline())["audit_id"] == record.audit_id
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0


@pytest.mark.parametrize("more", [[], ["--json"], ["--follow"]], ids=lambda each: each[0] if each else "plain")
def test_kafka_out_of_reach_is_one_line(more: list[str]) -> None:
    """Nothing of the library's own comes before it, and no heading of a table that is not there; nothing listens at that port."""
    lines, errors = run("127.0.0.1:9", "none", *more, code=1)

    assert lines == []
    assert errors == "contact-streams: Kafka at 127.0.0.1:9 is not reached; --bootstrap HOST:PORT names its address\n"


def test_a_missing_topic_is_one_line(bootstrap: str) -> None:
    """The message names what is missing and what to do; that reading is not on record either needs no mention."""
    lines, errors = run(bootstrap, "nowhere", code=1)

    assert lines == []
    assert errors == (
        "contact-streams: there is no topic nowhere.audit.v1: wrong --prefix, or no worker of this version has run here yet\n"
    )
