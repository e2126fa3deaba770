"""Topic, API, ``/metrics``, a real Prometheus and the page in a real Chromium agree at the same as-of, for every KPI."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
import yaml

from schemas.times import parse_time_ms
from streams.catalogue import KPI_BY_ID, KPIS
from streams.client import Client
from streams.demo.scrape import Scrape
from streams.serving.agents import agents_topic
from streams.serving.reader import alerts_topic, latest_topic
from tests.agreement.center import AGENTS, FIGURES, Look, configuration, looks, with_targets
from tests.agreement.ways import Place, aged, figure_of_target, of_open_metrics, of_prometheus, of_scrape, of_topic, page_text
from tests.demo.wallboard_reading import READ, Expected, as_of_seconds
from tests.deploy.watched import free_ports, get, running, until_ready
from tests.serving.chromium import Chromium, binary
from tests.serving.topics import bootstrap, make
from tests.support.many_queues import publish
from tests.support.require import require
from tests.support.services import Services, until

if TYPE_CHECKING:
    from pathlib import Path

    from streams.client import TargetsAnswer

__all__ = ["bootstrap"]

PREFIX: Final = "agreement"
#: All windows of the records; by default `serve` exports the trailing ones.
WINDOWS: Final = (
    *(f"trailing_{minutes}m" for minutes in (5, 15, 30, 60)), "interval_15m", "interval_30m", "day", "customers_day", "customers_month",
)  # fmt: skip

# ---- what a way does not show by design

#: KPI → why there is no metric of it.
NOT_IN_METRICS: Final = {
    "handled_per_agent": "of single agents, who have no series",
    "forecast_accuracy": "of intervals that are over alone",
}
#: KPI → why the topics do not have it.
NOT_IN_TOPICS: Final = {"target_attainment": "serve works it out of figures and the configuration"}
#: KPI → why the page has no figure of it here.
NOT_ON_PAGE: Final = {
    "handled_per_agent": "of single people, who are not on the wall",
    "backlog_by_age": "a distribution; the page has its oldest",
    "complaints_within_day_rate": "final when the day is over, which none is here: a dash",
    "repeat_contact_rate": "likewise: a dash",
    "first_contact_resolution_with_repeats": "likewise: a dash",
}
#: Columns of the page's tables that are no target's; `agents_by_state` has one a state, `backlog` is the sum of those beside it.
COLUMNS: Final = {
    "queues": {"service_level_live", "waiting", "longest_wait", "asa", "aht", "abandon_rate"},
    "teams": {"occupancy", *KPI_BY_ID["agents_by_state"].members},
    "backlogs": {
        "backlog", "backlog_untouched", "backlog_in_progress", "backlog_waiting_on_customer", "backlog_on_hold", "backlog_oldest",
        "reply_overdue",
    },
}  # fmt: skip

TARGETS: Final = """[...document.querySelectorAll('#targets tbody tr')].map(row =>
  ['.name b', '[data-kpi=achieved] b', '[data-kpi=target_attainment] b'].map(each => row.querySelector(each)?.innerText))"""


@pytest.fixture(scope="module")
def center() -> tuple[dict[str, Any], list[Look]]:
    """Return the configuration of serve, and the topics at two instants."""
    settings = configuration()
    found = list(looks(settings))
    return with_targets(settings, found[-1].figures.values()), found


def _plain(kpi: str) -> bool:
    return KPI_BY_ID[kpi].label is None


def test_all_there_is_to_compare(center: tuple[dict[str, Any], list[Look]]) -> None:
    """Of each KPI there is a number and, of those that can lack one, a null; the second look differs from the first."""
    _, (first, second) = center
    figures = list(second.figures.values())
    with_value = {place.kpi for place in of_topic(figures, second.as_of_ms)}
    records = [*figures, *second.agents.values()]
    with_value |= {kpi for each in records for kpi, figure in each.get("kpis", {}).items() if figure["value"] is not None and _plain(kpi)}
    assert {kpi.id for kpi in KPIS} - with_value == NOT_IN_TOPICS.keys()
    kinds = {each["scope_kind"] for each in figures if each["kind"] in {"window", "now"}}
    assert kinds == {"queue", "department", "business", "site", "team", "total"}
    assert {each["window"] for each in figures if each["kind"] == "window"} == set(WINDOWS)
    assert sum(each["value"] is None for record in figures for each in record.get("kpis", {}).values()) > 1000
    # A silent source would keep the page from judging.
    assert [each["stale_sources"] for each in figures if each["kind"] == "progress"] == [[]]
    old = of_topic(first.figures.values(), first.as_of_ms)
    assert sum(old.get(place) != value for place, value in of_topic(figures, second.as_of_ms).items()) > 1000


@pytest.mark.embedded
@pytest.mark.browser
def test_five_ways_agree(center: tuple[dict[str, Any], list[Look]], bootstrap: str, tmp_path: Path) -> None:
    """What the page followed from the first look on, and what was asked for after the second, are the same numbers."""
    require(binary(), "the page is tested in Chromium: apt-get install chromium")
    require(shutil.which("prometheus"), "prometheus scrapes: apt-get install prometheus")
    settings, (first, second) = center
    path = tmp_path / "center.yaml"
    path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    asyncio.run(asyncio.wait_for(_compare(bootstrap, tmp_path, path, first, second), 90))


async def _compare(bootstrap: str, folder: Path, path: Path, first: Look, second: Look) -> None:
    for name in (latest_topic(PREFIX), agents_topic(PREFIX), alerts_topic(PREFIX)):
        await make(bootstrap, name)
    await _feed(bootstrap, first)
    with ExitStack() as stack:
        services = stack.enter_context(Services(folder, bootstrap, PREFIX, path))
        services.run("serve", "--agents", "--windows", ",".join(WINDOWS))
        await services.ready("serve")
        address = services.addresses["serve"]
        prometheus = stack.enter_context(_Prometheus(folder, address.removeprefix("http://")))
        async with Client(address) as client, aiohttp.ClientSession() as session, Chromium(width=1920, height=1080) as page:
            await page.open(address + "/")
            await page.until("document.querySelectorAll('#queues tbody tr').length >= 7", seconds=30)
            await page.until(f"({READ}).as_of === {first.as_of_ms / 1000}", seconds=15)
            await _feed(bootstrap, second)

            async def arrived() -> bool:
                answer = await client.figures()
                return {key: each.revision for key, each in answer.records.items()} == {
                    key: each["revision"] for key, each in second.figures.items()
                } and (await client.agents()).agents is not None

            await until(arrived, 20)
            await asyncio.sleep(2.1)  # what targets are judged by is kept for two seconds
            await _api(address, client, session, second)
            targets = await client.targets()
            plain, scrape = await _metrics(address, session, second, targets)
            stored = of_prometheus(await asyncio.to_thread(prometheus.series))
            assert as_of_seconds(stored) == second.as_of_ms / 1000
            assert of_scrape(stored) == plain
            await _page(page, scrape, second, targets)
            assert page.complaints == []


async def _feed(bootstrap: str, look: Look) -> None:
    await publish(bootstrap, PREFIX, look.topics[AGENTS], into=agents_topic(PREFIX))
    await publish(bootstrap, PREFIX, look.topics[FIGURES], into=latest_topic(PREFIX))


async def _api(address: str, client: Client, session: aiohttp.ClientSession, look: Look) -> None:
    """The API and its client have every record as in the topic; what ages is reckoned at as-of."""
    expected = look.figures
    for record in expected.values():
        if record["kind"] == "now":
            record["longest_wait_seconds"] = aged(record, "longest_wait", look.as_of_ms)
            if record.get("backlog_oldest_since") is not None:
                record["backlog_oldest_seconds"] = aged(record, "backlog_oldest", look.as_of_ms)
    async with session.get(f"{address}/api/v1/figures") as answer:
        served = await answer.json()
    assert parse_time_ms(served["as_of"]) == look.as_of_ms
    for record in served["records"].values():
        record.pop("backlog_oldest_grows", None)  # for the page, which ages it between two messages
    assert served["records"] == expected
    typed = await client.figures()
    assert parse_time_ms(typed.as_of or "") == look.as_of_ms
    for key, record in expected.items():
        served_record = typed.records[key].model_dump()
        assert {name: served_record[name] for name in record} == record, key
    people = (await client.agents()).agents
    assert people is not None
    served_agents = [each.model_dump(include=set(record)) for each, record in zip(people, look.agents.values(), strict=True)]
    assert served_agents == list(look.agents.values())


async def _metrics(address: str, session: aiohttp.ClientSession, look: Look, targets: TargetsAnswer) -> tuple[dict[Place, float], Scrape]:
    """Both formats have each figure of the topic and no other, and each target's attainment as the API has it."""
    expected = of_topic(look.figures.values(), look.as_of_ms, NOT_IN_METRICS)
    for each in targets.targets:
        window = "now" if each.window is None else each.window.removeprefix("trailing_")
        for part, value in each.attainment.model_dump().items():
            if value is not None:
                place = Place("target_attainment", part, f"{each.scope_kind}:{each.scope}", each.channel, window, None, each.kpi)
                expected[place] = float(value)
    read = {}
    for name, accept in (("text", "text/plain"), ("open", "application/openmetrics-text; version=1.0.0")):
        async with session.get(f"{address}/metrics", headers={"Accept": accept}) as answer:
            assert answer.content_type == accept.partition(";")[0]
            text = await answer.text()
        read[name] = Scrape(text) if name == "text" else of_open_metrics(text)
        assert as_of_seconds(read[name]) == look.as_of_ms / 1000
        assert _unequal(of_scrape(read[name]), expected) == []
    assert {place.kpi for place in expected} == {kpi.id for kpi in KPIS} - NOT_IN_METRICS.keys()
    return of_scrape(read["text"]), read["text"]


