"""The file of a running process: when a change is judged, its outcome, and the configuration that runs meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.configuration import ConfigurationError
from streams.configuration.file import ConfigurationFile, configuration_hash, hand_over, handed_over

START, LATER = 1_767_571_200_000, 1_767_571_260_000
GOOD = "service_level: {threshold_s: 20}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is valid."""
    found = tmp_path / "center.yaml"
    found.write_text(GOOD, encoding="utf-8")
    return found


def change(path: Path, text: str) -> None:
    """Write another text, with a time of its own even where the clock of the file system is coarse."""
    before = path.stat().st_mtime_ns
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_an_unchanged_file_is_nothing_new(path: Path) -> None:
    """Nor is one that was only touched, or whose comments alone have changed."""
    file = ConfigurationFile(path, START)
    assert file.poll(LATER) is None
    change(path, GOOD)
    assert [file.poll(LATER), file.poll(LATER)] == [None, None]
    assert file.changed_ms == START
    change(path, "# the same\n" + GOOD)

    assert [file.poll(LATER), file.poll(LATER)] == [None, None]
    assert file.valid
    assert (file.since_ms, file.changed_ms) == (START, LATER)


def test_a_change_is_taken_when_two_looks_have_found_it(path: Path) -> None:
    """A text is judged once it is the same at two polls, once; texts in between are never judged."""
    file = ConfigurationFile(path, START)
    change(path, "service_level: {thresh")
    assert file.poll(LATER) is None
    change(path, "service_level: {threshold_s: 30}\n")
    assert file.poll(LATER) is None
    taken = file.poll(LATER)

    assert taken is not None
    assert taken.configuration.service_level.threshold_s == 30
    assert taken.text == "service_level: {threshold_s: 30}\n"
    assert file.running.service_level.threshold_s == 20
    file.mark_running(taken.configuration, LATER)
    assert file.running.service_level.threshold_s == 30
    assert file.status == f"running with {configuration_hash(taken.configuration)} of 2026-01-05T00:01:00.000Z"
    assert file.poll(LATER) is None


def test_a_refusal_is_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With file, line, reason and what is permitted; the active configuration continues until the file can be used again."""
    file = ConfigurationFile(path, START)
    change(path, "service_level:\n  threshold_s: -1\n")
    assert [file.poll(LATER) for _ in range(4)] == [None] * 4

    assert not file.valid
    assert file.status == f"refused, running with {configuration_hash(file.running)} of 2026-01-05T00:00:00.000Z"
    assert caplog.text.count("is refused") == 1
    assert f"{path}:2: service_level.threshold_s: found -1; permitted: a number, above 0" in caplog.text
    assert file.running.service_level.threshold_s == 20
    change(path, GOOD)
    assert [file.poll(LATER), file.poll(LATER)] == [None, None]
    assert file.valid


def test_a_file_that_is_gone_is_refused_if_it_stays_so(path: Path) -> None:
    """Between the removal of the old file and the new one there may be a moment: that alone refuses nothing."""
    file = ConfigurationFile(path, START)
    path.unlink()
    assert file.poll(LATER) is None
    assert file.valid
    path.write_text(GOOD, encoding="utf-8")
    assert file.poll(LATER) is None
    assert file.valid
    path.unlink()
    for _ in range(3):
        assert file.poll(LATER) is None
    assert file.status.startswith("refused, ")
    assert "cannot be read" in str(file.refused)


def test_at_once_judges_at_the_first_look(path: Path) -> None:
    """A signal states that the file is ready, and logs a refusal again."""
    file = ConfigurationFile(path, START)
    change(path, "service_level: {threshold_s: 45}\n")
    taken = file.poll(LATER, at_once=True)
    assert taken is not None
    assert taken.configuration.service_level.threshold_s == 45


def test_a_version_does_not_change_in_place(path: Path) -> None:
    """What was published under a version stays what it is; a further version is no change of it."""
    first = "definitions:\n  fast:\n  - {version: 1, threshold_s: 20}\n"
    path.write_text(first, encoding="utf-8")
    file = ConfigurationFile(path, START)
    change(path, first.replace("20}", "30}"))
    assert file.poll(LATER, at_once=True) is None
    assert str(file.refused) == (
        f"{path}:3: definitions.fast.0: version 1 is running with another threshold_s, and a version does not change in place; "
        "permitted: leave it unchanged and add version 2 with an effective_from"
    )
    change(path, first + '  - {version: 2, threshold_s: 30, effective_from: "2026-02-01T00:00:00Z"}\n')
    taken = file.poll(LATER, at_once=True)
    assert taken is not None
    assert [each.threshold_s for each in taken.configuration.definitions["fast"]] == [20, 30]


def test_a_process_does_not_start_with_a_file_that_is_no_use(path: Path) -> None:
    """There is no last valid one to continue with."""
    path.write_text("queue: {}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="unknown key, did you mean queues"):
        ConfigurationFile(path, START)


def test_what_was_handed_over_is_run_with(path: Path) -> None:
    """The process that takes the place of another runs with what that one found valid, and then looks at the file as it is by now."""
    hand_over("service_level: {threshold_s: 60}\n")
    path.write_text("service_level: [\n", encoding="utf-8")
    file = ConfigurationFile(path, START)

    assert file.running.service_level.threshold_s == 60
    assert handed_over() is None
    assert [file.poll(LATER), file.poll(LATER)] == [None, None]
    assert not file.valid
    assert "is not valid YAML" in str(file.refused)


def test_the_name_of_a_configuration_is_the_same_in_every_process() -> None:
    """Sets have no order, and Python's differs from process to process."""
    code = (
        "from streams.configuration import Configuration; from streams.configuration.file import configuration_hash;"
        "print(configuration_hash(Configuration.model_validate({'service_level': {'preset': 'genesys-cloud-with-flow-outs'}})))"
    )
    names = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(names) == 1
