"""Names that a sender chooses: none is special to the page, none passes for another, none commands a terminal."""

from __future__ import annotations

import asyncio
import io
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import orjson
import pytest

from schemas.alerts import AlertRecord
from schemas.visible import escaped_json, harmless, visible
from streams import cli
from streams.serving.alert_text import texts_of
from streams.terminal import Harmless
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, alert, client_of, figure, now_record, people_now, people_window, progress, window
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from pathlib import Path

#: Names that objects of JavaScript have of their own, and such as mean something to a language or a page.
SPECIAL = [
    *("constructor", "__proto__", "prototype", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf", "toLocaleString", "then"),
    *("__defineGetter__", "length", "name", "null", "undefined", "NaN", "true", "0", "-1", "{n}", "$&", "</b>", "all"),
]
#: What a name is shown as.
SHOWN = {
    "sales\u200b": "sales⟨U+200B⟩",
    "\u202esales": "⟨U+202E⟩sales",
    "sa\u00adles": "sa⟨U+00AD⟩les",
    "sales\u00a0": "sales⟨U+00A0⟩",
    " sales": "␣sales",
    "sales  a": "sales␣␣a",
    "\u3000": "⟨U+3000⟩",
    "\u2800": "⟨U+2800⟩",
    "営業\u3000東": "営業\u3000東",
    "sales\ufe0f": "sales⟨U+FE0F⟩",
    "a\U000e0041b": "a⟨U+E0041⟩b",
    "s\ue000": "s⟨U+E000⟩",
    "⟨U+200B⟩": "⟨U+27E8⟩U+200B⟩",
    "\x1b[2J\x9b31m\x07": "⟨U+001B⟩[2J⟨U+009B⟩31m⟨U+0007⟩",
}
#: Names that look like "sales", 営業 or others beside them, and the mark that distinguishes them.
ALIKE = [("Sales", "Sаles", "≈ ⟨U+0430⟩"), ("カード", "力ード", "≈ ⟨U+529B⟩"), ("ｆａｘ", "fax", "≈"), ("Order", "0rder", "≈")]
NAMES = "[...document.querySelectorAll('{table} tbody tr')].map(row => row.querySelector('.name b').textContent)"
#: Name, service level, verdict and whether a target of 80 % is shown.
LEVELS = """[...document.querySelectorAll('#queues tbody tr')].map(row => {
  const level = row.querySelector('.service_level_live');
  const verdict = level.className.match(/met|missed/)?.[0] ?? null;
  const value = level.querySelector('b').textContent.replaceAll(' ', '');
  return [row.querySelector('.name b').textContent, value, verdict, level.querySelector('small').textContent.includes('80')];
})"""


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


def queue_of(name: str, level: float) -> list[tuple[bytes, bytes]]:
    """Return the records of a queue with ten contacts, of which a share was answered in time, and one that waits."""
    levels = {kpi: figure(level, level * 10, 10, 1) for kpi in ("service_level", "service_level_live")}
    return [window(f"queue:{name}", kpis=levels), now_record(f"queue:{name}", waiting=1, waiting_since="2026-04-01T08:59:00Z")]


def center(names: Iterable[str], level: float = 0.7) -> Backend:
    """Return a center with these queues."""
    return Backend.fed([progress(), *(record for name in names for record in queue_of(name, level))])


@pytest.mark.browser
def test_no_name_is_special_to_the_page() -> None:
    """Queues, teams, alerts and sources called as objects' properties are: figures as of any other, no target where there is none."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        backend = center(SPECIAL)
        for name in SPECIAL:
            for record in (people_now(f"team:{name}", {"idle": 2}), people_window(f"team:{name}", figure(0.5, 1, 2, 1))):
                assert backend.store.feed(*record)
        assert backend.store.feed(*progress(1, sources=dict.fromkeys(SPECIAL, "2026-04-01T08:59:59Z")))
        backend.with_alerts(*(alert(f"queue:{name}", rule=name) for name in SPECIAL))
        # Every second one has a target, which it misses.
        targets = dict.fromkeys(SPECIAL[::2], 0.8)
        async with client_of(backend.serving(targets=targets, fed_by={"queue:name": ["pbx"]})) as client, Chromium() as page:
            for query in ("?lang=en", "?lang=ja&order=worst", "?view=wall", "?queue=constructor&queue=__proto__&pin=toString"):
                await page.open(str(client.make_url("/" + query)))
                wanted = 2 if "queue=" in query else len(SPECIAL)
                await page.until(f"document.querySelectorAll('#queues tbody tr').length === {wanted}")
                assert sorted(await page.ask(NAMES.format(table="#queues"))) == sorted(SPECIAL if wanted > 2 else SPECIAL[:2])
                assert not await page.ask("document.body.innerText.includes('NaN %')")
                levels = await page.ask(LEVELS)
                assert {name: rest for name, *rest in levels} == {
                    name: ["70.0%", "missed" if name in targets else None, name in targets]
                    for name in (SPECIAL if wanted > 2 else SPECIAL[:2])
                }
            await page.open(str(client.make_url("/?lang=en")))
            await page.until(f"document.querySelectorAll('#teams tbody tr').length === {len(SPECIAL)}")
            people = "[...document.querySelectorAll('#teams tbody tr')].map(row => row.querySelector('.idle b').textContent)"
            assert await page.ask(people) == ["2"] * len(SPECIAL)
            rules = await page.ask("[...document.querySelectorAll('#alerts .rule')].map(rule => rule.textContent)")
            assert len(rules) == 6
            assert set(rules) <= set(SPECIAL)
            assert page.complaints == []

    run(check())


@pytest.mark.browser
def test_names_are_distinguishable_on_the_page() -> None:
    """Invisible characters are written out, right-to-left texts are isolated, and lookalikes are marked; nothing else is."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")

    async def check() -> None:
        pairs = [name for one, other, _ in ALIKE for name in (one, other)]
        unlike = ["support", "help desk", "東京", "מכירות"]
        async with client_of(center([*SHOWN, *pairs, *unlike]).serving()) as client, Chromium() as page:
            await page.open(str(client.make_url("/?lang=en")))
            await page.until(f"document.querySelectorAll('#queues tbody tr').length === {len(SHOWN) + len(pairs) + len(unlike)}")
            names = await page.ask(NAMES.format(table="#queues"))
            assert set(SHOWN.values()) <= set(names)
            assert "\u2068מכירות\u2069" in names
            marks = dict(
                await page.ask(
                    "[...document.querySelectorAll('#queues tbody tr')].map(row => [row.querySelector('.name b').textContent,"
                    " [row.querySelector('.twin').textContent, row.querySelector('.twin').title]])"
                )
            )
            for one, other, mark in ALIKE:
                assert marks[other][0] == mark
                # "Sales" looks like all that are "sales" but for what cannot be seen.
                assert other in marks[one][1]
                assert one in marks[other][1]
            assert [marks[name] for name in ("support", "help desk", "東京", "\u2068מכירות\u2069", "営業\u3000東")] == [["", ""]] * 5
            assert marks["sales⟨U+200B⟩"][0].startswith("≈")
            assert page.complaints == []

    run(check())


