"""Compare served records with the oracle's recount, figure by figure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.base import REPLY_CHANNELS
from schemas.times import format_ms, parse_time_ms, to_ms
from tests.oracle.conversation import PANE_MS
from tests.oracle.recount import Recount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    ScopeKey = tuple[str, str | None]

__all__ = ["customer_differences", "differences"]

TRAILING = ("trailing_5m", "trailing_15m", "trailing_30m", "trailing_60m")
CELL_MS = 300_000
DAY_MS = 86_400_000
DEFAULT = (*TRAILING, "day", "interval_15m", "interval_30m")


def differences(
    latest: Mapping[str, dict[str, Any]],
    oracle: Recount,
    *,
    windows: tuple[str, ...] = DEFAULT,
    agents: Mapping[str, dict[str, Any]] | None = None,
    processes: int = 1,
) -> list[str]:
    """Return one line a figure that differs from the oracle's; the records are those of the latest topic, by key.

    Every interval and day is compared, past ones too; where the oracle counted nothing, served figures must be empty.
    Records of single agents are compared if given, and must not be among the others.
    With more than one process scopes are compared in parallel.
    """
    found = [f"{key} is about a single person" for key in latest if "|agent:" in key]
    latest = {**latest, **(agents or {})}
    scope_keys = oracle.scopes() if agents is None else oracle.all_scopes()
    served: dict[ScopeKey, dict[tuple[str, int | None], str]] = defaultdict(dict)
    for key in latest:
        kind, *parts = key.split("|")
        if kind == "window":
            scope_key = (parts[2], None if parts[1] == "-" else parts[1])
            served[scope_key][parts[0], int(parts[3]) if len(parts) > 3 else None] = key
        elif kind == "now":
            served.setdefault((parts[1], None if parts[0] == "-" else parts[0]), {})
    work = [_Work(latest, each, alone, served[each], windows) for each, alone in _parts(oracle, {*scope_keys, *served})]
    work.sort(key=lambda each: -len(each.oracle.contributions) - len(each.oracle.spans))
    if processes == 1:
        return found + [line for each in work for line in _differences(each)]
    _WORK[:] = work  # a forked process has it in memory; nothing is pickled
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        return found + [line for lines in pool.map(_differences_at, range(len(work))) for line in lines]


class _Work(NamedTuple):
    """One scope and channel, its part of the recount, and its served windows."""

    latest: Mapping[str, dict[str, Any]]
    scope_key: ScopeKey
    oracle: Recount
    served: Mapping[tuple[str, int | None], str]
    windows: tuple[str, ...]


_WORK: list[_Work] = []


def _differences_at(index: int) -> list[str]:
    return _differences(_WORK[index])


def _differences(work: _Work) -> list[str]:
    latest, (scope, channel), part, served, windows = work
    found: list[str] = []
    path = f"{channel or '-'}|{scope}"
    expected_windows: dict[tuple[str, int | None], str] = {}
    cells = _cells(part)
    for name in windows:
        if name.startswith("trailing_") and _is_individual(scope, channel):
            continue
        if name.startswith("trailing_"):
            expected_windows[name, None] = f"window|{name}|{path}"
            continue
        starts = {part.bounds(scope, channel, name)[0]}
        if name.startswith("interval_"):
            minutes = int(name.rpartition("_")[2].removesuffix("m"))
            starts |= {part.interval_start(scope, cell, minutes) for cell in cells}
        expected_windows |= {(name, start): f"window|{name}|{path}|{start}" for start in starts}
    further = {window: key for window, key in served.items() if window[0] in windows}
    around = _Around(part)
    for (name, start), key in {**expected_windows, **further}.items():
        # The oracle's day is the one that holds as-of.
        of = replace(part, as_of_ms=start) if name == "day" and start is not None else part
        found += _window(key, latest.get(key), around(of, *of.bounds(scope, channel, name, start)), (scope, channel), name, start)
    if not _is_individual(scope, channel):  # these have no figures of now
        found += _now(f"now|{path}", latest, part, scope, channel)
    return found


def customer_differences(latest: Mapping[str, dict[str, Any]], oracle: Recount) -> list[str]:
    """Return one line a figure about customers that differs from the oracle's, of retained windows."""
    found: list[str] = []
    customers = oracle.customers
    assert customers is not None
    through = oracle.complete_through_ms or 0
    expected: set[tuple[str, str | None, str, int]] = {
        ("customers_day", channel, scope, oracle.bounds(scope, channel, "customers_day", start)[0])
        for scope, channel, start in customers.contact_starts()
        if start > through - customers.settings.repeat_days * DAY_MS
    }
    as_of = oracle.as_of_ms or 0
    for at in range(as_of, through - customers.settings.repeat_days * DAY_MS, -DAY_MS):
        expected.add(("customers_day", None, "total:all", oracle.bounds("total:all", None, "customers_day", at)[0]))
        expected.add(("customers_month", None, "total:all", oracle.bounds("total:all", None, "customers_month", at)[0]))
    for key in latest:
        if key.startswith(("window|customers_day|", "window|customers_month|")):
            name, channel_name, scope, start_text = key.split("|")[1:]
            # Windows about to expire are not all revised any more.
            if name == "customers_month" or int(start_text) > through - (customers.settings.repeat_days + 1) * DAY_MS:
                expected.add((name, None if channel_name == "-" else channel_name, scope, int(start_text)))
    for name, channel, scope, start in sorted(expected, key=str):
        key = f"window|{name}|{channel or '-'}|{scope}|{start}"
        wanted = oracle.window(scope, channel, name, start)
        record = latest.get(key)
        if record is None:
            if any(figure["numerator"] or figure["denominator"] for figure in wanted.values()):
                found.append(f"{key}: nothing served, expected {wanted}")
            continue
        found += [
            f"{key} {kpi}: served {record['kpis'].get(kpi)}, expected {wanted.get(kpi)}"
            for kpi in sorted({*wanted, *record["kpis"]})
            if record["kpis"].get(kpi) != wanted.get(kpi)
        ]
        bounds = tuple(map(format_ms, oracle.bounds(scope, channel, name, start)))
        if (record["window_start"], record["window_end"]) != bounds:
            found.append(f"{key}: served from {record['window_start']} to {record['window_end']}, expected {bounds}")
    return found


