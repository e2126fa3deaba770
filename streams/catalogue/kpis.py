"""The KPI catalogue: one entry a figure, in the order in which pages show them."""

from __future__ import annotations

from streams.catalogue.entries.customers import CUSTOMERS
from streams.catalogue.entries.digital import DIGITAL
from streams.catalogue.entries.handling import HANDLING
from streams.catalogue.entries.messages import MESSAGES, PENDING
from streams.catalogue.entries.now import NOW
from streams.catalogue.entries.opinions import OPINIONS
from streams.catalogue.entries.outbound import OUTBOUND
from streams.catalogue.entries.people import PEOPLE
from streams.catalogue.entries.staff import STAFF
from streams.catalogue.entries.subjects import SUBJECTS
from streams.catalogue.entries.targets import TARGETS
from streams.catalogue.entries.waiting import WAITING
from streams.catalogue.model import AGENT_STATES, DIMENSIONS, Dimension, Direction, Kpi, Subject, Unit, WindowKind

__all__ = [
    "AGENT_STATES",
    "DIMENSIONS",
    "KPIS",
    "KPI_BY_ID",
    "Dimension",
    "Direction",
    "Kpi",
    "Subject",
    "Unit",
    "WindowKind",
    "kind_of_window",
    "window_label",
]

KPIS: tuple[Kpi, ...] = (
    *WAITING,
    *HANDLING,
    *DIGITAL,
    *MESSAGES,
    *OPINIONS,
    *OUTBOUND,
    *SUBJECTS,
    *PEOPLE,
    *STAFF,
    *CUSTOMERS,
    *NOW,
    *PENDING,
    *TARGETS,
)

KPI_BY_ID: dict[str, Kpi] = {kpi.id: kpi for kpi in KPIS}

#: Windows that are the only one of their kind.
_SINGLE: tuple[WindowKind, ...] = ("day", "customers_day", "customers_month")

#: The most digits of the minutes in the name of a window.
_MOST_DIGITS = 5


def kind_of_window(window: str) -> WindowKind:
    """Return the kind of a window named as in metric records, such as ``trailing_15m``; raise ValueError for any other text."""
    for kind_only in _SINGLE:
        if window == kind_only:
            return kind_only
    kind, _, length = window.partition("_")
    minutes = length.removesuffix("m")
    if length.endswith("m") and len(minutes) <= _MOST_DIGITS and minutes.isascii() and minutes.isdecimal():
        if kind == "trailing":
            return "trailing"
        if kind == "interval":
            return "interval"
    raise ValueError(f"no window is named {window!r}: use trailing_15m, interval_30m or day, with the minutes you want")


def window_label(window: str) -> str:
    """Return the ``window`` label of Prometheus: ``15m`` for ``trailing_15m``, other names unchanged."""
    return window.removeprefix("trailing_")
