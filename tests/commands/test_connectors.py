"""``contact-streams connectors``, and ``replay`` with any platform's connector."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from streams.cli import main
from streams.commands.connectors_status import status_of
from streams.connectors import platforms
from streams.connectors.configured import read_connectors
from tests.support.platforms import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.capture import CaptureFixture

LINE = FIXTURES / "line" / "webhook.jsonl"


def run(capsys: CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command; return its code, and what it wrote to both streams."""
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_every_platform_has_a_line(capsys: CaptureFixture[str]) -> None:
    """Name, title, family, when, ways; the same for programs."""
    code, out, _ = run(capsys, "connectors", "list")
    assert code == 0
    assert [line.split()[0] for line in out.split("\n\n")[0].splitlines()[1:]] == list(platforms.names())
    assert "contact-streams connector asterisk-queue-log FILE" in out.splitlines()[-1], "what is no platform is named too"
    assert "line " in out
    assert "LINE Official Account" in out
    listed = json.loads(run(capsys, "connectors", "list", "--json")[1])["connectors"]
    assert {
        "name": "line",
        "title": "LINE Official Account",
        "family": "message",
        "ways": ["webhook", "file"],
        "delivery": "live",
    } in listed


@pytest.mark.parametrize("name", platforms.names())
def test_the_parts_that_a_platform_reports_are_listed(capsys: CaptureFixture[str], name: str) -> None:
    """Each part with why not, each kind, each setting; for programs as one object."""
    code, out, _ = run(capsys, "connectors", "show", name)
    connector = platforms.connector(name)
    assert code == 0
    for part, why in connector.reports.items():
        assert part.replace("_", " ") in out
        assert why in out
    for each in (*connector.kinds, *connector.ignored, *(setting.name for setting in connector.settings)):
        assert each in out
    shown = json.loads(run(capsys, "connectors", "show", name, "--json")[1])
    assert set(shown["reports"]) == set(connector.reports)
    assert shown["why_not"] == {part: why for part, why in connector.reports.items() if why}


def test_the_events_of_a_payload(capsys: CaptureFixture[str]) -> None:
    """Events as JSON, what is passed over and rejected with its reason, and nothing that is personal."""
    code, out, _ = run(capsys, "connectors", "test", "line", str(LINE), "--setting", "queue=LINE", "--source", "line-shop")

    assert code == 1, "a record was rejected"
    lines = out.splitlines()
    assert lines[0] == "record 1:"
    first = json.loads(lines[1])
    assert (first["type"], first["source"], first["received_at"]) == ("contact.arrived", "line-shop", "2026-04-07T08:00:00.123Z")
    assert "  nothing: follow: a customer asks nothing by it" in lines
    assert any(line.startswith("  rejected: unknown_kind: ") for line in lines)
    assert lines[-1] == "10 records: 12 events, 5 not counted, 1 rejected"
    assert "erika" not in out
    assert "c0ffee" not in out


def test_the_events_of_a_payload_as_json(capsys: CaptureFixture[str]) -> None:
    """A line for each record."""
    lines = run(capsys, "connectors", "test", "line", str(LINE), "--json")[1].splitlines()
    results = [json.loads(line) for line in lines]

    assert [each["record"] for each in results] == list(range(1, 11))
    assert [len(each["events"]) for each in results] == [2, 2, 0, 2, 2, 0, 0, 0, 0, 0]
    assert results[2]["ignored"] == "follow"
    assert results[9]["rejected"][0]["reason"] == "unknown_kind"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("line", "--setting", "que=1"), "--setting que: line has no such setting; permitted: channel, queue"),
        (("line", "gone.jsonl"), "gone.jsonl: cannot be read: No such file"),
    ],
)
def test_what_cannot_be_tried_fails_with_a_reason(capsys: CaptureFixture[str], arguments: tuple[str, ...], why: str) -> None:
    """On stderr, with status 2."""
    name, *rest = arguments
    code, _, err = run(capsys, "connectors", "test", name, *(rest if "gone" in rest[0] else [str(LINE), *rest]))

    assert code == 2
    assert why in err


@pytest.mark.parametrize("name", platforms.names())
def test_an_added_entry_is_readable(capsys: CaptureFixture[str], tmp_path: Path, name: str) -> None:
    """Into no file, into one with an entry, whose lines stay; a second of the same source is refused."""
    path = tmp_path / "connectors.yaml"
    assert run(capsys, "connectors", "add", name, "--connectors", str(path))[0] == 0
    before = path.read_text(encoding="utf-8")

    code, out, _ = run(capsys, "connectors", "add", name, "--source", "another", "--connectors", str(path))

    assert code == 0
    after = path.read_text(encoding="utf-8")
    assert all(line in after for line in before.splitlines())
    if "FILL_IN" not in after:
        entries = read_connectors(path, after, secrets=False)
        assert {source: each.connector.name for source, each in entries.items()} == {name: name, "another": name}
    for setting in platforms.connector(name).settings:
        assert f" {setting.name}: " in after
    hook = "webhook" in platforms.connector(name).ways and platforms.connector(name).translate is not None
    assert ("https://YOUR-HOST/v1/hooks/another" in out) == hook
    code, _, err = run(capsys, "connectors", "add", name, "--connectors", str(path))
    assert code == 2
    assert "there is a connector of this source" in err
    assert path.read_text(encoding="utf-8") == after


