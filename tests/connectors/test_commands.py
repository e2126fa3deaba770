"""The command line: what it prints, and how it fails."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from streams import commands
from streams.cli import COMMANDS, main
from tests.support.require import require

#: 2026-03-02T09:00:00Z
T = 1_772_442_000

LOG = "".join(
    f"{T + after}|{tail}\n"
    for after, tail in (
        (0, "NONE|NONE|NONE|QUEUESTART|"),
        (1, "CLI|sales|SIP/7|ADDMEMBER|"),
        (10, "1.1|sales|NONE|ENTERQUEUE||0312345678|1"),
        (15, "1.1|sales|SIP/7|CONNECT|5|1.2|3"),
        (75, "1.1|sales|SIP/7|COMPLETECALLER|5|60|1"),
        (100, "1.3|sales|NONE|ENTERQUEUE||0312345678|1"),
        (140, "1.3|sales|NONE|ABANDON|1|1|40"),
        (200, "1.4|sales|NONE|ENTERQUEUE||0312345678|1"),
    )
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A short queue_log with one line that is none."""
    path = tmp_path / "queue_log"
    path.write_text(LOG + "rubbish 0312345678\n")
    return path


def replay(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Run replay with --json and return what it printed."""
    assert main(["replay", "--json", *map(str, arguments)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_replay_counts_a_queue_log(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Totals, queues, who waits now and the dead letters, as of the last event."""
    result = replay(capsys, "--connector", "asterisk-queue-log", log)

    assert result["as_of"] == "2026-03-02T09:03:20.000Z"
    assert {name: result["totals"][name]["value"] for name in ("offered", "answered", "abandoned", "asa")} == {
        "offered": 3,
        "answered": 1,
        "abandoned": 1,
        "asa": 5.0,
    }
    assert result["queues"]["sales"]["voice"]["service_level"]["value"] == 0.5
    assert [now["waiting"] for now in result["now"] if now["scope_kind"] == "queue"] == [1]
    (dead_letter,) = result["dead_letters"]
    assert (dead_letter["origin"], dead_letter["reason"]) == ("queue_log:9", "foreign")
    assert base64.b64decode(dead_letter["bytes"]) == b"rubbish 0312345678"


def test_what_a_queue_log_does_not_record_stays_unknown(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No hold, no wrap-up and no activity: what needs them is null with coverage 0 or null, never 0."""
    totals = replay(capsys, "--connector", "asterisk-queue-log", log)["totals"]

    assert {name: totals[name]["value"] for name in ("average_hold", "acw", "aht", "occupancy")} == dict.fromkeys(
        ("average_hold", "acw", "aht", "occupancy")
    )
    assert totals["att"]["value"] == 60.0


def test_replay_until_a_time_counts_no_later_event(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As of 09:02 one contact was answered and one waits."""
    result = replay(capsys, "--connector", "asterisk-queue-log", log, "--until", "2026-03-02T10:02:00+01:00")

    assert result["as_of"] == "2026-03-02T09:02:00.000Z"
    assert (result["totals"]["offered"]["value"], result["totals"]["abandoned"]["value"]) == (2, 0)
    (sales,) = [now for now in result["now"] if now["scope_kind"] == "queue"]
    assert (sales["waiting"], sales["longest_wait_seconds"]) == (1, 20.0)


def test_nothing_personal_is_printed(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a caller nor an agent is in the figures, as JSON or as a table; a dead letter's bytes are encoded."""
    for arguments in (["--json"], []):
        assert main(["replay", "--connector", "asterisk-queue-log", str(log), *arguments]) == 0
        printed = capsys.readouterr()
        assert "0312345678" not in printed.out + printed.err
        assert "SIP/7" not in printed.out + printed.err


def test_the_table_is_for_people(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row a queue, a row for all, unknowns as a dash, dead letters with their place."""
    assert main(["replay", "--connector", "asterisk-queue-log", str(log)]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "as of 2026-03-02T09:03:20.000Z"
    assert [line.split()[0] for line in lines[1:4]] == ["queue", "sales", "all"]
    assert lines[2].split() == ["sales", "voice", "3", "1", "1", "50.0", "%", "33.3", "%", "5.0", "s", "60.0", "s", "-"]
    assert lines[4].startswith("aht has no value in 1 row: ")
    assert lines[5:] == ["1 dead letter:", "  queue_log:9: foreign: does not begin with a time and a call, separated by |"]


def canonical(event_id: str, at: str, **fields: object) -> str:
    """Return one canonical event as a line."""
    times = {"occurred_at": f"2026-03-02T{at}Z", "received_at": f"2026-03-02T{at}Z"}
    return json.dumps({"event_id": event_id, "source": "x", "schema_version": 1, **times, **fields}) + "\n"


def test_replay_counts_canonical_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Contact and agent events of one file are counted; what is no event is a dead letter; customers' events count nothing here."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        canonical("1", "09:00:00", type="contact.queued", conversation_id="c", queue="sales")
        + canonical("2", "09:00:00", type="agent.state_changed", person_id="p", axis="presence", state="online")
        + "\n"
        + canonical("3", "09:00:01", type="customer.activated", customer_key="v1:x")
        + canonical("4", "09:00:02", type="contact.queued", conversation_id="d")
        + "{\n"
        + canonical("5", "09:00:07", type="contact.answered", conversation_id="c", agent="p")
    )
    result = replay(capsys, "--connector", "canonical", path)

    assert (result["as_of"], result["totals"]["answered"]["value"], result["totals"]["asa"]["value"]) == (
        "2026-03-02T09:00:07.000Z",
        1,
        7.0,
    )
    assert [(dead_letter["origin"], dead_letter["reason"]) for dead_letter in result["dead_letters"]] == [
        ("events.jsonl:5", "missing_field"),
        ("events.jsonl:6", "invalid_json"),
    ]


def test_an_empty_file_has_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing happened: no time, no value that looks like one."""
    path = tmp_path / "empty"
    path.touch()
    result = replay(capsys, "--connector", "canonical", path)

    assert (result["as_of"], result["queues"], result["dead_letters"]) == (None, {}, [])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["replay", "--connector", "canonical", "nowhere.jsonl"], "nowhere.jsonl: cannot be read: No such file"),
        (["replay", "--connector", "canonical", "x", "--config", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["replay", "--connector", "canonical", "x", "--until", "noon"], "'noon' is no RFC 3339 time"),
        (["replay", "--connector", "fax", "x"], "there is no connector 'fax'. All names: contact-streams connectors list"),
        (["replay", "--connector", "asterisk-queue-log", "x", "--zone", "Mars/Base"], "unknown time zone 'Mars/Base'"),
        (["connector", "asterisk-queue-log", "nowhere", "--once"], "nowhere: does not exist or cannot be read"),
        (["connector", "asterisk-queue-log", "no/such/folder/log"], "no/such/folder: the directory does not exist"),
        (["gateway", "--host", "192.0.2.7", "--port", "0"], "loopback address only, not on 192.0.2.7"),
        (["gateway", "--port", "99999"], "cannot listen on 127.0.0.1 port 99999"),
        (["gateway", "--rate", "0"], "--rate and --burst are above 0"),
        (["dance"], "invalid choice: 'dance'"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_hint(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong and where goes to stderr; stdout stays empty."""
    monkeypatch.delenv("CONTACT_STREAMS_GATEWAY_TOKENS", raising=False)
    assert main(arguments) == 2
    printed = capsys.readouterr()

    assert complaint in printed.err
    assert printed.out == ""


def test_bad_secrets_in_the_environment_are_refused_without_showing_them(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short token and a short key end the command before it starts."""
    monkeypatch.setenv("CONTACT_STREAMS_GATEWAY_TOKENS", "crm=abcde")
    assert main(["gateway"]) == 2
    monkeypatch.setenv("CONTACT_STREAMS_CUSTOMER_KEY", "abcde")
    assert main(["replay", "--connector", "asterisk-queue-log", str(log)]) == 2
    printed = capsys.readouterr()
    assert "CONTACT_STREAMS_GATEWAY_TOKENS: entry 1 (crm)" in printed.err
    assert "CONTACT_STREAMS_CUSTOMER_KEY" in printed.err
    assert "abcde" not in printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The registered modules fit the command line."""
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out


def test_every_module_of_a_command_is_one() -> None:
    """The table of the help and the folder agree."""
    modules = {
        path for path in Path(commands.__path__[0]).glob("*.py") if "\ndef add_parser(subparsers" in path.read_text(encoding="utf-8")
    }

    assert {path.stem.replace("_", "-") for path in modules} == set(COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", "deploy/configuration/contact-center.yaml"]])
def test_commands_import_what_they_use(arguments: list[str]) -> None:
    """No frame, no network, no models of events: so none of these takes more than a quarter of a second of processor."""
    root = Path(__file__).parents[2]
    code = f"import sys; sys.argv = ['contact-streams', *{arguments!r}]; from streams.cli import main; main(); "
    code += "sys.stderr.write(' '.join(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)

    assert not {"aiohttp", "aiokafka", "faust", "prometheus_client", "schemas.events", "streams.connectors.mapping"} & set(
        done.stderr.split()
    )


def cpu_seconds(*arguments: str) -> float:
    """Return the least processor time that Python takes with these arguments, of seven times: other load makes it more, nothing less."""
    code = "import os, resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); "
    code += "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, sys.executable, *arguments]
    return min(float(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout) for _ in range(7))


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["check", "deploy/configuration/contact-center.yaml"]])
def test_commands_start_fast(arguments: list[str]) -> None:
    """A quarter of a second of processor; on a machine that is slower or busy 3.6 times what the libraries of `check` alone take there.

    By counted instructions `check` takes 2.7 times as much; with models that read their docstrings at each start, it took 3.2 times.
    """
    libraries = cpu_seconds("-c", "import orjson, pydantic, yaml; pydantic.BaseModel")
    assert cpu_seconds("-m", "streams", *arguments) <= max(0.25, 3.6 * libraries)


def test_a_worker_without_kafka_reports_it(capfd: pytest.CaptureFixture[str]) -> None:
    """One line: where, why, what to do; the status that supervisors know from a lost Kafka."""
    assert main(["worker", "--bootstrap", "127.0.0.1:1", "--port", "-1", "--log-level", "ERROR"]) == 82
    error = capfd.readouterr().err
    assert "Traceback" not in error
    assert "Kafka at 127.0.0.1:1 cannot be used" in error
    assert "--bootstrap" in error


def test_a_worker_whose_port_is_in_use_reports_it(capfd: pytest.CaptureFixture[str]) -> None:
    """Before anything begins."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["worker", "--bootstrap", "127.0.0.1:1", "--port", str(port)]) == 2
    error = capfd.readouterr().err
    assert f"cannot listen on 127.0.0.1 port {port}" in error
    assert "--port" in error


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """One line, the name first."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("contact-streams ")


def test_the_shared_sample_of_all_events_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """The sample has eight calls, one of each ending: three answered, one abandoned, timed out, by key, empty and withdrawn."""
    from tests.connectors.test_queue_log import SAMPLES

    sample = SAMPLES / "DERIVED.asterisk.queue_log.all-events.txt"
    require(sample.exists(), f"the shared samples are not there: {SAMPLES}")
    totals = replay(capsys, "--connector", "asterisk-queue-log", sample)["totals"]

    assert [totals[name]["value"] for name in ("offered", "answered", "abandoned", "handled", "non_response")] == [8, 3, 1, 3, 1]
    assert (totals["service_level"]["numerator"], totals["service_level"]["denominator"]) == (3, 6)
