"""``contact-streams access``: the token that it prints matches the hash that it prints, and a check lists who sees what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from streams.access.principals import Grant, Identity
from streams.cli import main
from streams.configuration.access import load_access
from streams.configuration.definitions import effective_ms
from streams.listening.tokens import TOKEN_FORM, hash_of, is_token

if TYPE_CHECKING:
    from pathlib import Path

# Of 5 and 3 people: figures about the second's people, and about tokyo's, of whom 3 would be left, are not for a viewer.
CONFIGURATION = """\
sites: {tokyo: {zone: Asia/Tokyo}, osaka: {zone: Asia/Tokyo}}
queues:
  t1: {site: tokyo, department: care}
  o1: {site: osaka, department: loans}
teams: {t-a: {site: tokyo}, t-b: {site: tokyo}}
people:
  {A1: {team: t-a}, A2: {team: t-a}, A3: {team: t-a}, A4: {team: t-a}, A5: {team: t-a}, B1: {team: t-b}, B2: {team: t-b}, B3: {team: t-b}}
"""
ACCESS = f"""\
tokens:
  wall: {{hashes: ["{hash_of("x")}"], roles: [{{role: viewer, sites: [tokyo]}}]}}
certificates:
  scraper: {{roles: [{{role: viewer}}, {{role: supervisor, teams: [t-b], queues: [o1]}}]}}
"""


def test_a_token_fits_the_entry_below_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The entry can be pasted as it is, names with marks included; who shows the token is known until its days are over."""
    assert main(["access", "token", "wall", "--role", "supervisor", "--site", 'to"kyo', "--queue", "1001", "--days", "2"]) == 0
    token, _, *entry = capsys.readouterr().out.splitlines()
    path = tmp_path / "access.yaml"
    path.write_text("\n".join(entry), encoding="utf-8")
    file = load_access(path)

    assert is_token(token, TOKEN_FORM)
    assert file.tokens["wall"].hashes == (hash_of(token),)
    assert token not in path.read_text(encoding="utf-8")
    expires = file.tokens["wall"].expires
    assert expires is not None
    found = file.principal(Identity("token", "wall"), effective_ms(expires) - 1)
    assert found is not None
    assert found.grants == (Grant("supervisor", sites=frozenset({'to"kyo'}), queues=frozenset({"1001"})),)
    assert file.principal(Identity("token", "wall"), effective_ms(expires)) is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["a b"], "NAME is 1 to 80"), (["a", "--days", "0"], "--days is 1 to"), (["a", "--role", "boss"], "invalid choice: 'boss'")],
)
def test_what_is_no_entry_is_refused(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is printed that could be taken for a token."""
    assert main(["access", "token", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert complaint in err


def written(tmp_path: Path, access: str = ACCESS) -> tuple[str, str]:
    """Write both files, and return their paths."""
    for name, text in (("access.yaml", access), ("center.yaml", CONFIGURATION)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / "access.yaml"), str(tmp_path / "center.yaml")


def test_a_check_lists_who_sees_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a configuration what is granted; with it what that shows, and whose people are too few."""
    access, center = written(tmp_path)

    assert main(["access", "check", access]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{access}: ok",
        "  tokens.wall: viewer of sites tokyo",
        "  certificates.scraper: viewer; supervisor of queues o1, teams t-b",
    ]
    assert main(["access", "check", access, "--config", center]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{access}: ok",
        "  tokens.wall: viewer of sites tokyo",
        "    shows department: care",
        "    shows queue: t1",
        "    shows site: tokyo",
        "    shows team: t-a, t-b",
        "    without figures about people, as they are too few, of team: t-b",
        "  certificates.scraper: viewer; supervisor of queues o1, teams t-b",
        "    shows: everything",
    ]


def test_a_check_names_people_where_they_are_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Single people are for supervisors, here of one team of two; a viewer of the same place sees none."""
    roles = [f"[{{role: {role}, teams: [t-b]}}]" for role in ("supervisor", "viewer")]
    certificates = "".join(f"  c{number}: {{roles: {each}}}\n" for number, each in enumerate(roles))
    access, center = written(tmp_path, f"certificates:\n{certificates}")

    assert main(["access", "check", access, "--config", center, "--json"]) == 0
    shows = [each["shows"] for each in json.loads(capsys.readouterr().out)["entries"]]
    assert shows == [["agent:B1", "agent:B2", "agent:B3", "team:t-b"], ["team:t-b"]]


def test_a_check_finds_unknown_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A site or department must be configured; a queue or team may be known to events alone, and is only reported."""
    access, center = written(tmp_path, ACCESS.replace("[tokyo]", "[tokio]").replace("[o1]", "[o9]"))

    assert main(["access", "check", access, "--config", center]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{access}: tokens.wall.roles.0.sites: 'tokio' is no site of the configuration, did you mean tokyo?; known: osaka, tokyo",
        f"{access}: certificates.scraper.roles.1.queues: 'o9' is no queue of the configuration; known: o1, t1",
    ]
    access, center = written(tmp_path, ACCESS.replace("[o1]", "[o9]"))
    assert main(["access", "check", access, "--config", center, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["unknown"] == [{"path": "certificates.scraper.roles.1.queues", "kind": "queue", "name": "o9"}]
    assert report["entries"][0]["too_small"] == ["team:t-b"]


def test_a_check_reports_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its line, for people and for programs, and no secret."""
    access, _ = written(tmp_path, ACCESS.replace(hash_of("x"), "csa_secret"))

    assert main(["access", "check", access]) == 2
    assert main(["access", "check", access, "--json"]) == 2
    out, err = capsys.readouterr()
    assert f"{access}:2: tokens.wall.hashes.0: not permitted; permitted: sha256:" in err
    assert json.loads(out)["errors"][0]["line"] == 2
    assert "csa_secret" not in out + err


def test_check_knows_the_file_by_its_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also with a key that is wrong; a configuration with its own keys stays one."""
    access, center = written(tmp_path)

    assert main(["check", access, center]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"{access}: ok (access: 1 tokens, 1 certificates)"
    access, _ = written(tmp_path, ACCESS + "smalest_group: 3\n")
    assert main(["check", access]) == 2
    assert "smalest_group: unknown key, did you mean smallest_group?" in capsys.readouterr().err