def test_comments_of_an_entry_can_be_uncommented(capsys: CaptureFixture[str], tmp_path: Path) -> None:
    """The text behind # is YAML in its place."""
    path = tmp_path / "connectors.yaml"
    run(capsys, "connectors", "add", "line", "--connectors", str(path))
    text = path.read_text(encoding="utf-8")
    assert "    # secrets: [{env: LINE_SECRET}]" in text
    for line in ("secrets:", "settings:", "  channel:", "  queue:"):
        text = text.replace(f"    # {line}", f"    {line}")

    entry = read_connectors(path, text, environment={"LINE_SECRET": "a-secret-of-some-length"})["line"]

    assert entry.secrets == ("a-secret-of-some-length",)
    assert entry.context.settings == {"channel": "social", "queue": ""}


def test_the_settings_of_a_file_are_those_of_the_entry(capsys: CaptureFixture[str], tmp_path: Path) -> None:
    """Settings, zone and site; its secrets are not needed."""
    path = tmp_path / "connectors.yaml"
    path.write_text(
        "connectors:\n  shop: {connector: line, site: tokyo, secrets: [{env: GONE}], settings: {queue: LINE}}\n"
        "  other: {connector: line}\n",
        encoding="utf-8",
    )
    code, out, err = run(capsys, "connectors", "test", "line", str(LINE), "--connectors", str(path), "--source", "shop")
    first = json.loads(out.splitlines()[2])
    assert code == 1, err
    assert (first["type"], first["queue"], first["site"], first["source"]) == ("contact.queued", "LINE", "tokyo", "shop")
    assert run(capsys, "connectors", "test", "line", str(LINE), "--connectors", str(path))[2].endswith("known: shop, other\n")


def test_replay_counts_what_a_platform_sends(capsys: CaptureFixture[str]) -> None:
    """One conversation waits; what is rejected is a dead letter of the replay."""
    arguments = ("replay", "--connector", "line", str(LINE), "--setting", "queue=LINE", "--json")
    code, out, _ = run(capsys, *arguments)
    result = json.loads(out)

    assert code == 0
    assert result["queues"]["LINE"]["social"]["offered"]["value"] == 1
    assert result["dead_letters_by_reason"] == {"unknown_kind": 1}


def test_status_is_the_newest_of_all_partitions(tmp_path: Path) -> None:
    """One partition received what another did not; complete is what all of them are."""

    def report(source: str, received: str, complete: str, silent: float, **more: Any) -> dict[str, Any]:
        return {"source": source, "received": received, "complete_through": complete, "silent_seconds": silent, "quarantined": None, **more}

    text = "connectors: {shop: {connector: line}, desk: {connector: intercom}, apart: {connector: line}, cdr: {connector: 3cx-cdr}}"
    entries = read_connectors(tmp_path / "x", text, secrets=False)
    found = [
        report("shop", "2026-03-02T12:00:00Z", "2026-03-02T11:59:58Z", 60),
        report("shop", "2026-03-02T12:01:00Z", "2026-03-02T11:59:59Z", 0),
        report("apart", "2026-03-02T12:01:00Z", "2026-03-02T11:59:59Z", 0, quarantined={"reason": "bad_share"}),
        report("cdr", "2026-03-02T11:00:00Z", "2026-03-02T10:55:00Z", 3600),
        report("elsewhere", "2026-03-02T12:01:00Z", "2026-03-02T11:59:59Z", 0),
    ]

    statuses = {each["source"]: each for each in status_of(entries, found)}

    assert list(statuses) == ["shop", "desk", "apart", "cdr"]
    assert (statuses["shop"]["received"], statuses["shop"]["complete_through"]) == ("2026-03-02T12:01:00Z", "2026-03-02T11:59:58Z")
    assert [each["standing"] for each in statuses.values()] == [
        "silent for 0 s",
        "never seen",
        "quarantined: bad_share",
        "journal, last report 3,600 s ago",
    ]
    # Of a source that reports afterwards it shows how far it is complete.
    assert (statuses["cdr"]["delivery"], statuses["cdr"]["complete_through"]) == ("journal", "2026-03-02T10:55:00Z")


