"""A question: a figure of a queue in a window, and how it was served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.times import parse_time_ms
from streams.catalogue import KPI_BY_ID, kind_of_window
from streams.windows.calendar import Span
from streams.windows.rollup import RollUp
from streams.windows.slices import PANE_MS, cell_ms_of, cell_of, pane_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.configuration import Configuration

__all__ = ["EXPLAINED", "Question", "QuestionError"]

#: The longest default look-back for conversations that began before the window.
_LONGEST_LOOK_BACK_MS = 86_400_000

#: A trailing window at an instant is recomputed from its contacts: no longer than a day.
_LONGEST_TRAILING_MINUTES = 1440


class QuestionError(ValueError):
    """The question has no answer; the text states why, and what is permitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A figure of a scope and channel in one window."""

    kpi: str
    scope: str
    channel: str
    window: str
    span: Span
    #: Events received after this are not in the figure; None: all count.
    until_ms: int | None
    #: The record of the metric topics that has the figure, if it still exists.
    served: Mapping[str, Any] | None
    #: The published definition records: since when which version is known.
    definitions: tuple[Mapping[str, Any], ...] = ()

    @property
    def by_offer(self) -> bool:
        """Whether the window counts contacts by their offer, rather than by their outcome."""
        return kind_of_window(self.window) != "trailing"

    def since_ms(self, configuration: Configuration, look_back_ms: int | None = None) -> int:
        """Return the instant from which events must be read, including conversations that began before the window."""
        if look_back_ms is None:
            lost_ms = 1000 * configuration.counting.lost_after_seconds.get(self.channel, 0)  # type: ignore[call-overload]
            look_back_ms = min(lost_ms, _LONGEST_LOOK_BACK_MS)
        return max(0, self.span.start_ms - int(look_back_ms))

    @staticmethod
    def of(
        records: Iterable[Mapping[str, Any]],
        configuration: Configuration,
        *,
        kpi: str,
        queue: str = "",
        scope: str | None = None,
        window: str = "trailing_15m",
        channel: str | None = None,
        at_ms: int | None = None,
    ) -> Question:
        """Find the figure of a queue, or of a wider scope such as ``site:tokyo``, among window records; return the question about it.

        Raises:
            QuestionError: no such figure, window, queue or channel, or a figure without contacts behind it.
        """
        _check(kpi, window)
        scope = scope or f"queue:{queue}"
        kind_and_name = tuple(scope.split(":", 1))
        records = list(records)
        definitions = tuple(each for each in records if each["kind"] == "definition")
        of_scope = [each for each in records if (each["kind"], each.get("scope_kind"), each.get("scope")) == ("window", *kind_and_name)]
        channel = _channel({str(each["channel"]) for each in of_scope if each["channel"] is not None}, configuration, scope, channel)
        candidates = [each for each in of_scope if (each["channel"], each["window"]) == (channel, window)]
        if at_ms is not None:
            candidates = [each for each in candidates if parse_time_ms(each["window_start"]) <= at_ms < parse_time_ms(each["window_end"])]
            if kind_of_window(window) == "trailing":
                candidates = []  # only the newest is stored, as of another instant
        served = max(candidates, key=lambda each: parse_time_ms(each["window_end"]), default=None)
        if served is not None:
            span = Span(parse_time_ms(served["window_start"]), parse_time_ms(served["window_end"]))
            until_ms: int | None = parse_time_ms(served["as_of"])
        elif at_ms is None:
            raise QuestionError(f"no figure of {window} is served for {_scope_text(scope)} ({channel}); name an instant with at")
        else:
            trailing = kind_of_window(window) == "trailing"
            span, until_ms = _span(configuration, scope, channel, window, at_ms), at_ms if trailing else None
        return Question(
            kpi=kpi,
            scope=scope,
            channel=channel,
            window=window,
            span=span,
            until_ms=until_ms,
            served=served,
            definitions=definitions,
        )


#: Kinds of windows, and figures, without contacts of a window behind them.
_NOT_EXPLAINED = frozenset({"now", "customers_day", "forecast_contacts", "staff_forecast", "staff_required", "forecast_accuracy"})
#: The KPIs with contacts of a window behind them.
EXPLAINED = tuple(each.id for each in KPI_BY_ID.values() if each.subject == "contacts" and not _NOT_EXPLAINED & {each.id, *each.windows})


def _check(kpi: str, window: str) -> None:
    entry = KPI_BY_ID.get(kpi)
    if entry is None:
        raise QuestionError(f"unknown kpi {kpi!r}; permitted: {', '.join(EXPLAINED)}")
    if entry.id not in EXPLAINED:
        about = "forecasts or other contacts" if entry.subject == "contacts" else entry.subject
        why = "it is a figure of now" if "now" in entry.windows else f"it is about {about}"
        raise QuestionError(f"no contacts of a window are behind {kpi}: {why}; permitted: {', '.join(EXPLAINED)}")
    try:
        kind = kind_of_window(window)
    except ValueError as error:
        raise QuestionError(str(error)) from error
    if kind not in entry.windows:
        raise QuestionError(f"{kpi} is not served for {window}; permitted: windows of the kind {', '.join(entry.windows)}")


def _scope_text(scope: str) -> str:
    return scope.removeprefix("queue:")


def _channel(served: set[str], configuration: Configuration, scope: str, asked: str | None) -> str:
    configured = configuration.queues.get(_scope_text(scope)) if scope.startswith("queue:") else None
    known = served or ({str(configured.channel)} if configured is not None and configured.channel is not None else set())
    if asked is not None:
        return asked
    if not known:
        if not scope.startswith("queue:"):
            raise QuestionError(f"nothing is known of {scope}")
        names = ", ".join(configuration.queues) or "none is configured"
        raise QuestionError(f"nothing is known of a queue {_scope_text(scope)!r}; configured: {names}")
    if len(known) > 1:
        raise QuestionError(f"{_scope_text(scope)} has several channels; permitted: channel {', '.join(sorted(known))}")
    return known.pop()


def _span(configuration: Configuration, scope: str, channel: str, window: str, at_ms: int) -> Span:
    kind, _, length = window.partition("_")
    if kind == "trailing":
        minutes = int(length.removesuffix("m"))
        if not 1 <= minutes <= _LONGEST_TRAILING_MINUTES:
            raise QuestionError(f"{window} is not among the windows; permitted: trailing ones of 1 to {_LONGEST_TRAILING_MINUTES} minutes")
        end = pane_of(at_ms) + PANE_MS
        return Span(end - 60_000 * minutes, end)
    rollup = RollUp(configuration, 0, (), ())
    rollup.expect(scope, channel)
    windows = dict(rollup.dated.windows(rollup.scopes[scope, channel], cell_of(at_ms, cell_ms_of(configuration))))
    if window not in windows:
        raise QuestionError(f"{window} is not among the windows; permitted: {', '.join(windows)} and trailing ones")
    return windows[window]