def _unequal(is_: dict[Place, float], should: dict[Place, float]) -> list[str]:
    keys = [key for key in {**should, **is_} if is_.get(key) != should.get(key)]
    return [f"{key}: {is_.get(key)}, should be {should.get(key)}" for key in keys][:20]


class _Prometheus(ExitStack):
    """A real one that scrapes serve."""

    def __init__(self, folder: Path, target: str) -> None:
        super().__init__()
        (port,) = free_ports(1)
        self._url, self._log = f"http://127.0.0.1:{port}", folder / "prometheus.log"
        scraping = {"job_name": "serve", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [scraping]}), encoding="utf-8")
        command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
        self.enter_context(running("prometheus", [*command, f"--web.listen-address=127.0.0.1:{port}"], folder))
        until_ready(f"{self._url}/-/ready", self._log)

    def series(self) -> list[dict[str, Any]]:
        """Return all series of ours as of a scrape that began after this call."""
        began = self._ask("time()")[1]
        while True:
            last = self._ask("timestamp(contact_center_as_of_timestamp_seconds)")
            if last and float(last[0]["value"][1]) > float(began):
                return list(self._ask('{__name__=~"contact_center_.+"}'))

    def _ask(self, expression: str) -> Any:
        answer = json.loads(get(f"{self._url}/api/v1/query", query=expression))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]