def test_the_list_needs_no_events_and_no_kafka() -> None:
    """It starts fast: neither the models of events nor Kafka's client are loaded."""
    code = (
        "import sys; from streams.cli import main; main(['connectors', 'show', 'line']); "
        "found = {'aiokafka', 'faust', 'aiohttp', 'schemas.events'} & set(sys.modules); sys.exit(f'loaded: {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("Zendesk", "there is no connector 'Zendesk', did you mean zendesk or zendesk-export or zendesk-guide or zendesk-talk?"),
        ("zendsk", "there is no connector 'zendsk', did you mean zendesk?"),
        ("twilio", "did you mean twilio-event-streams or twilio-taskrouter?"),
        ("asterisk_ami", "did you mean asterisk-ami?"),
        ("Amazon Connect agent events", "did you mean amazon-connect-agent-events?"),
        ("fax", "there is no connector 'fax'. All names: contact-streams connectors list"),
        ("asterisk-queue-log", "contact-streams connector asterisk-queue-log FILE"),
    ],
)
def test_a_wrong_name_is_answered_with_those_that_are_near(capsys: CaptureFixture[str], name: str, complaint: str) -> None:
    """And not with all of them."""
    code, out, err = run(capsys, "connectors", "show", name)

    assert (code, out) == (2, "")
    assert complaint in err.splitlines()[-1]
    assert "tempostar" not in err


def test_a_replay_knows_two_names_more(capsys: CaptureFixture[str]) -> None:
    """The queue_log, and canonical events."""
    code, _, err = run(capsys, "replay", "--connector", "asterisk_queue_log", "log")

    assert code == 2
    assert "did you mean asterisk-queue-log?" in err


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (b"connectors:\n  zen:\n connector: x\n", "connectors.yaml:3: is not valid YAML"),
        (b"\xff\xfe", "connectors.yaml: is not UTF-8 text"),
        (b"- a list\n", "connectors.yaml: the file is no connectors file"),
    ],
)
def test_nothing_is_added_to_a_file_that_cannot_be_read(
    capsys: CaptureFixture[str], tmp_path: Path, written: bytes, complaint: str
) -> None:
    """It stays as it was, and the message gives the location in it."""
    path = tmp_path / "connectors.yaml"
    path.write_bytes(written)

    code, out, err = run(capsys, "connectors", "add", "zendesk", "--connectors", str(path))

    assert (code, out) == (2, "")
    assert complaint in err
    assert err.count("\n") == 1
    assert path.read_bytes() == written


def test_add_prints_the_remaining_steps(capsys: CaptureFixture[str], tmp_path: Path) -> None:
    """Secret, address and command; of a platform that signs addresses where ours is written; of one that is asked how it is run."""
    path = tmp_path / "connectors.yaml"
    webhook = run(capsys, "connectors", "add", "zendesk", "--source", "zen.de", "--connectors", str(path))[1]
    signing = run(capsys, "connectors", "add", "twilio-taskrouter", "--connectors", str(path))[1]
    connection = run(capsys, "connectors", "add", "asterisk-ami", "--connectors", str(path))[1]
    page = run(capsys, "connectors", "add", "survey-link", "--connectors", str(path))[1]

    assert "the variable ZEN_DE_SECRET" in webhook
    assert "https://YOUR-HOST/v1/hooks/zen.de" in webhook
    assert f"contact-streams gateway --connectors {path}" in webhook
    assert "public_url" not in webhook
    assert "its page is docs/connectors/zendesk.md" in webhook
    assert "its page is docs/connectors/twilio.md" in signing
    assert "write `public_url: https://YOUR-HOST` at the top" in signing
    assert f"contact-streams connector run asterisk-ami --connectors {path}" in connection
    assert "gateway" not in connection
    assert f"contact-streams gateway --connectors {path}" in page
    assert "v1/hooks" not in page


@pytest.mark.parametrize("name", ["zendesk", "twilio-taskrouter", "asterisk-ami"])
def test_an_empty_payload_is_reported_as_empty(capsys: CaptureFixture[str], tmp_path: Path, name: str) -> None:
    """Whatever the format: to try it, and to count it, which finds no letter in it either."""
    path = tmp_path / "payload"
    path.touch()

    code, out, err = run(capsys, "connectors", "test", name, str(path))
    assert (code, out, err) == (1, "", "contact-streams: payload: is empty: there is nothing to try\n")

    code, out, _ = run(capsys, "replay", "--connector", name, str(path))
    assert code == 0
    assert out.splitlines()[-1] == "payload is empty"


def test_a_foreign_event_is_rejected_by_asterisk(capsys: CaptureFixture[str], tmp_path: Path) -> None:
    """In place of passing as an answer to an action."""
    path = tmp_path / "other.json"
    path.write_bytes(b'{"hello": "world"}\n')

    code, out, _ = run(capsys, "connectors", "test", "asterisk-ami", str(path))

    assert code == 1
    assert "rejected: unknown_kind: neither Event nor Response" in out


@pytest.mark.parametrize("command", [("connectors", "status", "--connectors", "FILE"), ("explain", "support", "service_level")])
def test_kafka_that_is_away_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    """The address and the option that names it, after the cause; nothing of the client library's own troubles."""
    path = tmp_path / "connectors.yaml"
    path.write_text("connectors:\n  zen: {connector: zendesk}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "streams", *(str(path) if each == "FILE" else each for each in command), "--bootstrap", "127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    *causes, last_line = done.stderr.splitlines()
    assert all("Unable connect to" in cause for cause in causes)
    assert last_line == "contact-streams: Kafka at 127.0.0.1:1 is not reached; --bootstrap HOST:PORT names its address"
