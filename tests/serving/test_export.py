"""Exports: chosen figures as CSV and workbooks, nothing beyond one's view, and no formula in any cell."""

from __future__ import annotations

import asyncio
import csv
import io
import os
from typing import TYPE_CHECKING, Any

import aiohttp
import openpyxl
import pytest

from streams.access.views import View
from streams.serving.agents import Agents
from streams.serving.spreadsheets import write_csv, write_lines
from streams.serving.tables import COLUMNS, Choice, Row, agent_rows, rows
from streams.serving.workbook import make
from tests.serving.records import AS_OF, Backend, client_of, figure, now_record, people_now, person, small_center, window
from tests.serving.running import ALL, guarded
from tests.serving.test_events import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.agent_metrics import AgentFigures
    from streams.serving.store import Store


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV by column."""
    return list(csv.DictReader(io.StringIO(text)))


def exported(backend: Backend, query: str = "", **serving: Any) -> list[dict[str, str]]:
    """Return the rows that the API exports."""

    async def ask() -> str:
        async with client_of(backend.serving(**serving)) as client:
            answer = await client.get(f"/api/v1/export?{query}")
            assert answer.status == 200, await answer.text()
            assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
            assert answer.headers["Content-Disposition"] == 'attachment; filename="figures-20260401T090001Z.csv"'
            assert "Content-Security-Policy" in answer.headers
            return (await answer.read()).decode()

    return rows_of(asyncio.run(ask()))


def test_a_figure_a_row() -> None:
    """Each figure of each record is one row with its parts, unit and definition; labels and current figures have rows too."""
    found = {(each["scope"], each["window"], each["kpi"], each["label"]): each for each in exported(Backend.fed(small_center()))}

    assert found["sales", "trailing_15m", "service_level", ""] == {
        "scope_kind": "queue",
        "scope": "sales",
        "channel": "voice",
        "window": "trailing_15m",
        "window_start": "2026-04-01T08:45:00Z",
        "window_end": "2026-04-01T09:00:00Z",
        "final": "false",
        "as_of": AS_OF,
        "kpi": "service_level",
        "name": "service level",
        "label": "",
        "definition": "service_level@1",
        "unit": "ratio",
        "value": "0.74",
        "numerator": "37.0",
        "denominator": "50.0",
        "coverage": "1.0",
    }
    assert found["sales", "trailing_15m", "not_offered", "full"]["value"] == "3.0"
    assert found["claims", "trailing_15m", "asa", ""]["value"] == ""
    # Waiting since 08:58:48; the figures are as of 09:00.
    assert (found["sales", "now", "longest_wait", ""]["value"], found["sales", "now", "longest_wait", ""]["unit"]) == ("72.0", "seconds")
    assert found["claims", "now", "backlog_by_age", "4-24h"]["value"] == "4"
    assert found["north", "now", "agents_by_state", "handling"]["value"] == "6"
    assert found["north", "trailing_15m", "occupancy", ""]["numerator"] == "6500.0"
    assert {each["scope_kind"] for each in found.values()} == {"queue", "team", "total"}


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("window=now&kpi=waiting", {("queue", "sales", "now"), ("queue", "claims", "now"), ("total", "all", "now")}),
        ("kpi=service_level", {("queue", "sales", "trailing_15m"), ("queue", "claims", "trailing_15m")}),
        ("kpi=service_level&scope=queue:sales", {("queue", "sales", "trailing_15m")}),
        ("kpi=service_level&kpi=occupancy&scope_kind=team", {("team", "north", "trailing_15m")}),
        ("channel=mail&window=trailing_15m&window=day", {("queue", "claims", "trailing_15m")}),
        ("window=day", set()),
        ("scope=queue:none", set()),
    ],
    ids=range(7),
)
def test_what_is_chosen(query: str, kept: set[tuple[str, str, str]]) -> None:
    """Windows, kinds of scopes, scopes, channels and KPIs are chosen each by itself and all together; nothing found is an empty table."""
    found = exported(Backend.fed(small_center()), query)
    assert {(each["scope_kind"], each["scope"], each["window"]) for each in found} == kept


@pytest.mark.parametrize(
    ("query", "status", "detail"),
    [
        ("kpi=servicelevel", 400, "unknown kpi 'servicelevel': did you mean 'service_level'?"),
        ("kpi=zzz", 400, "unknown kpi 'zzz'; /api/v1/catalogue has them"),
        ("window=today", 400, "no window is named 'today'"),
        ("scope=sales", 400, "scope 'sales': KIND:NAME, such as queue:sales"),
        ("scope_kind=region", 400, "unknown scope_kind 'region': one of queue"),
        ("format=pdf", 400, "format 'pdf'; permitted: csv, xlsx"),
        ("bom=yes", 400, "bom 'yes'; permitted: false, true"),
        ("scopes=queue:sales", 400, "unknown parameter 'scopes': did you mean 'scope'?"),
    ],
    ids=range(8),
)
def test_an_unknown_choice_is_refused_with_the_choices(query: str, status: int, detail: str) -> None:
    """A request for an unknown choice gets the permitted ones."""

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            answer = await client.get(f"/api/v1/export?{query}")
            assert (answer.status, (await answer.json())["detail"][: len(detail)]) == (status, detail)

    asyncio.run(check())


def test_only_what_the_view_shows() -> None:
    """A row of a hidden scope, or about people of a group too small, is not there; what is chosen makes no difference."""
    store = Backend.fed(
        [*small_center(), people_now("site:tokyo", {"idle": 3}), window("site:tokyo", kpis={"offered": figure(9, 9)})]
    ).store
    view = View(frozenset({"queue:sales", "site:tokyo"}), frozenset())

    seen = {(each.scope_kind, each.scope, each.channel) for each in rows(store, Choice(), view)}
    assert seen == {("queue", "sales", "voice"), ("site", "tokyo", "voice")}
    assert list(rows(store, Choice(scopes=frozenset({"queue:claims", "team:north"})), view)) == []


def test_single_people_come_only_when_asked_for_and_seen() -> None:
    """Rows of agents are included if their kind is chosen and the view sees them; a choice of a channel excludes them."""
    read = Agents()
    for name in ("sato", "tanaka"):
        assert read.feed(*person(name))
    agents = Agents()
    agents.take_over(read)
    backend = Backend.fed(small_center())

    assert {each["scope"] for each in exported(backend, "scope_kind=agent", agents=agents)} == {"sato", "tanaka"}
    assert [each["value"] for each in exported(backend, "scope=agent:sato&kpi=occupancy&window=day", agents=agents)] == ["0.75"]
    assert exported(backend, "scope_kind=agent&channel=voice", agents=agents) == []
    assert "agent" not in {each["scope_kind"] for each in exported(backend, "", agents=agents)}
    assert exported(backend, "scope_kind=agent") == []

    records: Iterable[AgentFigures] = [entry.record for entry in agents.entries()]
    one = View(frozenset({"agent:sato", "agent:tanaka"}), frozenset({"agent:sato"}))
    assert {each.scope for each in agent_rows(records, Choice(scope_kinds=frozenset({"agent"})), one)} == {"sato"}


EVIL = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "＝1", "＠x"]
#: In CSV no formula, in a workbook an error.
ERRORS = ["#N/A", "#REF!"]


def test_no_cell_is_a_formula() -> None:
    """In CSV an apostrophe precedes what a spreadsheet would compute; in a workbook such texts are texts. Numbers stay numbers."""
    final = True
    table = [
        Row("queue", name, None, "day", None, None, final, AS_OF, "nps", "NPS", name, None, "score", -50.5, -1, 2, None)
        for name in [*EVIL, *ERRORS]
    ]
    file = io.BytesIO()
    assert write_csv(table, file) == len(table)
    found = rows_of(file.getvalue().decode())
    assert [each["scope"] for each in found] == [*(f"'{name}" for name in EVIL), *ERRORS]
    assert {each["label"] for each in found} == {*(f"'{name}" for name in EVIL), *ERRORS}
    assert {(each["value"], each["numerator"], each["final"]) for each in found} == {("-50.5", "-1", "true")}

    lines, book = io.BytesIO(), io.BytesIO()
    assert write_lines(table, lines) == len(table)
    make(lines.getvalue().splitlines(), book)
    sheet = openpyxl.load_workbook(book)["figures"]
    cells = [row[1] for row in sheet.iter_rows(min_row=2)]
    assert [(cell.value, cell.data_type) for cell in cells] == [(name, "s") for name in [*EVIL, *ERRORS]]
    assert [cell.value for cell in sheet[2]][13:15] == [-50.5, -1]


def test_a_workbook_has_what_the_csv_has() -> None:
    """The same head and rows, in Japanese too; names that a workbook cannot hold lose what it cannot hold."""

    async def check() -> None:
        backend = Backend.fed([*small_center(), now_record("queue:料金", waiting=4), now_record("queue:odd\x01name", waiting=5)])
        async with client_of(backend.serving()) as client:
            text = (await (await client.get("/api/v1/export?lang=ja&bom=true")).read()).decode()
            answer = await client.get("/api/v1/export?lang=ja&format=xlsx")
            assert answer.headers["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
            sheet = openpyxl.load_workbook(io.BytesIO(await answer.read()))["figures"]
        assert text[0] == "\ufeff"
        found = rows_of(text[1:])
        table = [[cell.value for cell in row] for row in sheet.iter_rows()]
        assert tuple(table[0]) == COLUMNS == tuple(found[0])
        assert len(table) - 1 == len(found)
        assert [row[1] for row in table[1:]] == [each["scope"].replace("\x01", "") for each in found]
        assert {each["name"] for each in found if each["kpi"] == "service_level"} == {"サービスレベル"}
        assert {row[1] for row in table} > {"料金", "oddname"}

    asyncio.run(check())


def test_a_table_longer_than_a_sheet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not cut off: the answer asks the user to choose, or to take CSV, which has no limit."""
    monkeypatch.setattr("streams.serving.spreadsheets.MAX_ROWS", 3)

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            refused = await client.get("/api/v1/export?format=xlsx")
            assert (refused.status, "a sheet holds 3 rows" in (await refused.json())["detail"]) == (400, True)
            assert (await client.get("/api/v1/export?format=xlsx&kpi=occupancy")).status == 200
            assert (await client.get("/api/v1/export")).status == 200

    asyncio.run(check())


