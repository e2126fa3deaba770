"""The recount that peers are judged by, how looks at a process become its cost, and the benchmark itself on a few events."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.measuring import Cost, Look, cost, python, table
from benchmarks.peers.recount import FIELDS, Recount, difference
from tests.support.kafka import missing
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

#: 2026-01-05 10:00 UTC.
_TEN = 1_767_607_200_000


def _event(kind: str, contact: str, clock: str, **fields: str) -> dict[str, str]:
    return {"type": kind, "conversation_id": contact, "occurred_at": f"2026-01-05T{clock}.000Z", **fields}


def _queued(contact: str, clock: str, queue: str = "Orders", channel: str = "voice") -> dict[str, str]:
    return _event("contact.queued", contact, clock, queue=queue, channel=channel)


def _records(*events: dict[str, str]) -> dict[str, dict[str, int]]:
    recount = Recount()
    for event in events:
        recount.take(event)
    return recount.records()


def _sums(*amounts: int) -> dict[str, int]:
    return dict(zip(FIELDS, amounts, strict=True))


def test_the_recount_equals_a_count_by_hand() -> None:
    """Three calls: one answered in 20 s, one in 21 s and transferred to another queue, one abandoned in the next quarter of an hour."""
    found = _records(
        _queued("1", "10:00:00"),
        _event("contact.arrived", "1", "10:00:00"),
        _event("contact.answered", "1", "10:00:20"),
        _event("contact.ended", "1", "10:01:20"),
        _event("contact.wrapped_up", "1", "10:01:50"),
        _queued("2", "10:02:00"),
        _event("contact.answered", "2", "10:02:21"),
        _event("contact.transferred", "2", "10:03:21"),
        _queued("2", "10:03:22", queue="Returns"),
        _event("contact.answered", "2", "10:03:32"),
        _queued("3", "10:14:50"),
        _event("contact.ended", "2", "10:13:32"),
        _event("contact.ended", "3", "10:15:10"),
    )
    quarter = 15 * 60_000
    assert found == {
        # 60 s of talk and 30 s of wrap-up of the first, 60 s of talk of the second.
        f"15m|Orders|voice|{_TEN}": _sums(3, 2, 0, 1, 41_000, 150_000),
        f"15m|Orders|voice|{_TEN + quarter}": _sums(0, 0, 1, 0, 0, 0),
        f"15m|Returns|voice|{_TEN}": _sums(1, 1, 0, 1, 10_000, 600_000),
        # From 10:00:20 on, as the newest pane begins at 10:15:10: the first offer has left, its answer has not.
        "trailing|Orders|voice": _sums(2, 2, 1, 1, 41_000, 150_000),
        "trailing|Returns|voice": _sums(1, 1, 0, 1, 10_000, 600_000),
    }


def test_the_recount_counts_in_the_order_of_the_topic() -> None:
    """An end that overtakes its beginning abandons nothing, and an answer without a wait is none: that is what the peers do, too."""
    found = _records(_event("contact.ended", "1", "10:00:09"), _queued("1", "10:00:00"), _event("contact.answered", "2", "10:00:05"))
    assert found[f"15m|Orders|voice|{_TEN}"] == _sums(1, 0, 0, 0, 0, 0)


def test_a_peer_that_publishes_otherwise_is_wrong() -> None:
    """A missing, a different and a superfluous record are distinguished, and equal ones are right."""
    expected = {"a": _sums(1, 0, 0, 0, 0, 0), "b": _sums(2, 0, 0, 0, 0, 0)}
    assert difference(expected, dict(expected)) == []
    lines = difference(expected, {"b": _sums(3, 0, 0, 0, 0, 0), "c": _sums(0, 0, 0, 0, 0, 0)})
    assert [line.split(":")[0] for line in lines] == ["a", "b", "c"]
    assert "missing" in lines[0]
    assert "'offered': 3" in lines[1]


def test_a_program_is_charged_until_its_last_figure_is_published() -> None:
    """Start-up before the first event and idling after the last figure are left out; lag behind the last event is not."""
    looks = [
        Look(0.0, 1.0, 0, 0),
        Look(1.0, 2.0, 0, 0),  # from here
        Look(2.0, 3.0, 40, 5),
        Look(3.0, 4.5, 60, 9),  # the second half begins
        Look(4.0, 5.0, 100, 12),
        Look(5.0, 6.5, 100, 20),  # to here
        Look(6.0, 9.0, 100, 20),
    ]
    found = cost("it", 100, looks, 7.0)
    assert found.cpu_us == pytest.approx(4.5 / 100 * 1e6)
    assert found.warm_cpu_us == pytest.approx(2.0 / 40 * 1e6)
    assert found.events_per_second == pytest.approx(25.0)


def test_the_second_half_begins_with_a_commit() -> None:
    """Begun at 1, committed at 40 and 100: what follows the commit of 40 is the later part: from 8 to 12 s, 60 events."""
    done = [0, 0, 1, 1, 40, 40, 100, 100]
    looks = [Look(float(number), 2.0 * number, each, 7) for number, each in enumerate(done)]
    found = cost("it", 100, looks, 7.0)
    assert found.cpu_us == pytest.approx((12.0 - 2.0) / 100 * 1e6)
    assert found.warm_cpu_us == pytest.approx((12.0 - 8.0) / 60 * 1e6)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"CONFIG_ARGS": "'--enable-optimizations' '--with-lto'"}, "optimized with a profile"),
        ({"CONFIG_ARGS": "", "PY_CORE_CFLAGS": "-O3 -fprofile-use -fprofile-correction"}, "optimized with a profile"),
        # The flag that would be used does not prove that it was.
        ({"CONFIG_ARGS": "'--prefix=/usr'", "PGO_PROF_USE_FLAG": "-fprofile-use"}, "optimized with a profile: unknown"),
        ({}, "optimized with a profile: unknown"),
    ],
)
def test_python_reports_whether_it_was_optimized(variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it knows: a build without the flag may have been optimized by hand."""
    monkeypatch.setattr(sysconfig, "get_config_vars", lambda: variables)
    version = ".".join(map(str, sys.version_info[:3]))
    assert python().startswith(f"{sys.implementation.name.replace('cp', 'CP')} {version}, ")
    assert python().endswith(f", {expected}")


