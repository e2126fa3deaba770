"""The status in one sentence: the faulty part, since when, what is still right, the contact; by function, API and command."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from schemas.times import parse_time_ms
from schemas.topics import topic
from streams.access.views import EVERYTHING
from streams.cli import main
from streams.configuration.on_call import OnCall
from streams.serving.status import CODES, Seen, faults_of, status_document
from streams.serving.workers import STALLED_AFTER_SECONDS, Workers
from tests.serving.records import Backend, client_of, progress, small_center, window

NOW = parse_time_ms("2026-04-01T05:05:30Z")
AT = {minute: parse_time_ms(f"2026-04-01T05:{minute:02}:00Z") for minute in range(6)}
TOKYO = ZoneInfo("Asia/Tokyo")
ALL_PANES = {"queue-panes.v1": list(range(topic("queue-panes.v1").partitions))}
WELL = Seen(now_ms=NOW, ready=True, connected=True, reached=True, missing=False, since_ms=AT[0], as_of_ms=NOW - 1000)
ON_CALL = OnCall.model_validate({"default": "IT 4000", "kafka": "Net 4100", "sources": {"pbx": "Tel 4200"}})

#: What is seen → the code, and the sentences in English and Japanese; the times are those of Tokyo, nine hours ahead.
SENTENCES: list[tuple[Seen, str, str, str]] = [
    (WELL, "ok", "Everything works: figures are as of 14:05:29 JST.", "正常に動作しています（14:05:29 JST現在）。"),
    (
        replace(WELL, ready=False, connected=False, reached=False, as_of_ms=None),
        "kafka_not_reached",
        "Kafka has not answered since 14:00:00 JST: there are no figures yet, and they will be there once it does. Call Net 4100.",
        "Kafkaが14:00:00 JSTから応答していません。まだ数値はありませんが、応答があれば自動的に表示されます。連絡先：Net 4100",
    ),
    (
        replace(WELL, connected=False, since_ms=AT[4], as_of_ms=AT[3], old=True),
        "kafka_lost",
        (
            "Kafka cannot be read since 14:04:00 JST: figures are right as of 14:03:00 JST, and newer "
            "ones are missing until it can. Call Net 4100."
        ),
        "Kafkaを14:04:00 JSTから読み取れません。14:03:00 JST現在の数値は正しく、それ以降は復旧するまで更新されません。連絡先：Net 4100",
    ),
    (
        replace(WELL, ready=False, connected=False, missing=True, as_of_ms=None),
        "topics_missing",
        (
            "No worker has created the topics of figures by 14:05:30 JST: Kafka answers, and figures will be there once a worker runs. "
            "Call IT 4000."
        ),
        (
            "集計プロセス（worker）がまだ一度も起動していません（14:05:30 JST時点）。Kafkaは応答しており、起動すれば数値が表示されます。"
            "連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, ready=False, connected=False, as_of_ms=None),
        "reading",
        "Figures are being read from Kafka since 14:00:00 JST: nothing is broken, they will be there soon.",
        "14:00:00 JSTからKafkaの数値を読み込み中です。異常はなく、まもなく表示されます。",
    ),
    (
        replace(WELL, ready=False, connected=False, as_of_ms=None, percent=43),
        "reading",
        "Figures are being read from Kafka since 14:00:00 JST (43 % by now): nothing is broken, they will be there soon.",
        "14:00:00 JSTからKafkaの数値を読み込み中です（43%完了）。異常はなく、まもなく表示されます。",
    ),
    (
        replace(WELL, stalled=ALL_PANES, still_since_ms=AT[2], as_of_ms=AT[1], old=True),
        "worker_silent",
        ("No worker has counted since 14:02:00 JST: figures are right as of 14:01:00 JST, and later events wait in Kafka. Call IT 4000."),
        (
            "集計プロセス（worker）が14:02:00 JSTから停止しています。14:01:00 "
            "JST現在の数値は正しく、以降のイベントはKafkaに残り、後で集計されます。"
            "連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, stalled={"contact-events.v1": [3, 1]}, still_since_ms=AT[2]),
        "worker_partly_silent",
        (
            "Part of the events has not been counted since 14:02:00 JST (contact-events.v1 1, 3): figures are right as of then, "
            "and later events wait in Kafka. Call IT 4000."
        ),
        (
            "14:02:00 JSTから一部のイベントが集計されていません（contact-events.v1 1, "
            "3）。それ以前の数値は正しく、以降の不足分はKafkaに残り、"
            "後で集計されます。連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, recovering={"queue:sales": AT[3], "queue:claims": AT[2]}),
        "scopes_recovering",
        "Some figures have been stalled since 14:02:00 JST (queue:claims, queue:sales): all others are right. Call IT 4000.",
        (
            "14:02:00 JSTから一部の数値が更新されていません（queue:claims、"
            "queue:sales）。その他の数値は正しく表示されています。連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, stalled=ALL_PANES, still_since_ms=AT[2], as_of_ms=AT[1], old=True, restoring=True),
        "worker_restoring",
        (
            "A worker has started, and has been restoring its state since 14:02:00 JST: figures are right as of 14:01:00 JST, and "
            "later events are counted after that."
        ),
        (
            "集計プロセス（worker）が起動し、14:02:00 JSTから状態を読み込んでいます。"
            "14:01:00 JST現在の数値は正しく、以降の分は読み込み後に集計されます。"
        ),
    ),
    (
        replace(WELL, stalled={"contact-events.v1": [3, 1]}, still_since_ms=AT[2], restoring=True),
        "worker_partly_restoring",
        (
            "Part of the events waits for a worker that has been restoring its state since 14:02:00 JST (contact-events.v1 1, 3): figures "
            "are right as of then, and later events are counted after that."
        ),
        (
            "集計プロセス（worker）が14:02:00 JSTから状態を読み込んでおり、一部のイベントが集計待ちです（contact-events.v1 1, 3）。"
            "それ以前の数値は正しく、以降の分は読み込み後に集計されます。"
        ),
    ),
    (
        replace(WELL, as_of_ms=None, old=True),
        "no_figures",
        "Nothing has been counted yet: figures are shown once a source has sent events.",
        "まだ何も集計されていません。送信元から情報が届くと数値が表示されます。",
    ),
    (
        replace(WELL, as_of_ms=AT[1], old=True, moving=True),
        "figures_catching_up",
        "Figures catch up: they are right as of 14:01:00 JST, and later events are being counted.",
        "集計が現在時刻に追い付くまで処理中です。14:01:00 JST現在の数値は正しく、以降の分も順次集計されます。",
    ),
    (
        replace(WELL, catching_up={"queue:sales": AT[3], "queue:claims": AT[2]}),
        "scopes_catching_up",
        (
            "Some figures catch up and are right as of 14:02:00 JST (queue:claims, queue:sales), and later events are being counted: "
            "all others are current."
        ),
        "一部の数値は14:02:00 JST現在で、追い付くまで処理中です（queue:claims、queue:sales）。その他の数値は最新です。",
    ),
    (
        replace(WELL, as_of_ms=NOW + 90_000, ahead=True),
        "clock_ahead",
        (
            "A clock is wrong: figures are as of 14:07:00 JST, in the future; counts are right, ages and current figures are not. "
            "Call IT 4000."
        ),
        (
            "時計がずれています。数値は未来の時刻（14:07:00 JST）現在となっています。件数は正しく、経過時間と現在の表示は正しくありません。"
            "連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, as_of_ms=parse_time_ms("2026-03-31T08:00:00Z"), old=True),
        "figures_old",
        (
            "Figures have been stalled since 2026-03-31 17:00:00 JST: they are right as of then, and no source has sent later events. "
            "Call IT 4000."
        ),
        (
            "2026-03-31 17:00:00 JSTから数値が更新されていません。その時点の数値は正しく、それ以降はどの送信元からも情報が届いていません。"
            "連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, silent={"survey": AT[4], "pbx": AT[1]}, old=True),
        "source_silent",
        (
            "No events have arrived from pbx, survey since 14:01:00 JST: what other sources report is right, "
            "and later events from there are missing. Call Tel 4200."
        ),
        (
            "pbx、surveyからの情報が14:01:00 "
            "JSTから途絶えています。他の送信元による数値は正しく、途絶した送信元の以降の分は含まれていません。"
            "連絡先：Tel 4200"
        ),
    ),
    (
        replace(WELL, silent={"crm": None}),
        "source_never_heard",
        "No events have ever arrived from crm: what other sources report is right, and events from there are missing. Call IT 4000.",
        "crmからの情報がまだ一度も届いていません。他の送信元による数値は正しく、この送信元の分は含まれていません。連絡先：IT 4000",
    ),
    (
        replace(WELL, quarantined={"a": AT[3], "b": AT[2], "c": AT[2], "d": AT[5], "e": AT[5]}),
        "source_quarantined",
        (
            "Events from a, b, c and 2 more have been quarantined since 14:02:00 JST and are not counted: what other "
            "sources report is right. Call IT 4000."
        ),
        (
            "a、b、cほか2件のデータは14:02:00 "
            "JSTから隔離され、集計されていません。他の送信元による数値は正しく表示されています。連絡先：IT 4000"
        ),
    ),
    (
        replace(WELL, refused_since_ms=AT[5]),
        "configuration_refused",
        ("The changed configuration has been refused since 14:05:00 JST as invalid: figures are right by the previous one. Call IT 4000."),
        "変更された設定は14:05:00 JSTに不正として拒否されました。数値は変更前の設定による正しい値です。連絡先：IT 4000",
    ),
]


@pytest.mark.parametrize(
    ("seen", "code", "english", "japanese"),
    SENTENCES,
    ids=[each[1] + ("" if each[0].percent is None else " percent") for each in SENTENCES],
)
def test_the_sentence(seen: Seen, code: str, english: str, japanese: str) -> None:
    """Each single fault has its code, and one sentence in each language, with times in the center's zone."""
    document = status_document(seen, TOKYO, ON_CALL)

    assert (document["code"], document["text_en"], document["text_ja"]) == (code, english, japanese)
    assert len(document["faults"]) == (code != "ok")