def test_a_workbook_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process ends with it, and the turn is another's."""
    monkeypatch.setattr("streams.serving.api.export._WORKBOOK_SECONDS", 0.05)

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            refused = await client.get("/api/v1/export?format=xlsx")
            assert (refused.status, "takes too long" in (await refused.json())["detail"]) == (400, True)
            children = await asyncio.create_subprocess_exec("pgrep", "-P", str(os.getpid()), "-f", "serving.workbook")
            assert await children.wait() == 1
            assert (await client.get("/api/v1/export")).status == 200

    asyncio.run(check())


def test_without_the_extra_there_are_no_workbooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer names what to install; CSV needs nothing."""
    monkeypatch.setattr("streams.serving.api.export.find_spec", lambda _: None)

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            refused = await client.get("/api/v1/export?format=xlsx")
            assert (refused.status, (await refused.json())["detail"]) == (404, "workbooks are off here: install contact-streams[xlsx]")
            assert (await client.get("/api/v1/export")).status == 200
            assert (await client.head("/api/v1/export")).status == 405

    asyncio.run(check())


def test_exports_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """One at a time; of one address three wait, a fourth gets Retry-After; a client that has left before its turn costs nothing."""

    async def check() -> None:
        serving = Backend.fed(small_center()).serving()
        made, copy = [], serving.figures.store.copy

        def copied() -> Store:
            made.append(1)
            return copy()

        monkeypatch.setattr(serving.figures.store, "copy", copied)
        async with client_of(serving) as client:
            async with serving.export_turns.turn("another"):
                waiting = [asyncio.create_task(client.get("/api/v1/export")) for _ in range(3)]
                await until(lambda: serving.export_turns.waiting == 3)
                refused = await client.get("/api/v1/export")
                assert (refused.status, refused.headers["Retry-After"], (await refused.json())["waiting"]) == (429, "10", 3)
                waiting.pop().cancel()
                await asyncio.sleep(0.1)
            answers = await asyncio.gather(*waiting)
            texts = [await answer.text() for answer in answers]
            assert [answer.status for answer in answers] == [200, 200]
            assert texts[0] == texts[1]
            assert len(rows_of(texts[0])) > 50
            await until(lambda: serving.export_turns.waiting == 0)
            assert (await client.get("/api/v1/export?kpi=offered")).status == 200
            assert len(made) == 3

    asyncio.run(check())


def test_a_right_that_ended_while_one_waited_is_gone() -> None:
    """It is looked for again when the turn has come."""

    async def check() -> None:
        serving, access = guarded()
        async with client_of(serving) as client:
            headers = {"Authorization": f"Bearer {ALL}"}
            async with serving.export_turns.turn("another"):
                waiting = asyncio.create_task(client.get("/api/v1/export", headers=headers))
                await until(lambda: serving.export_turns.waiting == 1)
                access.becomes()
            assert (await waiting).status == 403

    asyncio.run(check())


def test_a_file_that_breaks_off_is_seen_to() -> None:
    """An error after a file has begun ends the connection: the file contains no second answer."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError
            return super().read(100)

    async def check() -> None:
        async with client_of(Backend.fed(small_center()).serving()) as client:
            answer = await client.get("/api/v1/export")
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("streams.serving.api.export.tempfile.TemporaryFile", Broken)
        asyncio.run(check())