def test_the_table_shows_what_is_wrong() -> None:
    """A row a program, with its ratio to the ceiling."""
    rows = table([Cost("a", 1000, 4.0, None, 250_000.0, None), Cost("b", 1000, 16.0, 8.0, 50_000.0, 99.6, right=False)], 4.0).splitlines()
    assert rows[2] == "| a | 1,000 | 4.0 | – | 1.00 | 250,000 | – | – |"
    assert rows[3] == "| b | 1,000 | 16.0 | 8.0 | 0.25 | 50,000 | 100 | WRONG |"


@pytest.mark.alone
@pytest.mark.kafka
def test_the_benchmark_on_a_few_events(tmp_path: Path) -> None:
    """The worker and Kafka Streams over 6,000 events: the peer is right, each has a cost, and a floor that is not reached fails."""
    reason = missing()
    require(reason is None, reason or "")
    file = tmp_path / "figures.json"
    options = f"--events 6000 --rate 1 --peers kafka-streams --floor 1 --json {file}"
    command = [sys.executable, "-m", "benchmarks.pipeline", *options.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    ceiling, ours, peer = result["rates"]["1"]
    assert peer["right"] is True, done.stdout
    assert ceiling["cpu_us"] < ours["cpu_us"]
    assert ours["events"] == ceiling["events"] >= 6000 > peer["events"] > 1000
    assert ours["peak_mib"] > 10
    assert result["python"] == python()
    assert f"CPU of one process with its threads; {python()}:" in done.stdout
    assert done.returncode == 1, "No worker is as cheap as the ceiling."
    assert json.loads(done.stdout.splitlines()[-1]) == result