def _parts(oracle: Recount, scope_keys: Iterable[ScopeKey]) -> Iterator[tuple[ScopeKey, Recount]]:
    """Yield every scope key with its part of the recount, which has less to add up."""
    contributions, open_items = defaultdict(list), defaultdict(list)
    for each in oracle.contributions:
        contributions[each.scope, each.channel].append(each)
    for item in oracle.open_items:
        open_items[item.scope, item.channel].append(item)
    for scope_key in sorted(scope_keys, key=str):
        scope, channel = scope_key
        if channel is None:
            stretches = [each for each in oracle.stretches if scope in each.scopes]
            people = [each for each in oracle.people_now if scope in each.scopes]
            spans = [each for each in oracle.spans if scope in each.scopes]
            handled = contributions[scope_key]
            yield scope_key, replace(oracle, contributions=handled, open_items=[], stretches=stretches, spans=spans, people_now=people)
        else:
            yield (
                scope_key,
                replace(
                    oracle,
                    contributions=contributions[scope, channel],
                    open_items=open_items[scope, channel],
                    stretches=[],
                    spans=[],
                    people_now=[],
                ),
            )


class _Around:
    """Select the part of a recount that concerns a span of time, so that the oracle does not scan everything each time."""

    def __init__(self, oracle: Recount) -> None:
        self._by_offer = sorted(oracle.contributions, key=lambda each: each.offer_ms)
        self._by_outcome = sorted(oracle.contributions, key=lambda each: each.outcome_ms)
        self._offers = [each.offer_ms for each in self._by_offer]
        self._outcomes = [each.outcome_ms for each in self._by_outcome]

    def __call__(self, oracle: Recount, low: int, high: int) -> Recount:
        offered = self._by_offer[bisect_left(self._offers, low) : bisect_left(self._offers, high)]
        happened = self._by_outcome[bisect_left(self._outcomes, low) : bisect_left(self._outcomes, high)]
        return replace(
            oracle,
            contributions=offered + [each for each in happened if not low <= each.offer_ms < high],
            stretches=[each for each in oracle.stretches if each.start_ms < high and (each.end_ms is None or low < each.end_ms)],
            spans=[each for each in oracle.spans if each.start_ms < high and low < each.end_ms],
        )


def _is_individual(scope: str, channel: str | None) -> bool:
    return channel is None and scope.startswith("agent:")


