"""What is asked: a figure of a queue in a window, and how it was served."""

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

#: A conversation that began longer ago than this is looked for no further back than asked.
_LONGEST_LOOK_BACK_MS = 86_400_000

#: A trailing window at an instant is made anew of its contacts: no longer than a day.
_LONGEST_TRAILING_MINUTES = 1440


class QuestionError(ValueError):
    """There is no answer to this; says why, and what is permitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A figure of a scope and channel in one window."""

    kpi: str
    scope: str
    channel: str
    window: str
    span: Span
    #: What was received after this is not in the figure; None: everything counts.
    until_ms: int | None
    #: The record of the metric topics that has the figure, if it is still there.
    served: Mapping[str, Any] | None
    #: What was published of definitions: since when which version is known.
    definitions: tuple[Mapping[str, Any], ...] = ()

    @property
    def by_offer(self) -> bool:
        """Whether the window is made of what was offered in it, and not of what happened in it."""
        return kind_of_window(self.window) != "trailing"

    def since_ms(self, configuration: Configuration, look_back_ms: int | None = None) -> int:
        """Return from when on events are to be read: those of conversations that began before the window too."""
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
        """Find the figure of a queue, or of a wider scope such as ``site:tokyo``, among window records and return the question about it.

        Raises:
            QuestionError: no such figure, window, queue or channel, or none that contacts are behind.
        """
        _check(kpi, window)
        scope = scope or f"queue:{queue}"
        place = tuple(scope.split(":", 1))
        records = list(records)
        definitions = tuple(each for each in records if each["kind"] == "definition")
        of_scope = [each for each in records if (each["kind"], each.get("scope_kind"), each.get("scope")) == ("window", *place)]
        channel = _channel({str(each["channel"]) for each in of_scope if each["channel"] is not None}, configuration, scope, channel)
        found = [each for each in of_scope if (each["channel"], each["window"]) == (channel, window)]
        if at_ms is not None:
            found = [each for each in found if parse_time_ms(each["window_start"]) <= at_ms < parse_time_ms(each["window_end"])]
            if kind_of_window(window) == "trailing":
                found = []  # only the newest is kept, and that is as of another instant
        served = max(found, key=lambda each: parse_time_ms(each["window_end"]), default=None)
        if served is not None:
            span = Span(parse_time_ms(served["window_start"]), parse_time_ms(served["window_end"]))
            until_ms: int | None = parse_time_ms(served["as_of"])
        elif at_ms is None:
            raise QuestionError(f"no figure of {window} is served for {_said(scope)} ({channel}); name an instant with at")
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


#: Kinds of windows, and figures, that no contacts of a window are behind.
_NOT_EXPLAINED = frozenset({"now", "customers_day", "forecast_contacts", "staff_forecast", "staff_required", "forecast_accuracy"})
#: The KPIs that contacts of a window are behind.
EXPLAINED = tuple(each.id for each in KPI_BY_ID.values() if each.subject == "contacts" and not _NOT_EXPLAINED & {each.id, *each.windows})


def _check(kpi: str, window: str) -> None:
    found = KPI_BY_ID.get(kpi)
    if found is None:
        raise QuestionError(f"unknown kpi {kpi!r}; permitted: {', '.join(EXPLAINED)}")
    if found.id not in EXPLAINED:
        about = "forecasts or other contacts" if found.subject == "contacts" else found.subject
        why = "it is a figure of now" if "now" in found.windows else f"it is about {about}"
        raise QuestionError(f"no contacts of a window are behind {kpi}: {why}; permitted: {', '.join(EXPLAINED)}")
    try:
        kind = kind_of_window(window)
    except ValueError as error:
        raise QuestionError(str(error)) from error
    if kind not in found.windows:
        raise QuestionError(f"{kpi} is not served for {window}; permitted: windows of the kind {', '.join(found.windows)}")


def _said(scope: str) -> str:
    return scope.removeprefix("queue:")


def _channel(served: set[str], configuration: Configuration, scope: str, asked: str | None) -> str:
    configured = configuration.queues.get(_said(scope)) if scope.startswith("queue:") else None
    known = served or ({str(configured.channel)} if configured is not None and configured.channel is not None else set())
    if asked is not None:
        return asked
    if not known:
        if not scope.startswith("queue:"):
            raise QuestionError(f"nothing is known of {scope}")
        names = ", ".join(configuration.queues) or "none is configured"
        raise QuestionError(f"nothing is known of a queue {_said(scope)!r}; configured: {names}")
    if len(known) > 1:
        raise QuestionError(f"{_said(scope)} has several channels; permitted: channel {', '.join(sorted(known))}")
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
