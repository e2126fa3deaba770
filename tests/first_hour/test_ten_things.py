"""The ten things that would make an operations manager choose the page: each in a real browser, at most three clicks from the overview."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from streams.catalogue import LANGUAGES
from tests.first_hour.asking import Asking, Hands, asking, center, table_of
from tests.serving.chromium import binary
from tests.serving.login.desk import PASSWORD, Desk, access_of, user_entry
from tests.serving.test_dense_wall import backend, queue, targets
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.catalogue.words import Language

pytestmark = pytest.mark.browser

#: By the number of the thing: what is looked for → the clicks to it. docs/operations.md has the same.
THINGS: Final[dict[str, tuple[str, ...]]] = {
    "The contacts behind a figure": ("the figure",),
    "Who gave up, and has got through since": ("*Contacts*", "*Have got through since*"),
    "People: state, reason, time in state, too-long marks; of a team alone": ("*People*", "*Team*", "an entry of the list"),
    "Today by queue: 着信数, 応答率, service level, and what restores the target": ("*Today's targets*",),
    "Alerts with their figure of now": (),
    "All alerts": ("*2 more*",),
    "Acknowledging an alert": ("*Alerts*", "*Acknowledge*", "*Acknowledge* in the dialog"),
    "Sound and flash when an alert fires": ("*Alerts*", "*sound*", "*flash*"),
    "A source that has fallen silent, and whose figures lack it": (),
    "Every source with a sentence": ("*More*", "*Data quality*"),
    "A dense wall with totals": ("*Wall*",),
    "A heat map of 60 queues": ("*Heat map*",),
    "One queue large on a wall": ("its name in the search", "*Wall*"),
    "An interval of the day: volume, AHT, staff": ("the queue's day", "the column"),
    "The whole board as it was then": ("the queue's day", "the column", "*All queues at that time*"),
    "The whole board as it was at any time": ("*Earlier*", "*Interval*", "an entry of the list"),
    "Voice, chat and mail separately": (),
    "One more column": ("*Columns*", "the figure", "*Close*"),
    "A column first": ("*Columns*", "*⇤*", "*Close*"),
    "The order of rows by a figure": ("the heading",),
    "The queues of a site": ("*Site*", "an entry of the list"),
    "The queues of a department": ("*Department*", "an entry of the list"),
    "Queues by a part of their name": ("the search",),
    "Required and actual staff": ("*Outlook*",),
    "A login": ("the name", "the password", "*Log in*"),
}


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """Run the center, one of 60 queues, and one behind a door; and the browser."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")
    whole = center(tmp_path_factory.mktemp("center"))
    sixty = backend(60, alerts=2).serving(targets=targets(60))
    guarded = Desk(access_of(users={"yuki": user_entry()}, smallest_group=1)).serving()
    with asking(center=whole, sixty=sixty, guarded=guarded) as found:
        yield found


# In Japanese the ten questions click on headings by day; all of these do in the night.
@pytest.fixture(params=[LANGUAGES[0], *(pytest.param(each, marks=pytest.mark.nightly) for each in LANGUAGES[1:])])
def language(request: pytest.FixtureRequest) -> Language:
    """Return each of the languages."""
    found: Language = request.param
    return found


SALES: Final = "#queues[data-opens] tr[data-queue=sales] td"


async def names(hands: Hands) -> list[str]:
    """Return the queues of the table, from top to bottom."""
    return [row[0][0] for row in await hands.rows("#queues tbody tr")]


async def queues_are(hands: Hands, *expected: str) -> None:
    """Wait until the table has these queues, from top to bottom."""
    shown = "[...document.querySelectorAll('#queues tbody tr')].filter(e => e.checkVisibility()).map(e => e.dataset.queue).join()"
    await hands.page.until(f"{shown} === {','.join(expected)!r}")


BY_DAY, BY_NIGHT = ("service_level_live", "waiting"), ("longest_wait", "asa", "aht", "abandon_rate")


