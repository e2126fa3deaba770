"""``contact-streams access user`` and ``kiosk``: what they print fits the access file, and what they ask for is shown nowhere."""

from __future__ import annotations

import io
import os
import pty
import re
import sys
import time
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from schemas.times import parse_time_ms
from streams.access.principals import Grant, Identity
from streams.cli import main
from streams.configuration.access import load_access
from streams.listening.tokens import hash_of

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "sieben blaue Reiher"


def at_a_terminal(answers: list[str]) -> tuple[int, str]:
    """Run ``access user yuki`` at a terminal of its own, and answer each question; return the exit code and all that it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "streams", "access", "user", "yuki"])  # noqa: S606 - there is nothing to quote
    shown, asked = "", 0
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            part = os.read(terminal, 4096).decode()
        except OSError:  # it has ended
            break
        shown += part
        if shown.count(": ") > asked and shown.endswith(": ") and asked < len(answers):
            os.write(terminal, f"{answers[asked]}\n".encode())
            asked += 1
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def test_a_password_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    """At a terminal, twice; the entry below can be pasted as it is, and holds a hash of what was typed."""
    code, shown = at_a_terminal([PASSWORD, PASSWORD])
    assert code == 0, shown
    assert "Password of yuki: " in shown
    assert PASSWORD not in shown
    path = tmp_path / "access.yaml"
    path.write_text(shown[shown.index("users:") :].replace("\r\n", "\n"), encoding="utf-8")
    file = load_access(path)
    assert PasswordHasher().verify(file.users["yuki"].password, PASSWORD)
    found = file.principal(Identity("user", "yuki"), 0)
    assert found is not None
    assert found.grants == (Grant("viewer"),)


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [([PASSWORD, PASSWORD + "!"], "the two passwords differ"), (["elevenchars", "elevenchars"], "fewer than 12 characters")],
    ids=["mistyped", "short"],
)
def test_an_unacceptable_password_creates_no_entry(answers: list[str], complaint: str) -> None:
    """The message gives the reason, without the password."""
    code, shown = at_a_terminal(answers)
    assert code == 2
    assert complaint in shown
    assert "users:" not in shown
    assert not any(answer in shown for answer in answers)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{PASSWORD}\n", None),
        (f"{PASSWORD}", None),
        (f"{PASSWORD}\r\nmore\n", None),
        ("", "no password received"),
        ("\n", "no password received"),
        ("short\n", "fewer than 12"),
        ("yuki yuki yuki\n", "first that are guessed"),
        ("ab ab ab ab ab\n", "fewer than 5 different"),
        ("x" * 20_000 + "\n", "more than 1000"),
    ],
    ids=range(9),
)
def test_a_password_is_read_from_a_pipe(
    text: str, complaint: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first line, as a program sends it; an unusable one is refused as at a terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(text, newline=""))
    code = main(["access", "user", "yuki", "--role", "supervisor", "--site", "tokyo"])
    out, err = capsys.readouterr()
    if complaint is None:
        assert code == 0, err
        entry = re.search(r'password: "(.*)"', out)
        assert entry is not None
        assert PasswordHasher().verify(entry[1], PASSWORD)
        assert out.endswith('    roles:\n      - role: supervisor\n        sites: ["tokyo"]\n')
    else:
        assert code == 2
        assert complaint in err
        assert out == ""
    assert PASSWORD not in out + err


def test_a_link_fits_the_entry_below_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ticket is behind the # alone, its hash in the entry; the link opens for a day, the screen sees for as long as asked."""
    assert main(["access", "kiosk", "hall", "--url", "https://wall.example.com/", "--site", "tokyo", "--days", "2"]) == 0
    link, _, *entry = capsys.readouterr().out.splitlines()
    path = tmp_path / "access.yaml"
    path.write_text("\n".join(entry), encoding="utf-8")
    file = load_access(path)

    found = re.fullmatch(r"https://wall\.example\.com/kiosk#([A-Za-z0-9_-]{43})", link)
    assert found is not None
    hall = file.kiosks["hall"]
    assert hall.ticket == hash_of(found[1])
    assert found[1] not in path.read_text(encoding="utf-8")
    assert hall.open_until is not None
    assert hall.expires is not None
    day_ms = 24 * 60 * 60 * 1000
    assert parse_time_ms(str(hall.expires)) - parse_time_ms(str(hall.open_until)) == day_ms
    assert 0 <= time.time() * 1000 + day_ms - parse_time_ms(str(hall.open_until)) < 60_000
    principal = file.principal(Identity("kiosk", "hall"), time.time() * 1000)
    assert principal is not None
    assert principal.grants == (Grant("viewer", sites=frozenset({"tokyo"})),)
    path.write_text(f"public_url: https://other.example.com\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert main(["access", "kiosk", "lobby", "--access", str(path)]) == 0
    assert capsys.readouterr().out.startswith("https://other.example.com/kiosk#")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["user", "a b"], "NAME is 1 to 80"),
        (["user", "a", "--role", "boss"], "invalid choice: 'boss'"),
        (["kiosk", "a b", "--url", "https://wall.example"], "NAME is 1 to 80"),
        (["kiosk", "hall"], "one of the arguments --url --access is required"),
        (["kiosk", "hall", "--url", "wall.example"], "--url is an address such as"),
        (["kiosk", "hall", "--url", "https://wall.example/?a=b"], "--url is an address such as"),
        (["kiosk", "hall", "--url", "https://wall.example", "--days", "0"], "--days is 1 to"),
        (["kiosk", "hall", "--url", "https://wall.example", "--open-hours", "0"], "--open-hours is 1 to"),
        (["kiosk", "hall", "--access", "nowhere.yaml"], "nowhere.yaml"),
    ],
    ids=range(9),
)
def test_what_is_no_entry_is_refused(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is permitted, and exit code 2."""
    assert main(["access", *arguments]) == 2
    out, err = capsys.readouterr()
    assert complaint in err
    assert out == ""