async def _page(page: Chromium, scrape: Scrape, look: Look, targets: TargetsAnswer) -> None:
    """Each cell has the text of its number, by the catalogue's unit; there is a figure of every KPI but those of the list."""
    await page.until(f"({READ}).as_of === {look.as_of_ms / 1000}", seconds=15)
    # It asks for targets every five seconds.
    of_none = [each for each in targets.targets if not each.of_queue]
    expected = [
        [
            label[:1].upper() + label[1:],
            page_text(each.kpi, each.figure.value, each.low if each.target is None else each.target),
            page_text("target_attainment", each.attainment.value),
        ]
        for each in of_none
        for label in [KPI_BY_ID[each.kpi].en]
    ]
    await until(lambda: _same(page, expected), 12, lambda: "the targets of the page are others")
    shown = await page.ask(READ)
    assert Expected(scrape, "en").differences(shown) == []
    for table, columns in COLUMNS.items():
        assert {kpi for row in shown[table] for kpi in row["figures"]} == columns

    records = list(look.figures.values())
    for each in of_none:
        assert each.figure.value == figure_of_target(each, records, look.as_of_ms), each.kpi
    on_page = {kpi for columns in COLUMNS.values() for kpi in columns if kpi in KPI_BY_ID} | {"agents_by_state", "target_attainment"}
    on_page |= {each.kpi for each in of_none if each.figure.value is not None}
    assert {kpi.id for kpi in KPIS} - on_page == NOT_ON_PAGE.keys()


async def _same(page: Chromium, expected: list[list[str]]) -> bool:
    return bool(await page.ask(TARGETS) == expected)