def test_every_code_has_its_sentence_here() -> None:
    """No code is without a reviewed sentence; the command shows the one about the server itself."""
    assert {code for _, code, _, _ in SENTENCES} | {"serve_not_reached"} == set(CODES)


def test_the_page_about_operations_has_every_code() -> None:
    """Programs use the codes: each has a row of the table, and no row has an unknown code."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text.partition("| code | part | means |\n| --- | --- | --- |\n")[2].partition("\n\n")[0]

    assert sorted(re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in table.splitlines()))) == sorted(CODES)


def test_without_a_contact_the_status_names_the_missing_setting() -> None:
    """`call` is null and no sentence names a contact; that it is missing is reported only when a call is needed."""
    document = status_document(replace(WELL, refused_since_ms=AT[5]), TOKYO, None)

    assert (document["call"], document["call_missing"]) == (None, True)
    assert document["text_en"].endswith("by the previous one.")
    catching_up = replace(WELL, as_of_ms=AT[1], old=True, moving=True)
    assert status_document(catching_up, TOKYO, None)["call_missing"] is False
    assert status_document(WELL, TOKYO, None)["call_missing"] is False
    assert status_document(replace(WELL, refused_since_ms=AT[5]), TOKYO, ON_CALL)["call_missing"] is False


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        # Without Kafka nothing is received from workers and sources: their silence means nothing.
        (replace(WELL, connected=False, stalled=ALL_PANES, still_since_ms=AT[1], silent={"pbx": AT[1]}, old=True), ["kafka_lost"]),
        # Without workers nothing is received from sources either.
        (replace(WELL, stalled=ALL_PANES, still_since_ms=AT[1], silent={"pbx": AT[1]}, old=True), ["worker_silent"]),
        # While the backlog is counted, silence is reported as of then too.
        (replace(WELL, silent={"pbx": AT[1]}, as_of_ms=AT[2], old=True, moving=True), ["figures_catching_up", "source_silent"]),
        (replace(WELL, stalled=ALL_PANES, still_since_ms=AT[1], old=True, moving=True), ["worker_silent"]),
        (
            replace(WELL, recovering={"queue:a": AT[1]}, catching_up={"queue:b": AT[2]}),
            ["scopes_recovering", "scopes_catching_up"],
        ),
        # These have nothing to do with each other.
        (
            replace(WELL, stalled={"queue-panes.v1": [0]}, still_since_ms=AT[1], silent={"pbx": AT[1]}, refused_since_ms=AT[2]),
            ["worker_partly_silent", "source_silent", "configuration_refused"],
        ),
        (
            replace(WELL, silent={"pbx": AT[1], "crm": None}, quarantined={"web": AT[1]}),
            ["source_silent", "source_never_heard", "source_quarantined"],
        ),
    ],
)
def test_consequences_of_another_fault_are_left_out(seen: Seen, codes: list[str]) -> None:
    """The root cause comes first, and its consequences are not separate faults."""
    assert [fault.code for fault in faults_of(seen)] == codes


def status_of(backend: Backend, path: str = "/api/v1/standing", **changes: Any) -> dict[str, Any]:
    """Return a server's answer."""

    async def ask() -> dict[str, Any]:
        serving = backend.serving(**changes)
        serving.figures.on_call, serving.figures.zone = ON_CALL, "Asia/Tokyo"
        async with client_of(serving) as client:
            answer = await client.get(path)
            assert answer.status in {200, 503}
            document: dict[str, Any] = await answer.json()
            return document

    return asyncio.run(ask())


