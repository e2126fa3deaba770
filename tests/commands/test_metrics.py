"""``contact-streams metrics``: the catalogue on a terminal and for programs, the same as the API's."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from streams.catalogue import KPIS
from streams.cli import main
from tests.serving.records import Backend, client_of

if TYPE_CHECKING:
    from _pytest.capture import CaptureFixture


def printed(capsys: CaptureFixture[str], *options: str) -> str:
    """Run the command and return what it prints."""
    assert main(["metrics", *options]) == 0
    return capsys.readouterr().out


def ids(table: str) -> list[str]:
    """Return the first column without its heading."""
    return [line.split()[0] for line in table.splitlines()[1:]]


def test_the_table_has_every_figure(capsys: CaptureFixture[str]) -> None:
    """A line a figure, in the order of the catalogue."""
    printed_text = printed(capsys)

    assert ids(printed_text) == [kpi.id for kpi in KPIS]
    (line,) = (line for line in printed_text.splitlines() if line.startswith("asa "))
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == [
        "asa",
        "average speed of answer",
        "seconds",
        "lower",
        "trailing, interval, day",
        "queue, channel, department, business, site",
    ]


def test_in_japanese(capsys: CaptureFixture[str]) -> None:
    """Names, units and all else are Japanese; columns are aligned, for each character takes two."""
    printed_text = printed(capsys, "--lang", "ja", "--unit", "seconds").splitlines()
    heading, asa = printed_text[0], next(line for line in printed_text if line.startswith("asa "))

    def columns(text: str) -> int:
        return sum(2 if ord(character) > 0x2E80 else 1 for character in text)

    assert asa.split() == [
        "asa",
        "平均応答速度",
        "秒",
        "低いほど良い",
        "直近,",
        "時間帯,",
        "日",
        "キュー,",
        "チャネル,",
        "部門,",
        "事業,",
        "拠点",
    ]
    assert {columns(line.partition(" 秒 ")[0]) for line in printed_text[1:]} == {columns(heading.partition(" 単位 ")[0])}


@pytest.mark.parametrize(
    ("options", "has", "has_not"),
    [
        (("--subject", "people"), {"occupancy", "agents_by_state"}, {"asa", "target_attainment"}),
        (("--unit", "score"), {"csat", "nps"}, {"csat_top2"}),
        (("--by", "team"), {"occupancy", "target_attainment"}, {"service_level"}),
        (("--unit", "ratio", "--subject", "people"), {"occupancy"}, {"agents_by_state", "answer_rate"}),
    ],
)
def test_filters(capsys: CaptureFixture[str], options: tuple[str, ...], has: set[str], has_not: set[str]) -> None:
    """Each option leaves out what does not fit, and they hold together."""
    found = set(ids(printed(capsys, *options)))

    assert has <= found
    assert not has_not & found


def test_one_figure(capsys: CaptureFixture[str]) -> None:
    """All texts of a figure, names in both languages."""
    printed_text = printed(capsys, "--id", "service_level")

    assert printed_text.startswith("service_level: service level / サービスレベル\nShare of decided contacts")
    for text in ("by definition    yes", "contact_center_service_level_denominator", "queue-metrics: kpis.service_level of window records"):
        assert text in printed_text
    printed_text = printed(capsys, "--id", "service_level", "--lang", "ja")
    assert "結果が確定した問い合わせのうち" in printed_text
    assert "計算式" in printed_text
    assert "しきい値以内の応答数 ÷" in printed_text


def test_an_unknown_figure(capsys: CaptureFixture[str]) -> None:
    """It is named, with the one that may be meant; status 2."""
    assert main(["metrics", "--id", "service_levl"]) == 2
    printed_text = capsys.readouterr()
    assert "no figure 'service_levl', did you mean service_level?" in printed_text.err
    assert printed_text.out == ""


def test_json_output_equals_the_api(capsys: CaptureFixture[str]) -> None:
    """JSON has all texts in both languages, word for word as ``GET /api/v1/catalogue``."""
    printed_text = json.loads(printed(capsys, "--json"))["kpis"]

    async def served() -> list[object]:
        async with client_of(Backend().serving()) as client:
            answer = await (await client.get("/api/v1/catalogue")).json()
            found: list[object] = answer["kpis"]
            return found

    assert printed_text == asyncio.run(served())
    level = next(each for each in printed_text if each["id"] == "service_level")
    assert (level["parts"], level["definition_dependent"], level["prometheus"], level["horizon"]) == (
        ["value", "numerator", "denominator"],
        True,
        True,
        None,
    )
    assert level["dimensions"] == ["queue", "channel", "department", "business", "site"]
    assert json.loads(printed(capsys, "--json", "--id", "asa"))["kpis"] == [each for each in printed_text if each["id"] == "asa"]
