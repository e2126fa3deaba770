"""Files made to keep their reader busy: each is refused at once, with file, line and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streams.commands import check
from streams.configuration import ConfigurationError, load_configuration
from streams.configuration.problems import FileError
from streams.configuration.senders import load_senders
from streams.connectors.follow import StateFileError, load_state
from streams.connectors.mapping import load_mapping
from streams.reconciling.layout import GENERIC, load_layout
from streams.reconciling.report import read_report
from tests.support.cpu import timed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

#: Of a processor, on a busy machine; what is judged here took from 1.5 s to minutes.
CPU_SECONDS = 1.0


def _laughs(levels: int, width: int) -> str:
    lines = ["people: {}", "queues:", "  a0: &a0 [x, x]"]
    lines += [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _merges(keys: int, times: int) -> str:
    many = "\n".join(f"    k{n}: 1" for n in range(keys))
    return f"sites:\n  a: &a\n{many}\n" + "\n".join(f"  m{n}:\n    <<: [{', '.join(['*a'] * 20)}]" for n in range(times))


#: Name → text, and the line and the message.
HOSTILE: dict[str, tuple[str, str, str]] = {
    "brackets": ("[" * 20_000, ":1", "nested too deeply"),
    "brackets in a value": ("default_zone: UTC\nqueues: " + "[" * 20_000, ":2", "nested too deeply"),
    "braces": ("{a: " * 5000, ":1", "nested too deeply"),
    "dashes": ("- " * 10_000, ":1", "nested too deeply"),
    "steps": ("\n".join(" " * n + f"k{n}:" for n in range(300)), ":41", "nested too deeply"),
    "closed brackets": ("queues: " + "[" * 9000 + "]" * 9000, ":1", "nested too deeply"),
    "laughs": (_laughs(12, 9), "", "what aliases repeat"),
    "itself": ("queues: &a\n  x: *a\n", ":2", "is within what it names"),
    "merges": (_merges(700, 60), "", "what aliases repeat"),
    "documents": ("---\na: 1\n" * 4000, ":3", "second document"),
    "a long text": ("default_zone: " + "x" * 2_000_000, ":1", "permitted: at most 10000"),
    "a long key": ('? "' + "x" * 2_000_000 + '"\n: 1', ":1", "permitted: at most 10000"),
    "a long wrong name": ("queues:\n  a: {site: " + "x" * 3000 + "}\n" + "sites: {" + "y" * 900 + ": {}}\n", ":2", "is not among sites"),
    "a large number": ("closed_retention_seconds: " + "9" * 9000, ":1", "closed_retention_seconds"),
    "one key again and again": ("a: 1\n" * 8000, ":1", "is here twice"),
    "unknown keys": ("".join(f"queue_{n}: 1\n" for n in range(4000)), ":1", "unknown key"),
    "unknown references": (
        "queues:\n"
        + "".join(f"  q{n}: {{site: tokyo{n}}}\n" for n in range(1500))
        + "sites:\n"
        + "".join(f"  t{n}: {{}}\n" for n in range(500)),
        ":2",
        "is not among sites",
    ),
    "quotes": ('queues: "' + "\\u0041" * 3000, ":1", "is not valid YAML"),
    "question marks": ("? " * 10_000, ":1", "nested too deeply"),
    "anchors": ("[" + ", ".join(f"&a{n} x" for n in range(4000)) + "]", "", "keys and values"),
    "large": ("#" * 5_000_000, "", "is too large"),
}

READERS: dict[str, Callable[[Path], Any]] = {
    "configuration": load_configuration,
    "mapping": load_mapping,
    "senders": load_senders,
    "layout": load_layout,
}


def judged(read: Callable[[], Any]) -> float:
    """Return the processor time until a file is refused."""
    with timed() as taken, pytest.raises(FileError):
        read()
    return taken[0]


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Build the models that the first file of a kind builds."""
    path = tmp_path_factory.mktemp("warm") / "wrong.yaml"
    path.write_text("[1, {}]")
    for read in READERS.values():
        with pytest.raises(FileError):
            read(path)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_configuration_is_refused_at_once(name: str, tmp_path: Path) -> None:
    """Within a second of CPU, with line and reason, and not with pages of it."""
    text, line, reason = HOSTILE[name]
    path = tmp_path / "center.yaml"
    path.write_text(text)

    with timed() as taken, pytest.raises(ConfigurationError) as refused:
        load_configuration(path)

    message = str(refused.value)
    assert message.startswith(f"{path}{line}")
    assert reason in message
    assert len(message) < 500_000
    assert taken[0] < CPU_SECONDS


@pytest.mark.parametrize("kind", ["mapping", "senders", "layout"])
@pytest.mark.parametrize("name", ["brackets", "braces", "documents", "a long text", "large", "one key again and again", "unknown keys"])
def test_so_is_every_other_file(kind: str, name: str, tmp_path: Path) -> None:
    """Mappings, senders and layouts of reports share the reader."""
    path = tmp_path / "file.yaml"
    path.write_text(HOSTILE[name][0])

    assert judged(lambda: READERS[kind](path)) < CPU_SECONDS


def test_check_reports_deep_nesting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``check`` of 20 kB of brackets was busy for over 40 s."""
    path = tmp_path / "center.yaml"
    path.write_text("[" * 20_000)

    with timed() as taken:
        status = check.run(_arguments(path))

    assert (status, capsys.readouterr().err) == (2, f"{path}:1: is nested too deeply; permitted: 40 levels\n")
    assert taken[0] < CPU_SECONDS


def test_a_large_honest_file_is_read(tmp_path: Path) -> None:
    """A center of 2,000 queues and 4,000 people is far within the limits."""
    path = tmp_path / "center.yaml"
    queues = "".join(f"  queue {n}: {{site: s, target: 0.8, channels: [voice], department: d{n % 40}}}\n" for n in range(2000))
    people = "".join(f"  person{n}: {{team: t{n % 100}, site: s, identities: {{pbx: [a{n}]}}}}\n" for n in range(4000))
    teams = "".join(f"  t{n}: {{site: s}}\n" for n in range(100))
    path.write_text(f"sites: {{s: {{}}}}\nqueues:\n{queues}teams:\n{teams}people:\n{people}")
    wrong = [each for each in _problems(path) if "too" in each or "more than" in each]

    assert wrong == []


def test_only_the_first_hundred_problems_are_listed(tmp_path: Path) -> None:
    """The first are, and that there are more."""
    path = tmp_path / "center.yaml"
    path.write_text("".join(f"queue_{n}: 1\n" for n in range(4000)))
    problems = _problems(path)

    assert len(problems) == 101
    assert problems[-1] == f"{path}: and more; these are the first 100"


def test_a_state_file_of_brackets_is_none_of_ours(tmp_path: Path) -> None:
    """A connector prints the reason instead of a traceback."""
    path = tmp_path / "state.json"
    path.write_text("[" * 100_000)

    with pytest.raises(StateFileError):
        load_state(path)


def test_a_report_with_an_endless_field_is_refused(tmp_path: Path) -> None:
    """With its line."""
    path = tmp_path / "report.csv"
    path.write_text("queue,interval_start,offered\n" + 'a,"' + "x" * 200_000)
    with pytest.raises(FileError) as refused:
        read_report(path, GENERIC)

    assert str(refused.value).startswith(f"{path}:2: is no CSV that can be read")


def _problems(path: Path) -> list[str]:
    try:
        load_configuration(path)
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def _arguments(path: Path) -> argparse.Namespace:
    import argparse

    return argparse.Namespace(files=[path], kind=None, json=False)