def test_the_api_reports_workers_that_fell_silent() -> None:
    """After the last heartbeat, workers are silent since then by the server's clock; readyz has the code without names."""
    seconds = [100.0]
    workers = Workers("contactcenter", lambda: seconds[0])
    backend = replace(Backend.fed(small_center()), workers=workers)
    workers.begin()
    seconds[0] += STALLED_AFTER_SECONDS + 28  # 30 s of silence; the clock of the server is at 09:00:01
    document = status_of(backend)

    assert (document["code"], document["part"], document["since"]) == ("worker_silent", "worker", "2026-04-01T08:59:31.000Z")
    assert document["text_en"].startswith("No worker has counted since 17:59:31 JST: figures are right as of 18:00:00 JST")
    ready = status_of(backend, "/readyz")
    assert (ready["status"], ready["code"], ready["since"]) == ("ready", "worker_silent", "2026-04-01T08:59:31.000Z")
    assert "call" not in ready


def test_a_restoring_worker_is_not_silent() -> None:
    """Its heartbeats report that it does not count; after the last one it is silent."""
    seconds = [100.0]
    workers = Workers("contactcenter", lambda: seconds[0])
    backend = replace(Backend.fed(small_center()), workers=workers)
    restoring = orjson.dumps({"kind": "worker", "worker": "w", "member_id": "", "going_on": {}, "restoring": True})
    workers.feed(restoring)
    seconds[0] += STALLED_AFTER_SECONDS + 8
    workers.feed(restoring)
    document = status_of(backend)

    assert (document["code"], document["since"], document["call"]) == ("worker_restoring", "2026-04-01T08:59:51.000Z", None)
    seconds[0] += STALLED_AFTER_SECONDS + 0.1
    assert status_of(backend)["code"] == "worker_silent"


