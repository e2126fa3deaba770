"""The demo's proof: it finds and reports a figure that is wrong or missing; and the table it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streams.catalogue import KPI_BY_ID, metrics_of
from streams.configuration import Configuration
from streams.demo.recounting import compare, load_oracle
from streams.demo.report import alerts, missing_figures, table
from streams.demo.scrape import Scrape
from streams.demo.simulator.center import QUEUES, TEAMS

if TYPE_CHECKING:
    from streams.catalogue.prometheus import Part

ASA = KPI_BY_ID["asa"].metric
FIGURE: dict[Part, float] = {"value": 12.5, "numerator": 50.0, "denominator": 4.0, "coverage": 1.0}
LABELS = 'scope_kind="queue",scope="Orders",channel="voice",window="15m"'


#: When the interval began that the recount counted anything in last.
BEFORE_MS = 1_795_305_600_000


class FakeRecount:
    """A recount that knows one queue's speed of answer."""

    as_of_ms: int | None = 0
    complete_through_ms: int | None = 0

    def scopes(self) -> list[tuple[str, str | None]]:
        """See Recount."""
        return [("queue:Orders", "voice")]

    def window(self, scope: str, channel: str | None, name: str, start_ms: int | None = None) -> dict[str, dict[str, float | None]]:
        """See Recount."""
        if name == "interval_30m":
            return {"asa": {str(part): value if start_ms == BEFORE_MS else 0 for part, value in FIGURE.items()}}
        return {"asa": {str(part): value for part, value in FIGURE.items()}} if name == "trailing_15m" else {}

    def intervals(self, scope: str, channel: str | None, minutes: int) -> dict[int, None]:
        """See Recount: nothing was counted since the interval before the one of as-of."""
        return {BEFORE_MS - 1_800_000: None, BEFORE_MS: None}

    def by_label(
        self, scope: str, channel: str | None, name: str, start_ms: int | None = None
    ) -> dict[str, dict[str, dict[str, float | None]]]:
        """See Recount."""
        full: dict[str, float | None] = {"value": 4, "numerator": 4, "denominator": None, "coverage": None}
        return {"not_offered": {"full": full}} if name == "trailing_15m" else {}

    def age_ms(self, scope: str, since_ms: int, as_of_ms: int) -> int:
        return as_of_ms - since_ms

    def now(self, scope: str, channel: str | None) -> dict[str, Any]:
        """See Recount."""
        if channel is None:
            return {"agents_by_state": {"idle": 3}}
        return {"waiting": 2, "longest_wait_seconds": None, "in_progress": 1}

    def targets(self) -> dict[tuple[str, str, str, str], dict[str, float | None]]:
        """See Recount."""
        return {("asa", "queue:Orders", "", "trailing_15m"): {"value": 1.6, "numerator": 20.0, "denominator": 12.5, "coverage": 1.0}}


def scrape_of(values: dict[Part, float], more: str = "") -> Scrape:
    """Return a scrape with parts of the speed of answer."""
    parts = {metric.part: metric.name for metric in metrics_of(KPI_BY_ID["asa"])}
    return Scrape("".join(f"{parts[part]}{{{LABELS}}} {value!r}\n" for part, value in values.items()) + more)


def served(changed: dict[Part, float] | None = None) -> dict[Part, float]:
    """Return the parts as they should be served, with changes."""
    parts = {metric.part for metric in metrics_of(KPI_BY_ID["asa"])}
    return {part: value for part, value in FIGURE.items() if part in parts} | (changed or {})


def test_equal_figures() -> None:
    """Equal figures are counted as equal, and nothing else is reported."""
    comparison = compare(scrape_of(served(), attained(1.6)), FakeRecount(), Configuration())

    assert comparison.differences == []
    assert comparison.equal == len(served()) + 1 >= 4


def attained(value: float) -> str:
    """Return the sample of a target's attainment."""
    metric = KPI_BY_ID["target_attainment"].metric
    return f'{metric}{{kpi="asa",scope_kind="queue",scope="Orders",channel="",window="15m"}} {value}\n'


def test_targets_are_compared() -> None:
    """An attainment that differs and one that is not served are found, and the figure itself is not taken for it."""
    (wrong,) = compare(scrape_of(served(), attained(1.5)), FakeRecount(), Configuration()).differences
    (missing,) = compare(scrape_of(served()), FakeRecount(), Configuration()).differences

    assert wrong == "target_attainment value of asa queue:Orders 15m: served 1.5, recounted 1.6"
    assert missing == "target_attainment of asa queue:Orders  trailing_15m: not served, recounted 1.6"


@pytest.mark.parametrize("part", ["value", "numerator", "denominator"])
def test_wrong_part(part: Part) -> None:
    """A wrong part of a figure is found and named, with both numbers."""
    comparison = compare(scrape_of(served({part: 13.0}), attained(1.6)), FakeRecount(), Configuration())

    (difference,) = comparison.differences
    assert f"asa {part} of queue:Orders voice 15m" in difference
    assert "13.0" in difference


