"""The senders file: its content, a line for each problem, and no token in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.cli import main
from streams.configuration import docs
from streams.configuration.senders import SendersError, load_senders, senders_schema
from streams.connectors.watched_files import WatchedSenders

if TYPE_CHECKING:
    from pathlib import Path

HASH = f"sha256:{'a1' * 32}"
SOONER, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
OTHER = f"sha256:{'b2' * 32}"
SECRET = "cst_a-secret-that-no-message-shows"

RIGHT = f"""\
senders:
  pbx:
    tokens:
      - {{name: 2026-11, hash: {HASH}, not_before: 2026-11-01T00:00:00Z, not_after: 2027-05-01T00:00:00Z}}
      - {{name: next, hash: {OTHER}}}
    types: ["contact.*", source.heartbeat]
    queues: ["Berlin *"]
    teams: [care-a, "Berlin *"]
  crm:
    tokens: []
    sources: [crm, "crm-*"]
    sites: []
"""


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """Return the problems of a text, without the name of the file."""
    path = tmp_path / "senders.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SendersError) as caught:
        load_senders(path)
    return str(caught.value).replace(f"{path}:", "").splitlines()


def test_content(tmp_path: Path) -> None:
    """A missing key is None; an empty list permits none."""
    path = tmp_path / "senders.yaml"
    path.write_text(RIGHT, encoding="utf-8")
    pbx, crm = load_senders(path).senders.values()

    assert [token.name for token in pbx.tokens] == ["2026-11", "next"]
    assert (pbx.sources, pbx.types, pbx.queues, pbx.sites) == (None, ("contact.*", "source.heartbeat"), ("Berlin *",), None)
    assert (pbx.teams, crm.teams) == (("care-a", "Berlin *"), None)
    assert (crm.tokens, crm.sources, crm.sites) == ((), ("crm", "crm-*"), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("senders:\n  a b:\n    tokens: []\n", "2: senders.a b: "),
        ("senders:\n  pbx: {}\n", "2: senders.pbx.tokens: required"),
        ("senders:\n  pbx:\n    tokens: []\n    source: [x]\n", "4: senders.pbx.source: unknown key, did you mean sources?"),
        ("senders:\n  pbx:\n    tokens: []\n    sources: []\n", "4: senders.pbx.sources: is empty"),
        ("senders:\n  pbx:\n    tokens: []\n    types: [contact.quued]\n", '4: senders.pbx.types.0: no event has the type "contact.quued"'),
        ('senders:\n  pbx:\n    tokens: []\n    types: ["metrics.*"]\n', '4: senders.pbx.types.0: no event has the type "metrics.*"'),
        (f"senders:\n  pbx:\n    tokens: [{{name: x, hash: {SECRET}}}]\n", "3: senders.pbx.tokens.0.hash: no hash; permitted"),
        (f"senders:\n  pbx:\n    tokens: [{SECRET}]\n", "3: senders.pbx.tokens.0: not permitted; permitted: keys and values"),
        (f"senders:\n  pbx:\n    tokens: {SECRET}\n", "3: senders.pbx.tokens: not permitted; permitted: a list"),
        (f"senders:\n  pbx:\n    tokens:\n      - {{name: x, hash: {HASH}, not_after: now}}\n", "4: senders.pbx.tokens.0.not_after: no"),
        (
            f"senders:\n  pbx:\n    tokens:\n      - {{name: x, hash: {HASH}, not_before: {LATER}, not_after: {SOONER}}}\n",
            "4: senders.pbx.tokens.0: not_after is not later than not_before",
        ),
        (f"senders: {{a: {{tokens: [{{name: x, hash: {HASH}}}]}}, b: {{tokens: [{{name: y, hash: {HASH}}}]}}}}\n", "1: the token y of b"),
        (f"senders: {{a: {{tokens: [{{name: x, hash: {HASH}}}, {{name: x, hash: {OTHER}}}]}}}}\n", "1: two tokens of a have"),
        ("", "1: senders: required"),
        ("- a\n", "1: "),
        ("senders: {a: {tokens: [}\n", "1: is not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    """One line states location, problem and what is permitted; a value near a token is never shown."""
    found = problems_of(tmp_path, text)

    assert len(found) == 1
    assert found[0].startswith(message), found
    assert SECRET not in found[0]


def test_check_shows_what_is_permitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``contact-streams check`` recognizes the file by its key, and shows what each sender may send, without a hash."""
    path = tmp_path / "senders.yaml"
    path.write_text(RIGHT, encoding="utf-8")

    assert main(["check", str(path)]) == 0
    output = capsys.readouterr().out
    assert output.splitlines() == [
        f"{path}: ok (senders: 2",
        (
            "  pbx: sources pbx; types contact.*, source.heartbeat; queues Berlin *; sites *; teams care-a, Berlin *; "
            "tokens 2026-11 until 2027-05-01T00:00:00Z, next"
        ),
        "  crm: sources crm, crm-*; types *; queues *; sites none; teams none; tokens none)",
    ]
    path.write_text(RIGHT.replace(OTHER, SECRET), encoding="utf-8")
    assert main(["check", "--json", str(path)]) == 2
    out, err = capsys.readouterr()
    assert '"line": 5' in out
    assert SECRET not in out + err


def test_the_schema_is_current() -> None:
    """The committed schema is that of the models."""
    assert docs.SENDERS_SCHEMA.read_text(encoding="utf-8") == docs.schema("senders", senders_schema)


def test_a_file_that_changes_under_a_running_gateway(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A text is judged at the second poll that reads it, or at once on order; a refusal is logged once, and the last valid one stays."""
    path = tmp_path / "senders.yaml"
    path.write_text(RIGHT, encoding="utf-8")
    watched = WatchedSenders(path, 1_000)
    assert watched.poll(2_000) is None

    path.write_text("senders: {}\n", encoding="utf-8")
    polls = [watched.poll(3_000), watched.poll(4_000), watched.poll(5_000)]
    assert [None if file is None else file.senders for file in polls] == [None, {}, None]
    assert (watched.since_ms, watched.changed_ms, watched.valid) == (4_000, 4_000, True)

    path.write_text(RIGHT.replace(OTHER, SECRET), encoding="utf-8")
    assert [watched.poll(6_000, at_once=True), watched.poll(7_000)] == [None, None]
    assert (watched.since_ms, watched.changed_ms, watched.valid, watched.running.senders) == (4_000, 6_000, False, {})
    assert watched.status == "refused, using 0 senders of 1970-01-01T00:00:04.000Z"
    assert caplog.text.count("is refused") == 1
    assert f"{path}:5: senders.pbx.tokens.1.hash: no hash" in caplog.text
    assert SECRET not in caplog.text
    path.unlink()
    assert watched.poll(8_000, at_once=True) is None
    assert not watched.valid