def test_figures_that_catch_up_are_not_stalled() -> None:
    """After an hour without a worker figures catch up while as-of advances, however old; after 10 s without progress they are stalled."""
    backend = Backend()
    backend.store.feed(*progress(as_of="2026-04-01T08:00:00Z"), 0)
    serving = backend.serving()  # the clock is at 09:00:01

    def status() -> tuple[str, str]:
        document = status_document(serving.figures.seen(EVERYTHING), TOKYO, None)
        return document["code"], document["text_en"]

    assert status()[0] == "figures_old"  # seen once: whether it advances is unknown
    backend.clock.seconds += 1
    backend.store.feed(*progress(as_of="2026-04-01T08:02:00Z", revision=2), 0)
    assert status() == (
        "figures_catching_up",
        "Figures catch up: they are right as of 17:02:00 JST, and later events are being counted.",
    )
    backend.clock.seconds += 10
    assert status()[0] == "figures_catching_up"
    backend.clock.seconds += 0.5
    assert status()[0] == "figures_old"
    backend.store.feed(*progress(as_of="2026-04-01T09:00:10Z", revision=3), 0)
    assert status()[0] == "ok"


def test_scopes_that_catch_up_are_distinguished_from_stalled_ones() -> None:
    """Of two partitions behind the third one advances: its queue catches up, and the queue of the other is stalled."""
    backend = Backend()

    def feed(number: int, as_of: str, revision: int) -> None:
        key, value = progress(number, as_of=as_of, revision=revision)
        backend.store.feed(key, value, number)

    for number, (queue, as_of) in enumerate([("now", "09:00:00"), ("moves", "08:30:00"), ("stands", "08:40:00")]):
        backend.store.feed(*window(f"queue:{queue}"), number)
        feed(number, f"2026-04-01T{as_of}Z", 1)
    serving = backend.serving()
    feed(1, "2026-04-01T08:31:00Z", 2)
    faults = status_document(serving.figures.seen(EVERYTHING), TOKYO, None)["faults"]

    assert [(each["code"], each["names"], each["since"]) for each in faults] == [
        ("scopes_recovering", ["queue:stands"], "2026-04-01T08:40:00.000Z"),
        ("scopes_catching_up", ["queue:moves"], "2026-04-01T08:31:00.000Z"),
    ]
    assert serving.figures.header()["recovering"] == {
        "queue:moves": "2026-04-01T08:31:00.000Z",
        "queue:stands": "2026-04-01T08:40:00.000Z",
    }


