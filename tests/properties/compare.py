"""Hold served records against the oracle's recount, figure by figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.times import format_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.oracle.recount import Recount

__all__ = ["differences"]

TRAILING = ("trailing_5m", "trailing_15m", "trailing_30m", "trailing_60m")


def differences(latest: Mapping[str, dict[str, Any]], told: Recount, *, windows: tuple[str, ...] = (*TRAILING, "day", "interval_15m", "interval_30m")) -> list[str]:
    """Return one line a figure that is not exactly the oracle's; the records are those of the latest topic, by key."""
    found: list[str] = []
    for scope, channel in told.scopes():
        place = f"{channel or '-'}|{scope}"
        for name in windows:
            key = f"window|{name}|{place}"
            start = None
            if not name.startswith("trailing_"):
                start = told.bounds(scope, channel, name)[0]
                key = f"{key}|{start}"
            expected = told.window(scope, channel, name, start)
            record = latest.get(key)
            if record is None:
                if any(figure["numerator"] for figure in expected.values()):
                    found.append(f"{key}: nothing served, expected {_non_zero(expected)}")
                continue
            found += [
                f"{key} {kpi}: served {record['kpis'].get(kpi)}, expected {dict(figure)}"
                for kpi, figure in expected.items()
                if record["kpis"].get(kpi) != dict(figure)
            ]
        found += _now(f"now|{place}", latest, told, scope, channel)
    return found


def _now(key: str, latest: Mapping[str, dict[str, Any]], told: Recount, scope: str, channel: str | None) -> list[str]:
    expected = told.now(scope, channel)
    record = latest.get(key)
    if record is None:
        nothing = not expected.get("waiting") and not expected.get("in_progress") and not expected.get("agents_by_state")
        return [] if nothing else [f"{key}: nothing served, expected {expected}"]
    since = expected.pop("waiting_since_ms", None)
    if since is not None:
        expected["waiting_since"] = format_ms(since[0]) if since else None
    # The longest wait goes on without being written: a reader adds what has passed since.
    longest = expected.pop("longest_wait_seconds", None)
    wrong = [f"{key} {name}: served {record.get(name)}, expected {value}" for name, value in expected.items() if record.get(name) != value]
    if (record.get("longest_wait_seconds") is None) != (longest is None):
        wrong.append(f"{key} longest_wait_seconds: served {record.get('longest_wait_seconds')}, expected {longest}")
    return wrong


def _non_zero(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: figure for name, figure in figures.items() if figure["numerator"]}