@pytest.mark.parametrize("kpi", [*BY_DAY, *(pytest.param(each, marks=pytest.mark.nightly) for each in BY_NIGHT)])
def test_a_figure_opens_its_contacts(ask: Asking, language: Language, kpi: str) -> None:
    """Each of the usual columns: abandoned first; of who waits now the one; of AHT that none is over yet."""

    async def answer(hands: Hands) -> None:
        await hands.click("the figure", f"{SALES}.{kpi}")
        if kpi == "aht":
            assert hands.words["contacts.empty"] in await hands.text(".view.contacts .behind > .none", hands.words["contacts.empty"])
            return
        contacts = {row[0][0]: row[1][0] for row in await hands.rows(".view.contacts .behind tbody tr")}
        if kpi in {"waiting", "longest_wait"}:
            assert contacts == {"call-7": hands.words["outcome.waiting"]}
        elif kpi == "asa":
            assert contacts == {"call-6": hands.words["outcome.answered"]}
        else:
            abandoned = [name for name, outcome in contacts.items() if outcome == f"▼ {hands.words['outcome.abandoned']}"]
            assert abandoned == ["call-5", "call-4", "call-3", "call-2"]

    ask(THINGS["The contacts behind a figure"], language, answer, picture=f"behind-{kpi}")


def test_abandoned_callers_and_those_reached_since(ask: Asking, language: Language) -> None:
    """Of each its queue, when, how long it waited; the caller who was reached at 08:55 is listed separately."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Contacts*", "#views a", hands.word("view.contacts"))
        rows = await hands.rows(".view.contacts .to-call > .wide tbody tr", 3)
        ago = hands.words["contacts.ago"]
        assert [(row[1][0], row[2][0]) for row in rows] == [
            ("sales", ago.format(age=hands.words["minutes"].format(n=n))) for n in (2, 7, 37)
        ]
        await hands.click("*Have got through since*", ".view.contacts .to-call summary", hands.words["contacts.reached"].format(n=1))
        assert [row[0][0] for row in await hands.rows(".view.contacts .to-call details tbody tr")] == ["call-4"]

    ask(THINGS["Who gave up, and has got through since"], language, answer, picture="reached")


def test_people_of_a_team(ask: Asking, language: Language) -> None:
    """Goto's state is the platform's word for a blood donation since 08:10; hara talks since 08:59:30; kato has signed out."""

    async def answer(hands: Hands) -> None:
        await hands.click("*People*", "#views a", hands.word("view.people"))
        await hands.rows(".view.people tbody tr", 10)
        await hands.choose("*Team*", ".view.people .choices select", "south")
        rows = {row[0][0]: row for row in await hands.rows(".view.people tbody tr", 4)}
        assert rows["goto"][1:3] == [
            [f"■ {hands.words['state.unavailable']}", "Blutspende"],
            ["▲ 50:00", hands.words["people.too_long"].format(limit="30:00")],
        ]
        assert (rows["hara"][1][0], rows["hara"][2][0]) == (f"● {hands.words['state.handling']}", "0:30")
        assert "kato" not in rows

    ask(THINGS["People: state, reason, time in state, too-long marks; of a team alone"], language, answer, picture="team")


def test_today_by_queue(ask: Asking, language: Language) -> None:
    """Sales: 250 came, 225 of 240 answered, 210 of 250 in time; 150 more in a row make 360 of 400."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Today's targets*", "#views a", hands.word("view.goals"))
        rows = {row[0][0]: row for row in await hands.rows(".by_queue tbody tr", 5)}
        seconds = {"en": "20 s", "ja": "20秒"}[language]
        within = hands.words["within"].format(time=seconds)
        restored = hands.words["goals.restore"].format(n=150, seconds=seconds, target=hands.percent("90"))
        assert rows["sales"][1:4] == [["250"], ["15"], [hands.percent("93.8"), "225 / 240"]]
        assert rows["sales"][4:] == [[f"▼ {hands.percent('84.0')}", "210 / 250"], [hands.percent("90"), within], [restored]]

    ask(THINGS["Today by queue: 着信数, 応答率, service level, and what restores the target"], language, answer, picture="today")


def test_alerts_name_their_figure(ask: Asking, language: Language) -> None:
    """An alert that fired at 55 % shows 62 %, of which figure, and which target is missed."""

    async def answer(hands: Hands) -> None:
        (first, *_) = await hands.rows("#alerts li", 6)
        missed = hands.words["alert.target"].format(value=hands.percent("90"))
        seen_text = hands.words["alert.says"].format(kpi=hands.kpi("service_level"), value=hands.percent("62.0"), condition=missed)
        assert seen_text in [line for cell in first for line in cell]

    ask(THINGS["Alerts with their figure of now"], language, answer, picture="alerts")


def test_all_alerts(ask: Asking, language: Language) -> None:
    """Eight, of which six fit."""

    async def answer(hands: Hands) -> None:
        await hands.click("*2 more*", "#alerts .more", hands.words["alert.more"].format(n=2))
        rows = await hands.rows("dialog[open] li", 8)
        texts = [" ".join(line for cell in row for line in cell) for row in rows]
        assert [sum(name in line for line in texts) for name in ("sales", "vip", "billing", "claims", "desk", "support", "letters")] == [
            2, 1, 1, 1, 1, 1, 1,
        ]  # fmt: skip

    ask(THINGS["All alerts"], language, answer, picture="all-alerts")