def test_kafka_that_never_answered_differs_from_kafka_that_was_lost() -> None:
    """They have different sentences; readyz is 503 for the first and 200 for the second, which has figures."""
    never = Backend(ready=False, connected=False, reached=False, since_ms=parse_time_ms("2026-04-01T08:00:00Z"))
    gone = replace(Backend.fed(small_center()), connected=False, since_ms=parse_time_ms("2026-04-01T08:30:00Z"))

    assert (status_of(never)["code"], status_of(never, "/readyz")["code"]) == ("kafka_not_reached", "kafka_not_reached")
    document = status_of(gone)
    assert (document["code"], document["since"], document["call"]) == ("kafka_lost", "2026-04-01T08:30:00.000Z", "Net 4100")


def test_readyz_names_no_source() -> None:
    """It needs no account: single sources are shown only to accounts with the right figures."""
    backend = Backend.fed(small_center())  # its mail is silent

    assert (status_of(backend)["code"], status_of(backend)["names"]) == ("source_silent", ["mail"])
    assert status_of(backend, "/readyz")["code"] == "ok"


def test_the_command_reports_an_unreachable_server(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It ends with 1 and prints the sentence, in Japanese too, with the contact of the configuration and no traceback."""
    (tmp_path / "center.yaml").write_text("on_call: {default: 'IT, 4000', serve: 'Floor IT, 4001'}\n", encoding="utf-8")

    assert main(["status", "--url", "http://127.0.0.1:1"]) == 1
    assert capsys.readouterr().out == (
        "The server of figures cannot be reached (http://127.0.0.1:1): no event is lost, and figures are shown again once it runs.\n"
        "Whom to call: on_call of the configuration, with --config FILE.\n"
    )
    assert main(["status", "--url", "http://127.0.0.1:1", "--lang", "ja", "--config", str(tmp_path / "center.yaml")]) == 1
    assert capsys.readouterr().out.endswith("復旧すれば再び表示されます。連絡先：Floor IT, 4001\n")


@pytest.mark.parametrize(("connected", "code", "text"), [(True, 0, "Everything works: "), (False, 1, "Kafka cannot be read since ")])
def test_the_command_prints_the_sentence_of_the_server(connected: bool, code: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 0 without faults and with 1 otherwise."""

    async def ask() -> int:
        async with client_of(replace(Backend.fed([progress()]), connected=connected).serving()) as client:
            return await asyncio.to_thread(main, ["status", "--url", str(client.make_url("")).rstrip("/")])

    assert asyncio.run(ask()) == code
    out = capsys.readouterr().out
    assert out.startswith(text)
    # This server has no one configured to be called.
    assert out.endswith("\nWhom to call is not configured: set on_call in the configuration.\n") == (code == 1)
