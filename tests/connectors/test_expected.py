"""Every platform tells the same calls and tickets, each in its own words, and the same figures come out: the matrix platform x figure.

``pytest tests/connectors/test_expected.py -rP -k matrix`` prints it; `tests/support/platforms.py` has the stories, and how figures follow.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import orjson
import pytest

from schemas.events import CONTACT_KINDS
from streams.connectors.platforms import connector
from tests.support.platforms import FIXTURES, SHARED, Row, counted, figures, three_calls, translated, two_tickets
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from schemas.base import Event
    from tests.support.platforms import Table

SEEDS = (1, 2, 3, 4, 5)

#: One for each platform (or way of it) and story; add yours.
ROWS: tuple[Row, ...] = (
    Row(
        connector="amazon-connect-contact-events",
        files=("three-calls.jsonl",),
        shared=("DERIVED.amazon-connect.contact-events.lifecycle.jsonl",),
        expected=three_calls(hold=False, ring=False),
        # The ARN alone is told; the names are ours.
        settings={
            "queues": {"q-care-01": "support", "q-acc-02": "billing"}
            | {f"aaaaaaaa-0000-0000-0000-00000000000{number}": name for number, name in ((1, "support"), (2, "billing"))}
        },
    ),
)

ROW = pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])


def bodies(paths: Iterable[Path]) -> list[tuple[str, bytes]]:
    """Return origin and content of files."""
    return [(path.name, path.read_bytes()) for path in paths]


def told(row: Row, paths: Iterable[Path], seed: int | None = None) -> Table:
    """Return the figures of what files tell; no record of them may be rejected."""
    platform = connector(row.connector)
    done = translated(platform, bodies(paths), settings=row.settings, seed=seed)
    assert done.events
    assert not done.rejected, done.rejected[0]
    # A count of what is not told is 0 to the engine; the connector is who says that it is not known.
    unknown = ("non_response",) if platform.reports.get("ring") else ()
    result = counted(done.events, row.configuration)
    assert result["late_events"] == 0
    assert not result["dead_letters"], result["dead_letters"][0]
    return figures(result, row.wanted(), row.queues, unknown)


def canonical_file(path: Path) -> list[Event]:
    """Return the events of a file of canonical events of contacts."""
    models = {str(model.model_fields["type"].default): model for model in CONTACT_KINDS}
    return [models[orjson.loads(line)["type"]].model_validate_json(line) for line in path.read_bytes().splitlines()]


def check(row: Row, found: Table) -> None:
    """Hold figures against what the row wants."""
    for scope, wanted in row.wanted().items():
        compared = {figure: value for figure, value in wanted.items() if value is None or not isnan(value)}
        assert {figure: found[scope][figure] for figure in compared} == pytest.approx(compared), scope


def fixtures(row: Row) -> list[Path]:
    """Return the files of a row that are ours."""
    return [FIXTURES / row.connector / name for name in row.files]


def samples(row: Row) -> list[Path]:
    """Return the files of a row that were collected."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    if not row.shared:
        pytest.skip(f"no sample of {row.name} was collected")
    return [SHARED / name for name in row.shared]


@pytest.mark.parametrize(
    ("file", "story", "tickets"), [("three-calls", three_calls(), 0), ("two-tickets", two_tickets(), 2)], ids=["calls", "tickets"]
)
def test_story(file: str, story: Table, tickets: int) -> None:
    """Told in canonical events, the stories give the figures worked out by hand: what is compared is no invention of ours."""
    require(SHARED.is_dir(), f"the shared samples are not there: {SHARED}")
    events = canonical_file(SHARED / f"expected.{file}.canonical.jsonl")
    assert sum(event.type == "contact.status_changed" for event in events) >= tickets
    found = figures(counted(events), story, {})
    for scope, wanted in story.items():
        assert found[scope] == pytest.approx(wanted), scope


@ROW
def test_fixture(row: Row) -> None:
    """Our own files of the platform give the figures that were worked out by hand."""
    check(row, told(row, fixtures(row)))


@ROW
def test_sample(row: Row) -> None:
    """So do the files that were collected."""
    check(row, told(row, samples(row)))


@ROW
@pytest.mark.parametrize("seed", SEEDS)
def test_shuffled_and_repeated(row: Row, seed: int) -> None:
    """In any order, and with each record up to three times, they are the same."""
    if row.in_order:
        pytest.skip(f"{row.name}: {row.in_order}")
    check(row, told(row, fixtures(row), seed))
    if SHARED.is_dir() and row.shared:
        check(row, told(row, samples(row), seed))


def test_matrix() -> None:
    """Print platform x figure, as our own files give it; what is not compared there is left blank."""
    tables = [(row.name, row.wanted(), told(row, fixtures(row))) for row in ROWS]
    names = list(dict.fromkeys(figure for _, _, table in tables for values in table.values() for figure in values))
    lines = [["", "", *names]]
    for name, wanted, found in tables:
        lines += [[name, scope, *(_cell(wanted[scope], values, figure) for figure in names)] for scope, values in found.items()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print(*(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))  # noqa: T201 - it is for people to read


def _cell(wanted: dict[str, float | None], found: dict[str, float | None], figure: str) -> str:
    if figure not in wanted or (wanted[figure] is not None and isnan(wanted[figure] or 0)):
        return ""
    value = found[figure]
    return "null" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")