@pytest.mark.parametrize(("name", "seen"), SHOWN.items(), ids=range(len(SHOWN)))
def test_names_are_shown_alike_everywhere(name: str, seen: str) -> None:
    """Texts of alerts write a name as the page does."""
    assert visible(name) == seen
    record = AlertRecord.model_validate(orjson.loads(alert(f"queue:{name}")[1]))

    assert f"Queue {seen} (" in texts_of(record, ZoneInfo("UTC"))["text_en"]


def test_nothing_commands_a_terminal() -> None:
    """Escape sequences, in C0 and C1, and marks of direction come out as numbers; a line may be counted up in place; bytes pass."""
    inner = io.StringIO()
    with redirect_stdout(cast("Any", Harmless(inner))):
        sys.stdout.write("\x1b]0;owned\x07\x9b2J\u202e営業\tok\n")
        sys.stdout.writelines(["\r  5 records ", "a\rb\n"])

    assert inner.getvalue() == "⟨U+001B⟩]0;owned⟨U+0007⟩⟨U+009B⟩2J⟨U+202E⟩営業\tok\n\r  5 records a⟨U+000D⟩b\n"
    assert harmless("plain – 営業") == "plain – 営業"


def test_documents_for_programs_agree() -> None:
    """JSON is escaped in its own way and read back as it was."""
    document = {"name": "\u202esales\x9b \U000e0041\x7f 営業 ⟨", "\ufeff": ["\u200b"]}
    text = escaped_json(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())

    assert orjson.loads(text) == document
    assert harmless(text) == text


def test_commands_print_names_without_harm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration that names a queue with an escape sequence is refused without obeying it."""
    path = tmp_path / "center.yaml"
    path.write_text('queues:\n  "\\e[2Jsales\\u202e": {site: nowhere}\n', encoding="utf-8")

    assert cli.main(["check", str(path)]) == 2
    printed = capsys.readouterr()
    assert "\x1b" not in printed.err + printed.out
    assert "\u202e" not in printed.err + printed.out
    assert "⟨U+001B⟩[2Jsales⟨U+202E⟩" in printed.err
