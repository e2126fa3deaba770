"""What the wallboard shows, read from its DOM, and what it should show by a scrape: recomputed here, digit by digit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import yaml

from streams.catalogue import AGENT_STATES, WORDS
from streams.catalogue.words import Language
from streams.demo.scrape import Scrape

__all__ = ["READ", "Expected", "Shown", "as_of_seconds", "rounded"]


def rounded(share: float, digits: int = 1, limit: float | None = None) -> Decimal:
    """Return a share in percent, half a step upwards; the step on its own side where that would reach or pass 0 %, 100 % or the limit."""
    exact, step = Decimal(repr(share)) * 100, Decimal(1).scaleb(-digits)
    shown = exact.quantize(step, ROUND_HALF_UP)
    for edge in (Decimal(repr(each)) * 100 for each in (0.0, 1.0, limit) if each is not None):
        if exact < edge <= shown:
            shown = edge.quantize(step, ROUND_CEILING) - step
        elif exact > edge >= shown:
            shown = edge.quantize(step, ROUND_FLOOR) + step
    return shown


#: Everything that is shown, in one look: as-of, tiles, and by table and name of the row the text of each cell.
READ = """(() => {
  const text = element => element?.getClientRects().length ? element.innerText.trim() : '';
  const cell = element => [text(element.querySelector('b')), text(element.querySelector('small'))];
  const row = element => ({
    name: cell(element.querySelector('.name')),
    total: element.parentElement.tagName === 'TFOOT',
    silent: text(element.querySelector('.silent-mark')),
    figures: Object.fromEntries([...element.querySelectorAll('td:not(.trend)')].map(td => [td.dataset.kpi, cell(td)])),
    verdict: ['met', 'missed'].filter(name => element.querySelector('td.' + name)),
    trend: [element.querySelector('.trend svg')?.getAttribute('aria-label') ?? '', element.querySelectorAll('.trend rect').length],
  });
  const table = id => [...document.querySelectorAll(`#${id} :is(tbody, tfoot) tr`)].map(row);
  return {
    as_of: Date.parse(document.getElementById('as-of').getAttribute('datetime')) / 1000,
    mark: text(document.getElementById('mark')),
    tiles: [...document.querySelectorAll('#summary b')].map(text),
    queues: table('queues'), teams: table('teams'), backlogs: table('backlogs'),
    alerts: [...document.querySelectorAll('#alerts li .where')].map(text),
  };
})()"""

Shown = dict[str, Any]
_NOTHING = "–"
_JUDGED_FROM = 5
_SHOWN_ALERTS = 6
_UNASSIGNED = "(unassigned)"
_CALLS_FIRST = ("voice", "video", "callback", "chat", "sms", "social", "mail", "web_form", "ticket")
#: Where no one waits for an answer: no tile, and no total of what is waited for.
_SELF_SERVICE = {"bot", "faq"}
_CONFIGURATION = yaml.safe_load((Path(__file__).parents[2] / "streams" / "demo" / "configuration.yaml").read_text(encoding="utf-8"))
_BACKLOG = ("backlog_untouched", "backlog_in_progress", "backlog_waiting_on_customer", "backlog_on_hold")


def threshold_seconds(queue: str) -> int:
    """Return how long one may wait in a queue of the demo to be in time, by the definition that it is judged by."""
    named = _CONFIGURATION["queues"].get(queue, {}).get("definitions", _CONFIGURATION["default_definitions"])
    return int(_CONFIGURATION["definitions"][named[0]]["threshold_s"])


def as_of_seconds(scrape: Scrape) -> float | None:
    """Return the as-of of a scrape."""
    return scrape.value("contact_center_as_of_timestamp_seconds")


@dataclass
class Expected:
    """The texts that the page has to show, by a scrape of the same as-of. Windows are the trailing quarter of an hour."""

    scrape: Scrape
    language: Language
    _values: dict[tuple[str, str, str, str | None, str | None, str | None], float] = field(default_factory=dict)
    _targets: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for served in self.scrape.figures():
            if served.window in {None, "15m"}:
                self._values[served.kpi, served.part, served.scope, served.channel, served.window, served.label] = served.value
        for sample in self.scrape.samples:
            if sample.name == "contact_center_service_level_target_ratio":
                self._targets[sample.labels["scope"]] = sample.value

    def _of(self, kpi: str, scope: str, channel: str | None, part: str = "value") -> float | None:
        return self._values.get((kpi, part, scope, channel, "15m", None))

    def _now(self, kpi: str, scope: str, channel: str | None) -> float | None:
        return self._values.get((kpi, "value", scope, channel, None, None))

    def _word(self, name: str, **blanks: str) -> str:
        return WORDS[self.language][name].format(**blanks)

    def _percent(self, value: float | None, digits: int = 1, limit: float | None = None) -> str:
        return _NOTHING if value is None else f"{rounded(value, digits, limit)}{'%' if self.language == 'ja' else ' %'}"

    def _count(self, value: float | None) -> str:
        return _NOTHING if value is None else f"{value:,.0f}"

    def _duration(self, seconds: float | None) -> str:
        if seconds is None:
            return _NOTHING
        whole = math.floor(seconds + 0.5)
        minutes, rest = divmod(whole, 60)
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"

    def _parts(self, numerator: float | None, denominator: float | None) -> str:
        return "" if denominator is None else f"{self._count(numerator)} / {self._count(denominator)}"

    def _coverage(self, kpi: str, scope: str, channel: str | None) -> str:
        share = self._of(kpi, scope, channel, "coverage")
        return "" if share is None or share >= 0.995 else self._word("measured", value=self._percent(share, 0))

    def _levels(self, scopes: list[str], channel: str) -> tuple[list[float | None], list[str]]:
        """Return live and decided service level of queues together, and the parts of the live one."""
        values, parts = [], []
        for kpi in ("service_level_live", "service_level"):
            pairs = [(self._of(kpi, scope, channel, "numerator"), self._of(kpi, scope, channel, "denominator")) for scope in scopes]
            known = [(n, d) for n, d in pairs if n is not None and d is not None]
            top, bottom = sum(n for n, _ in known), sum(d for _, d in known)
            values.append(top / bottom if bottom else None)
            parts.append(self._parts(top, bottom) if known else "")
        return values, parts

    def _contacts(
        self, scope: str, channel: str, of: list[str], target: float | None, threshold: int | None = None
    ) -> dict[str, list[str]]:
        (live, decided), (parts, _) = self._levels(of, channel)
        detail = [parts]
        time = None if threshold is None else self._word("seconds", n=str(threshold)) if threshold < 60 else self._duration(threshold)
        if target is not None and time is not None:
            digits = 0 if round(target * 1000) % 10 == 0 else 1
            detail.append(self._word("target.within", value=self._percent(target, digits), time=time))
        elif time is not None:
            detail.append(self._word("within", time=time))
        if decided is not None and decided != live:
            detail.append(self._word("decided", value=self._percent(decided, 1, target)))
        given_up = self._of("abandon_rate", scope, channel)
        handled, talk = self._of("aht", scope, channel), self._of("att", scope, channel)
        only_talk = self._word("aht.talk", value=self._duration(talk)) if handled is None and talk is not None else None
        lost = [self._of("abandon_rate", scope, channel, part) for part in ("numerator", "denominator")]
        return {
            "service_level_live": [self._percent(live, 1, target), " · ".join(filter(None, detail))],
            "waiting": [self._count(self._now("waiting", scope, channel)), ""],
            "longest_wait": [self._duration(self._now("longest_wait", scope, channel)), ""],
            "asa": [self._duration(self._of("asa", scope, channel)), ""],
            "aht": [self._duration(handled), self._coverage("aht", scope, channel) if only_talk is None else only_talk],
            "abandon_rate": [self._percent(given_up), "" if given_up is None else self._parts(lost[0], lost[1])],
        }

    def _channels(self, kind: str) -> list[tuple[str, str]]:
        """Return name and channel of the scopes of a kind that have a now record."""
        found = {(key[2].partition(":")[2], key[3]) for key in self._values if key[0] == "waiting" and key[2].startswith(f"{kind}:")}
        return sorted((name, channel) for name, channel in found if channel is not None)

    def queues(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """Return the rows of the queues by name and word of the channel."""
        return {
            (name, self._word(f"channel.{channel}")): self._contacts(
                f"queue:{name}", channel, [f"queue:{name}"], self._targets.get(name), threshold_seconds(name)
            )
            for name, channel in self._channels("queue")
            if name != _UNASSIGNED and channel not in _SELF_SERVICE
        }

    def totals(self) -> dict[str, dict[str, list[str]]]:
        """Return the rows of the totals. Queues have thresholds of their own, so the level is that of their parts' sums."""
        rows = {}
        for name, channel in self._channels("total"):
            if channel in _SELF_SERVICE:
                continue
            of = [f"queue:{queue}" for queue, its in self._channels("queue") if its == channel]
            row = self._contacts(f"total:{name}", channel, of, None)
            # Totals are one line: the details of these two are not shown.
            row["aht"][1] = row["abandon_rate"][1] = ""
            rows[f"{self._word('scope.total')} · {self._word(f'channel.{channel}')}"] = row
        return rows

    def verdicts(self) -> dict[str, str]:
        """Return, by queue, whether its live service level meets its target, where both are known."""
        found = {}
        for name, channel in self._channels("queue"):
            level, contacts = (self._of("service_level_live", f"queue:{name}", channel, part) for part in ("value", "denominator"))
            target = self._targets.get(name)
            if level is not None and target is not None and contacts is not None and contacts >= _JUDGED_FROM:
                found[name] = "met" if level >= target else "missed"
        return found

    def teams(self) -> dict[str, dict[str, list[str]]]:
        """Return the rows of the teams and of all agents."""
        scopes = {key[2] for key in self._values if key[0] == "agents_by_state" and key[2].partition(":")[0] in {"team", "total"}}
        return {
            self._word("scope.total") if scope == "total:all" else scope.partition(":")[2]: {
                "occupancy": [self._percent(self._of("occupancy", scope, None)), self._coverage("occupancy", scope, None)],
                **{
                    state: [self._count(self._values.get(("agents_by_state", "value", scope, None, None, state))), ""]
                    for state in AGENT_STATES
                },
            }
            for scope in scopes
        }

    def backlogs(self) -> dict[tuple[str, str], dict[str, list[str]]]:
        """Return the rows of the queues that are answered in writing."""
        rows = {}
        for name, channel in self._channels("queue"):
            values = [self._now(kpi, f"queue:{name}", channel) for kpi in _BACKLOG]
            if any(value is not None for value in values):
                total = None if None in values else sum(value or 0 for value in values)
                oldest = self._now("backlog_oldest", f"queue:{name}", channel)
                assert oldest is None or oldest < 86400, "a day of the demo has no backlog older than a day"
                shown = self._word("backlog.unassigned") if name == _UNASSIGNED else name
                rows[shown, self._word(f"channel.{channel}")] = {
                    "backlog": [self._count(total), ""],
                    **{kpi: [self._count(value), ""] for kpi, value in zip(_BACKLOG, values, strict=True)},
                    "backlog_oldest": [self._duration(oldest), ""],
                    "reply_overdue": [self._count(self._now("reply_overdue", f"queue:{name}", channel)), ""],
                }
        return rows

    def tiles(self) -> list[str]:
        """Return the tiles from left to right."""
        found = {channel for _, channel in self._channels("total")} - _SELF_SERVICE
        # Others follow by name.
        channels = [*(each for each in _CALLS_FIRST if each in found), *sorted(found.difference(_CALLS_FIRST))]
        verdicts = list(self.verdicts().values())
        free = [self._values.get(("agents_by_state", "value", "total:all", None, None, state), 0) for state in ("idle", "available")]
        return [
            f"{verdicts.count('missed')} / {len(verdicts)}" if verdicts else _NOTHING,
            *(
                text
                for channel in channels
                for text in (
                    self._count(self._now("waiting", "total:all", channel)),
                    self._duration(self._now("longest_wait", "total:all", channel)),
                    self._count(self._now("in_progress", "total:all", channel)),
                )
            ),
            self._count(sum(free)),
        ]

    def alerts(self) -> set[str]:
        """Return where alerts fire."""
        return {
            f"{sample.labels['scope']} · {self._word('channel.' + sample.labels['channel'])}"
            for sample in self.scrape.samples
            if sample.name == "contact_center_alert_firing" and sample.value == 1
        }

    def differences(self, shown: Shown) -> list[str]:
        """Return what the page shows otherwise, and what it lacks or has too much."""
        rows = shown["queues"]
        pairs: list[tuple[str, Any, Any]] = [
            ("tiles", shown["tiles"], self.tiles()),
            ("queues", {tuple(row["name"]): row["figures"] for row in rows if not row["total"]}, self.queues()),
            ("totals", {row["name"][0]: row["figures"] for row in rows if row["total"]}, self.totals()),
            ("verdicts", {row["name"][0]: row["verdict"][0] for row in rows if row["verdict"]}, self.verdicts()),
            ("teams", {row["name"][0]: row["figures"] for row in shown["teams"]}, self.teams()),
            ("backlogs", {tuple(row["name"]): row["figures"] for row in shown["backlogs"]}, self.backlogs()),
        ]
        fires = self.alerts()
        if len(fires) <= _SHOWN_ALERTS:
            pairs.append(("alerts", set(shown["alerts"]), fires))
        return [line for name, is_, should in pairs if is_ != should for line in _unequal(name, is_, should)]


def _unequal(name: str, is_: Any, should: Any) -> list[str]:
    if isinstance(is_, dict) and isinstance(should, dict):
        keys = [key for key in [*should, *(key for key in is_ if key not in should)] if is_.get(key) != should.get(key)]
        return [f"{name} {key}: shown {is_.get(key)}, should be {should.get(key)}" for key in keys]
    return [f"{name}: shown {is_}, should be {should}"]