def test_missing_figure() -> None:
    """A figure that is recounted and not served is found."""
    other = f'{KPI_BY_ID["asa"].metric}{{scope_kind="queue",scope="Returns",channel="voice",window="15m"}} 12.5\n'
    comparison = compare(Scrape(other), FakeRecount(), Configuration())

    assert "asa of queue:Orders voice 15m: not served, recounted 12.5" in comparison.differences


def test_figures_of_now() -> None:
    """The present is compared too: counts, states, and that no contact waits."""
    waiting, states = KPI_BY_ID["waiting"].metric, KPI_BY_ID["agents_by_state"].metric
    longest = KPI_BY_ID["longest_wait"].metric
    contacts = 'scope_kind="queue",scope="Orders",channel="voice"'
    right = f'{waiting}{{{contacts}}} 2\n{states}{{scope_kind="team",scope="A",state="idle"}} 3\n'
    wrong = f'{waiting}{{{contacts}}} 3\n{states}{{scope_kind="team",scope="A",state="handling"}} 1\n{longest}{{{contacts}}} 4\n'

    assert compare(Scrape(right + attained(1.6)), FakeRecount(), Configuration()).differences == []
    assert len(compare(Scrape(wrong + attained(1.6)), FakeRecount(), Configuration()).differences) == 3


def test_an_interval_without_contacts() -> None:
    """Where nothing has come since the interval before, that one is served still, and compared."""
    earlier = scrape_of(served(), attained(1.6) + "".join(f"{sample}\n" for sample in samples_of("interval_30m")))

    assert compare(earlier, FakeRecount(), Configuration()).differences == []


def samples_of(window: str) -> list[str]:
    """Return the parts of the speed of answer in another window."""
    labels = LABELS.replace('window="15m"', f'window="{window}"')
    return [f"{metric.name}{{{labels}}} {FIGURE[metric.part]!r}" for metric in metrics_of(KPI_BY_ID["asa"])]


def test_figures_by_label() -> None:
    """What is served by reason is compared reason by reason."""
    name = KPI_BY_ID["not_offered"].metric
    right = f'{name}{{{LABELS},reason="full"}} 4\n'
    wrong = right.replace('"full"} 4', '"full"} 3') + f'{name}{{{LABELS},reason="busy"}} 1\n'

    assert compare(scrape_of(served(), attained(1.6) + right), FakeRecount(), Configuration()).differences == []
    assert len(compare(scrape_of(served(), attained(1.6) + wrong), FakeRecount(), Configuration()).differences) == 2


def test_oracle_of_the_checkout() -> None:
    """Run from a checkout, the demo finds the recount."""
    oracle = load_oracle()

    assert oracle is not None
    assert oracle.recount([], Configuration()).scopes() == []


def figures(queue: str, channel: str, window: str) -> str:
    """Return the figures every voice queue must have."""
    labels = f'scope_kind="queue",scope="{queue}",channel="{channel}",window="{window}"'
    return "".join(f"{KPI_BY_ID[kpi].metric}{{{labels}}} 0.5\n" for kpi in ("service_level", "asa", "aht"))


def occupied(team: str) -> str:
    """Return a team's occupancy."""
    return f'{KPI_BY_ID["occupancy"].metric}{{scope_kind="team",scope="{team}",window="15m"}} 0.75\n'


def test_missing_figures_are_named() -> None:
    """Each voice queue and team without a figure is named; with all of them nothing is."""
    voice = [queue.name for queue in QUEUES.values() if queue.channel == "voice"]
    queues = "".join(figures(name, "voice", "15m") for name in voice)
    teams = "".join(occupied(team.name) for team in TEAMS)

    assert missing_figures(Scrape(queues + teams)) == []
    lacking = missing_figures(Scrape(queues.replace(f'{ASA}{{scope_kind="queue",scope="{voice[0]}"', 'other{a="b"') + teams))
    assert lacking == [f"queue:{voice[0]} has no asa (last 15m)."]
    assert len(missing_figures(Scrape(""))) == 3 * len(voice) + len(TEAMS)


def test_table_is_aligned() -> None:
    """All rows of a table end in the same column of a terminal, where Japanese characters take two."""
    from unicodedata import east_asian_width

    voice, teams = table(Scrape(figures(next(iter(QUEUES)), "voice", "15m"))).split("\n\n")

    for part in (voice, teams):
        widths = {sum(1 + (east_asian_width(character) in "WF") for character in line) for line in part.splitlines()}
        assert len(widths) == 1
    assert "50.0%" in voice


def test_alerts_that_fire_are_named() -> None:
    """Those with the value 1, with rule, severity and scope; those that have cleared are not."""
    labels = 'rule="{}",severity="critical",scope_kind="queue",scope="{}",channel="voice"'
    lines = [
        f"contact_center_alert_firing{{{labels.format(rule, 'Orders 注文受付')}}} {value}" for rule, value in (("level", 1), ("wait", 0))
    ]
    head = "# HELP contact_center_alert_firing x\n# TYPE contact_center_alert_firing gauge\n"

    assert alerts(Scrape(head + "\n".join(lines) + "\n")) == "Alerts firing: level (critical) of queue:Orders 注文受付."
    assert alerts(Scrape(head)) == "Alerts firing: none."
