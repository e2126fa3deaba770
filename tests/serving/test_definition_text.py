"""The texts about service levels: sentences written by hand from docs/counting.md section 8, in the API and on the page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from streams.access.views import View
from streams.configuration import Configuration
from streams.configuration.service_level import ServiceLevelDefinition
from streams.serving.definition_text import definition_text
from tests.serving.chromium import Chromium, binary
from tests.serving.records import Backend, client_of, figure, now_record, progress, window
from tests.serving.test_page import run, url
from tests.support.require import require

if TYPE_CHECKING:
    from pathlib import Path

    from streams.catalogue.words import Language
    from streams.serving.api import Serving

TEXTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "standard": (
        {},
        (
            "In time: answered within 20 s. Too late: answered later, still waiting after 20 s (live), abandoned, "
            "no agent signed in (empty), waited too long (timeout). Not counted: other ways out."
        ),
        "目標内：20秒以内の応答。目標超過：それ以降の応答、20秒を超えて待機中（リアルタイム）、放棄、担当者不在、待ち時間超過。対象外：その他の離脱。",
    ),
    "strict": (
        {"threshold_s": 10, "abandon": "positive", "flow_out_negative": []},
        (
            "In time: answered within 10 s, abandoned within 10 s. Too late: answered later, still waiting after 10 s (live), abandoned "
            "later. Not counted: other ways out."
        ),
        "目標内：10秒以内の応答、10秒以内の放棄。目標超過：それ以降の応答、10秒を超えて待機中（リアルタイム）、それ以降の放棄。対象外：その他の離脱。",
    ),
    "chat": (
        {"threshold_s": 30, "abandon": "ignore_in_threshold", "short_abandon_s": 5, "boundary": "lt", "count_at": "outcome"}
        | {"flow_out_negative": [], "flow_out": {"callback": "positive"}},
        (
            "In time: answered in less than 30 s, callback asked within 30 s. Too late: answered later, abandoned later, callback asked "
            "later. Not counted: abandoned within 30 s, abandoned before 5 s, other ways out."
        ),
        (
            "目標内：30秒未満の応答、30秒以内の折り返し依頼。目標超過：それ以降の応答、それ以降の放棄、それ以降の折り返し依頼。"
            "対象外：30秒以内の放棄、5秒未満の放棄、その他の離脱。"
        ),
    ),
    "mail": (
        {"threshold_s": 600, "abandon": "handled_only", "flow_out_negative": []},
        (
            "In time: answered within 600 s. Too late: answered later, still waiting after 600 s (live). "
            "Not counted: abandoned, other ways out."
        ),
        "目標内：600秒以内の応答。目標超過：それ以降の応答、600秒を超えて待機中（リアルタイム）。対象外：放棄、その他の離脱。",
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_sentence(name: str) -> None:
    """Each definition as text: which contacts are in time, too late, and not counted."""
    keys, english, japanese = TEXTS[name]

    assert definition_text(ServiceLevelDefinition.model_validate(keys)) == {"text_en": english, "text_ja": japanese}


CONFIGURATION = Configuration.model_validate(
    {
        "definitions": {"standard": {}, "strict": TEXTS["strict"][0]},
        "queues": {
            "sales": {"channel": "voice", "definitions": ["standard", "strict"], "target": 0.8},
            "claims": {"channel": "voice", "service_level": {"threshold_s": 45}},
        },
    }
)
LEVEL = figure(0.75, 30, 40, 1)


def center() -> Serving:
    """Return a center with two queues of calls, one with two definitions, and a bot, which has no queue."""
    both = {"strict@1": {"service_level_live": figure(0.5, 20, 40, 1), "service_level": figure(0.5, 20, 40, 1)}}
    kpis = {"service_level_live": LEVEL, "service_level": LEVEL}
    names = {"service_level_live": "standard@1", "service_level": "standard@1"}
    alone = {"self_service_rate": figure(0.6, 6, 10, 1), "containment_rate": figure(0.7, 7, 10, 1)}
    backend = Backend.fed(
        [
            progress(),
            window("queue:sales", kpis=kpis, by_definition=both, definitions=names),
            window("queue:sales", name="day", kpis=kpis, window_end="2026-04-01T15:00:00Z", definitions=names),
            window("queue:sales", "bot", name="day", kpis=alone, window_end="2026-04-01T15:00:00Z", definitions={}),
            window("queue:sales", "bot", kpis=alone, definitions={}),
            window("queue:claims", kpis=kpis),
            window("total:all", "bot", kpis=alone, definitions={}),
            *(now_record(f"queue:{name}", waiting=0, in_progress=1) for name in ("sales", "claims")),
            now_record("total:all", waiting=0, in_progress=2),
            now_record("total:all", channel="bot", waiting=0, in_progress=0),
        ]
    )
    serving = backend.serving(targets={"sales": 0.8})
    serving.figures.configuration = CONFIGURATION
    return serving


def test_the_definitions_of_queues_in_the_api() -> None:
    """By queue and channel, the deciding one first; a view of one queue has no definitions of others."""
    figures = center().figures
    document = figures.everything(figures.chosen())
    assert [(each["definition"], each["threshold_seconds"]) for each in document["definitions"]] == [
        ("service_level@1", 45),
        ("standard@1", 20),
        ("strict@1", 10),
    ]
    assert document["judged_by"]["claims"] == {"voice": [0]}
    assert document["judged_by"]["sales"]["voice"] == [1, 2]
    assert document["definitions"][2]["text_en"] == TEXTS["strict"][1]

    part = View(frozenset({"queue:claims"}), None)
    seen = figures.everything(figures.chosen(view=part), part)
    assert seen["judged_by"] == {"claims": {"voice": [0]}}
    assert [each["definition"] for each in seen["definitions"]] == ["service_level@1"]


def test_a_version_takes_effect_with_its_instant() -> None:
    """The page shows the threshold of the current version, not of the one before or after."""
    versions = [{"threshold_s": 20}, {"threshold_s": 15, "version": 2, "effective_from": "2026-04-01T08:00:00+00:00"}]
    later = [*versions, {"threshold_s": 5, "version": 3, "effective_from": "2026-05-01T00:00:00+00:00"}]
    figures = center().figures
    figures.configuration = Configuration.model_validate({"definitions": {"d": later}, "queues": {"sales": {"definitions": ["d"]}}})

    document = figures.everything(figures.chosen())
    assert [document["definitions"][n]["definition"] for n in document["judged_by"]["sales"]["voice"]] == ["d@2"]


def test_the_definitions_of_one_queue_in_the_api() -> None:
    """The day of a queue has its definitions as text, and of a bot its self-service figures, which a queue of calls lacks."""

    async def check() -> None:
        async with client_of(center()) as client:
            intervals = await (await client.get("/api/v1/intervals?queue=sales")).json()
            bot, voice = sorted(intervals["channels"], key=lambda each: each["channel"])
            assert bot["self_service"]["containment_rate"]["value"] == 0.7
            assert voice["self_service"] is None
            # Without a file the endpoint goes by the defaults.
            assert [each["text_en"] for each in voice["definitions"]] == [TEXTS["standard"][1]]

    asyncio.run(check())


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_shows_threshold_and_definition(language: Language, tmp_path: Path) -> None:
    """Target with threshold beside the figure; what the second definition counts by key; no tile and no row of a bot, and why."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")
    beside = {"en": "30 / 40 · target 80 % in 20 s", "ja": "30 / 40 · 目標 20秒以内80%"}[language]
    alone = {"en": "30 / 40 · in 45 s", "ja": "30 / 40 · 45秒以内"}[language]

    async def check() -> None:
        async with client_of(center()) as client, Chromium(width=1400, height=900) as page:
            await page.open(url(client, f"?lang={language}"))
            cell = "document.querySelector('#queues tr[data-queue={queue}][data-channel=voice] td.service_level_live')"
            small = f"{cell}?.querySelector('small').innerText"
            await page.until(f"{small.format(queue='sales')} === {beside!r} && {small.format(queue='claims')} === {alone!r}")
            # By key: the cell is reached by Tab, and what its figures mean is shown with the focus.
            await page.until("document.querySelector('#queues td[tabindex=\"0\"]')")
            await page.ask("document.querySelector('#summary li:last-child').focus()")
            for _ in range(15):
                await page.press("Tab")
                if await page.ask("document.activeElement.tagName") == "TD":
                    break
            if not await page.ask(f"{cell.format(queue='sales')} === document.activeElement"):
                await page.press("ArrowDown")
            text = TEXTS["strict"][1 + (language == "ja")]
            await page.until(f"document.querySelector('#explanation:popover-open')?.innerText.includes({text!r})")
            await page.photograph(tmp_path / f"overview-{language}.png")
            assert await page.ask("document.querySelectorAll('#summary li.channel').length") == 1
            assert await page.ask("[...document.querySelectorAll('#queues [data-channel]')].map(e => e.dataset.channel)") == ["voice"] * 2
            assert await page.ask("document.querySelectorAll('#queues tfoot tr').length") == 1

            await page.open(url(client, f"?lang={language}&view=queue&of=sales&channel=bot"))
            await page.until("document.querySelectorAll('.view.queue .today li b').length === 2")
            text = await page.ask("document.querySelector('.view.queue .today .none').innerText")
            assert text.startswith({"en": "Sessions with a bot or FAQ have no wait", "ja": "ボット・FAQの利用には待ち時間"}[language])
            assert await page.ask("[...document.querySelectorAll('.view.queue .body > section')].every(e => e.hidden)")
            await page.photograph(tmp_path / f"bot-{language}.png")
            await page.open(url(client, f"?lang={language}&view=queue&of=sales&channel=voice"))
            await page.until(
                f"document.querySelector('.view.queue .judges dd')?.innerText === {TEXTS['standard'][1 + (language == 'ja')]!r}"
            )
            await page.photograph(tmp_path / f"queue-{language}.png")
            assert page.complaints == []

    run(check())