def test_an_alert_is_acknowledged(ask: Asking, language: Language) -> None:
    """Of vip, or in the night of billing: it shows that an operator handles it."""
    name = {"en": "vip", "ja": "billing"}[language]
    item = f".view.alerts .firing li:has(.where[title^={name}])"

    async def answer(hands: Hands) -> None:
        await hands.click("*Alerts*", "#views a", hands.word("view.alerts"))
        await hands.click("*Acknowledge*", f"{item} button", hands.words["acknowledge"])
        await hands.click("*Acknowledge* in the dialog", "dialog[open] button[type=submit]")
        await hands.text(f"{item} .seen", hands.words["alert.acknowledged_unnamed"])

    ask(THINGS["Acknowledging an alert"], language, answer, picture="acknowledged")


def test_sound_and_flash(ask: Asking, language: Language) -> None:
    """Both are on, and in the address, so that a wall can be sent it."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Alerts*", "#views a", hands.word("view.alerts"))
        for way in ("sound", "flash"):
            await hands.click(f"*{way}*", f".attention label:has([name={way}])", hands.words[f"attention.{way}"])
            await hands.page.until(f"document.querySelector('[name={way}]').checked && location.search.includes('{way}=on')")

    ask(THINGS["Sound and flash when an alert fires"], language, answer, picture="attention")


def test_a_silence_is_seen(ask: Asking, language: Language) -> None:
    """Mail, since eight: in a sentence above all, and at claims and letters, which it feeds; not at sales."""

    async def answer(hands: Hands) -> None:
        await hands.text("#silent", "mail")
        texts = {row[0][0]: row[0] for row in await hands.rows("#queues tbody tr", 7)}
        mark = hands.words["silent_since"].format(sources="mail", time="08:00:00")
        assert [name for name, lines in texts.items() if any(mark in line for line in lines)] == ["claims", "letters"]

    ask(THINGS["A source that has fallen silent, and whose figures lack it"], language, answer, picture="silence")


def test_every_source_with_a_sentence(ask: Asking, language: Language) -> None:
    """Five, those that need action first."""

    async def answer(hands: Hands) -> None:
        # On a laptop; where there is room it is on the line.
        await hands.click("*More*", "#views .rest button")
        await hands.click("*Data quality*", "#views a", hands.word("view.quality"))
        rows = await hands.rows(".sources tbody tr", 5)
        assert [row[0][0] for row in rows] == ["chat", "mail", "never", "cdr", "pbx"]
        seen_text = {
            "en": "mail has sent nothing since 08:00:00 UTC, for 1 h: figures of claims, letters",
            "ja": "mail：08:00:00 UTCから1時間受信がありません。claims、lettersの数値",
        }
        assert rows[1][3][0].startswith(seen_text[language])

    ask(THINGS["Every source with a sentence"], language, answer, picture="quality")


def test_a_dense_wall(ask: Asking, language: Language) -> None:
    """12 to 20 rows at once, of these three totals, one a channel."""

    async def answer(hands: Hands) -> None:
        await hands.page.resize(1920, 1080)
        await hands.click("*Wall*", "#views a", hands.word("view.wall"))
        totals = await hands.rows("#queues tfoot tr", 3)
        assert [row[0][0] for row in totals] == [
            f"{hands.words['scope.total']} · {hands.words[f'channel.{each}']}" for each in ("voice", "chat", "mail")
        ]
        await hands.page.until("document.querySelector('#queues tbody tr.turned')")
        assert 12 <= len(totals) + len(await hands.rows("#queues tbody tr")) <= 20

    ask(THINGS["A dense wall with totals"], language, answer, server="sixty", picture="wall")


def test_a_heat_map(ask: Asking, language: Language) -> None:
    """60 queues and three totals on one page; the worst of calls, 43 of 100, comes first after their total."""

    async def answer(hands: Hands) -> None:
        await hands.page.resize(1920, 1080)
        await hands.click("*Heat map*", "#views a", hands.word("view.map"))
        cells = await hands.rows("#map li", 63)
        assert "".join(cells[1][0]).startswith(queue(57)[:8])
        assert cells[1][1] == [hands.percent("43.0").replace(" ", "")]

    ask(THINGS["A heat map of 60 queues"], language, answer, server="sixty", picture="map")


def test_one_queue_large(ask: Asking, language: Language) -> None:
    """Its service level is the largest thing on the screen."""

    async def answer(hands: Hands) -> None:
        await hands.page.resize(1920, 1080)
        await hands.rows("#queues tbody tr", 60)
        await hands.fill("its name in the search", ".choice.search input", "claims 05")
        await hands.rows("#queues tbody tr", 1)
        await hands.click("*Wall*", "#views a", hands.word("view.wall"))
        await hands.page.until("document.querySelectorAll('.one #queues tbody tr').length === 1")
        level = "document.querySelector('#queues td.service_level_live > b')"
        assert await hands.page.ask(f"{level}.innerText") == hands.percent("95.0")
        assert await hands.page.ask(f"{level}.getBoundingClientRect().height") > 150

    ask(THINGS["One queue large on a wall"], language, answer, server="sixty", picture="one")


async def eight(hands: Hands) -> None:
    """Open the quarter of an hour of eight of sales."""
    await hands.click("the queue's day", f"{SALES}.trend")
    await hands.click("the column", ".view.queue .course .u-over", across=8.5 / 12)
    await hands.rows(".opened tbody tr")


def test_a_column_opens(ask: Asking, language: Language) -> None:
    """30 came, six minutes each, 8 people were there; and what is usual of that day."""

    async def answer(hands: Hands) -> None:
        await eight(hands)
        values = [row[1:3] for row in await hands.rows(".opened tbody tr")]
        assert values[:4] == [
            [[hands.percent("40.0"), "12 / 30"], [hands.percent("90.0")]],
            [["30"], ["20"]],
            [["6:00"], ["5:00"]],
            [["8"], ["10"]],
        ]

    ask(THINGS["An interval of the day: volume, AHT, staff"], language, answer, picture="column")


#: At eight: of sales 12 of 30 in time, of desk 20 came and no level is known.
async def board_at_eight(hands: Hands) -> None:
    """Look at all queues of that quarter of an hour."""
    await hands.text(".view.earlier .span", {"en": "08:00 to 08:15", "ja": "08:00〜08:15"}[hands.language])
    rows = {row[0][0]: row for row in await hands.rows(".view.earlier .by_queue tbody tr", 2)}
    assert rows["sales"][1:5] == [["30"], ["28"], ["2"], [hands.percent("93.3"), "28 / 30"]]
    assert rows["sales"][5:7] == [[f"▼ {hands.percent('40.0')}", "12 / 30"], [hands.percent("90")]]
    assert rows["desk"][1] == ["20"]


def test_the_board_as_it_was_then(ask: Asking, language: Language) -> None:
    """From the column to all queues."""

    async def answer(hands: Hands) -> None:
        await eight(hands)
        await hands.click("*All queues at that time*", ".opened a", hands.words["dip.all_queues"])
        await board_at_eight(hands)

    ask(THINGS["The whole board as it was then"], language, answer, picture="then")


def test_the_board_as_it_was_at_any_time(ask: Asking, language: Language) -> None:
    """It begins with the last interval that is over, and goes back as far as they are held."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Earlier*", "#views a", hands.word("view.earlier"))
        await hands.text(".view.earlier .span", "45")
        await hands.choose("*Interval*", ".view.earlier .choices select", "2026-04-01T08:00:00.000Z")
        await board_at_eight(hands)

    ask(THINGS["The whole board as it was at any time"], language, answer, picture="earlier")