def _cells(oracle: Recount) -> set[int]:
    """Return the starts of all cells in which anything may have been booked."""
    through = (oracle.complete_through_ms or 0) // PANE_MS * PANE_MS
    cells = {each.offer_ms // CELL_MS for each in oracle.contributions}
    for forecast in oracle.customers.forecasts if oracle.customers else ():
        start = to_ms(forecast.interval_start)
        end = min(start + round(1000 * forecast.interval_seconds), oracle.as_of_ms or 0)
        cells.update(range(start // CELL_MS, -(-end // CELL_MS)))
    known = [(each.start_ms, through if each.end_ms is None else each.end_ms) for each in oracle.stretches]
    for start, until in known + [(each.start_ms, each.end_ms) for each in oracle.spans]:
        cells.update(range(start // CELL_MS, -(-min(until, through) // CELL_MS)))
    return {cell * CELL_MS for cell in cells}


def _window(key: str, record: dict[str, Any] | None, oracle: Recount, scope_key: ScopeKey, name: str, start: int | None) -> list[str]:
    expected = oracle.window(*scope_key, name, start)
    if record is None:
        if any(figure["numerator"] for figure in expected.values()):
            return [f"{key}: nothing served, expected {_non_zero(expected)}"]
        return []
    wrong = [
        f"{key} {kpi}: served {record['kpis'].get(kpi)}, expected {dict(figure)}"
        for kpi, figure in expected.items()
        if record["kpis"].get(kpi) != dict(figure)
    ]
    if unknown := record["kpis"].keys() - expected.keys():
        wrong.append(f"{key}: not in tests/oracle/figures.py: {sorted(unknown)}")
    beside = oracle.by_definition(*scope_key, name, start)
    if record.get("by_definition", {}) != beside:
        wrong.append(f"{key} by_definition: served {record.get('by_definition')}, expected {beside}")
    if record["definitions"] != oracle.named(*scope_key, name, start):
        wrong.append(f"{key} definitions: served {record['definitions']}, expected {oracle.named(*scope_key, name, start)}")
    by_label = oracle.by_label(*scope_key, name, start)
    if record.get("by_label", {}) != by_label:
        wrong.append(f"{key} by_label: served {record.get('by_label')}, expected {by_label}")
    # A trailing window without changes moves without being written.
    if not name.startswith("trailing_"):
        bounds = tuple(map(format_ms, oracle.bounds(*scope_key, name, start)))
        if (record["window_start"], record["window_end"]) != bounds:
            wrong.append(f"{key}: served from {record['window_start']} to {record['window_end']}, expected {bounds}")
        wrong += _further_differences(key, record, oracle, scope_key, name, start)
    return wrong


def _further_differences(key: str, record: dict[str, Any], oracle: Recount, scope_key: ScopeKey, name: str, start: int | None) -> list[str]:
    """Return the differences of a record beside its KPIs: section 15."""
    scope, channel = scope_key
    expected: dict[str, Any] = {}
    if channel is not None and "outcome" in oracle.configuration.counting.attribution:
        expected["by_outcome"] = {"kpis": oracle.by_outcome(scope, channel, name, start)}
    if marks := oracle.exceptions(scope, channel, name, start):
        expected["exceptions"] = marks
        if name == "day":
            expected["without_exceptions"] = {"kpis": oracle.without_exceptions(scope, channel, start)}
    names = ("by_outcome", "exceptions", "without_exceptions")
    return [
        f"{key} {each}: served {record.get(each)}, expected {expected.get(each)}"
        for each in names
        if record.get(each) != expected.get(each)
    ]


def _now(key: str, latest: Mapping[str, dict[str, Any]], oracle: Recount, scope: str, channel: str | None) -> list[str]:
    expected = oracle.now(scope, channel)
    record = latest.get(key)
    if record is None:
        nothing = not any(any(each.values()) if isinstance(each, dict) else each for each in expected.values())
        return [] if nothing else [f"{key}: nothing served, expected {expected}"]
    since = expected.pop("waiting_since_ms", None)
    if since is not None:
        expected["waiting_since"] = format_ms(since[0]) if since else None
    if channel is not None:
        oldest = expected.pop("backlog_oldest_since_ms", None)
        expected["backlog_oldest_since"] = None if oldest is None else format_ms(oldest)
        if channel not in REPLY_CHANNELS:
            # These channels have no backlog: unknown is not zero.
            expected["backlog_by_age"] = any(expected["backlog_by_age"].values())
            expected |= {name: expected[name] or None for name in expected if name.startswith("backlog_")}
    # A growing wait is not written again: a reader adds the time since.
    longest = expected.pop("longest_wait_seconds", None)
    served = record.get("longest_wait_seconds")
    wrong = [f"{key} {name}: served {record.get(name)}, expected {value}" for name, value in expected.items() if record.get(name) != value]
    if longest is not None and served is not None:
        served += ((oracle.as_of_ms or 0) - parse_time_ms(record["as_of"])) / 1000
    if (served is None) != (longest is None) or abs((served or 0) - (longest or 0)) > 1e-6:
        wrong.append(f"{key} longest_wait_seconds: served {served}, expected {longest}")
    since, age = expected.get("backlog_oldest_since"), None
    if since is not None:
        age = oracle.age_ms(scope, parse_time_ms(since), parse_time_ms(record["as_of"])) / 1000
    if record.get("backlog_oldest_seconds") != age:
        wrong.append(f"{key} backlog_oldest_seconds: served {record.get('backlog_oldest_seconds')}, expected {age} beside {expected}")
    return wrong


def _non_zero(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figure for name, figure in figures.items() if figure["numerator"]}