def test_channels_are_shown_separately(ask: Asking, language: Language) -> None:
    """Each tile and each total is of one channel: 2 wait at the telephone, 3 in chats since 5 minutes, a mail for three hours."""

    async def answer(hands: Hands) -> None:
        tiles = {tile[0][0]: [cell for cell in tile[1] if cell[0].isdigit()] for tile in await hands.rows("#summary li.channel", 3)}
        channels = [hands.words[f"channel.{each}"] for each in ("voice", "chat", "mail")]
        assert tiles == {channels[0]: ["2", "0:41", "9"], channels[1]: ["3", "5:00", "4"], channels[2]: ["1", "3:00:00", "0"]}
        totals = [row[0][0] for row in await hands.rows("#queues tfoot tr", 3)]
        assert totals == [f"{hands.words['scope.total']} · {each}" for each in channels]

    ask(THINGS["Voice, chat and mail separately"], language, answer, picture="channels")


def test_one_more_column(ask: Asking, language: Language) -> None:
    """The table has it at its end while the panel is still open; 45 were answered in sales."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Columns*", "button.columns", hands.words["columns"])
        await hands.click("the figure", "dialog[open] .add", f"+ {hands.kpi('answered')}")
        await hands.click("*Close*", "dialog[open] .close", hands.words["close"])
        await hands.page.until("!document.querySelector('dialog[open]')")
        head = (await hands.rows("#queues thead tr"))[0]
        assert (len(head), head[-1]) == (9, [hands.kpi("answered")])
        rows = await hands.rows("#queues tbody tr", 7)
        assert [row[0][0] for row in rows] == ["billing", "claims", "desk", "letters", "sales", "support", "vip"]
        assert rows[4][-1] == ["45"]

    ask(THINGS["One more column"], language, answer, picture="column-more")


def test_a_column_first(ask: Asking, language: Language) -> None:
    """The last becomes the first."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Columns*", "button.columns", hands.words["columns"])
        await hands.click("*⇤*", "dialog[open] li[data-kpi=abandon_rate] .first", "⇤")
        await hands.click("*Close*", "dialog[open] .close", hands.words["close"])
        assert (await hands.rows("#queues thead tr"))[0][1] == [hands.kpi("abandon_rate")]

    ask(THINGS["A column first"], language, answer, picture="column-first")


def test_rows_by_a_figure(ask: Asking, language: Language) -> None:
    """By who waits: three chats, two calls, a mail; where no one waits, by name."""

    async def answer(hands: Hands) -> None:
        await hands.rows("#queues tbody tr", 7)
        await hands.click("the heading", "#queues thead .waiting button")
        await queues_are(hands, "support", "sales", "letters", "billing", "claims", "desk", "vip")
        assert await hands.page.ask("document.querySelector('#queues thead .waiting').ariaSort") == "descending"

    ask(THINGS["The order of rows by a figure"], language, answer, picture="order")


def test_the_queues_of_a_site(ask: Asking, language: Language) -> None:
    """Three of seven, and its team."""

    async def answer(hands: Hands) -> None:
        await hands.rows("#queues tbody tr", 7)
        await hands.choose("*Site*", ".choice.site select", "tokyo")
        await queues_are(hands, "desk", "sales", "support")
        assert [row[0][0] for row in await hands.rows("#teams tbody tr")] == ["north"]

    ask(THINGS["The queues of a site"], language, answer, picture="site")


def test_the_queues_of_a_department(ask: Asking, language: Language) -> None:
    """Chat and mail."""

    async def answer(hands: Hands) -> None:
        await hands.rows("#queues tbody tr", 7)
        await hands.choose("*Department*", ".choice.department select", "written")
        await queues_are(hands, "letters", "support")

    ask(THINGS["The queues of a department"], language, answer, picture="department")


def test_queues_by_a_part_of_their_name(ask: Asking, language: Language) -> None:
    """In capitals or not."""

    async def answer(hands: Hands) -> None:
        await hands.rows("#queues tbody tr", 7)
        await hands.fill("the search", ".choice.search input", "LE")
        await queues_are(hands, "letters", "sales")

    ask(THINGS["Queues by a part of their name"], language, answer, picture="search")


def test_required_and_actual_staff(ask: Asking, language: Language) -> None:
    """Beside what each queue needs are the agents with a contact, and the free agents."""

    async def answer(hands: Hands) -> None:
        await hands.click("*Outlook*", "#views a", hands.word("view.outlook"))
        assert await hands.text(".view.outlook .staff") == hands.words["outlook.staff"].format(busy=8, free=2)
        desk = next(row for row in await hands.rows(".view.outlook tbody tr") if row[0][0] == "desk")
        assert (desk[1][0], desk[2][0]) == ("8", "8")

    ask(THINGS["Required and actual staff"], language, answer, picture="staff-now")


def test_a_login(ask: Asking, language: Language) -> None:
    """A viewer without a login is led to it, and from there to the overview, which names the viewer."""

    async def answer(hands: Hands) -> None:
        await hands.page.until("document.querySelector('#name')")
        await hands.fill("the name", "#name", "yuki")
        await hands.fill("the password", "#password", PASSWORD)
        await hands.click("*Log in*", "form button[type=submit], form button:not([type])")
        assert await hands.text("#session", "yuki")
        await hands.rows("#queues tbody tr", 2)
        hands.page.complaints[:] = [each for each in hands.page.complaints if "401" not in each]

    ask(THINGS["A login"], language, answer, server="guarded", picture="login")


def test_the_page_about_operations_lists_them() -> None:
    """As they are looked for here."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    assert table_of(THINGS) in text
