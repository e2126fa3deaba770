"""Figures about people and staff of one window (``docs/counting.md`` section 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from streams.configuration.costs import COST_SCALE
from streams.windows.figures import count, ratio, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.windows.figures import Figure

__all__ = ["STAFF", "StaffTerms", "staff_kpis", "worked_ms"]

_HOUR_MS: Final = 3_600_000
_AT_WORK: Final = ("handling_ms", "wrap_up_ms", "idle_ms", "available_ms")
_PLANNED: Final = ("adhered", "missed", "unknown")
_NOTHING: Final[Figure] = {"value": None, "numerator": None, "denominator": None, "coverage": None}


class StaffTerms(NamedTuple):
    """What figures of a window need beside its sums."""

    length_ms: int | None = None
    """How long the window is; None for a whole input, which has no staff."""
    fixed_per_hour: int | None = None
    """What the scope costs beside its people, in hundredths an hour; None without costs."""
    individual: bool = False
    """Whether it is about a single person."""


#: Of a scope without costs, and of an input without a length.
STAFF: Final = StaffTerms()


def worked_ms(sums: Mapping[str, int]) -> int:
    """Return the time in every category that is booked."""
    return _sum(sums, (*_AT_WORK, "unavailable_ms"))


def staff_kpis(sums: Mapping[str, int], terms: StaffTerms) -> dict[str, Figure]:
    """Return how people spent their time beside occupancy, how that was planned, what they handled and what it cost."""
    worked, at_work = worked_ms(sums), _sum(sums, _AT_WORK)
    busy, handled = _sum(sums, ("handling_ms", "wrap_up_ms")), sums.get("handled", 0)
    told = share(worked - sums.get("available_ms", 0), worked)
    attributed = share(worked - sums.get("unattributed_ms", 0), worked)
    planned = {f"{kind}_{how}": sums.get(f"planned_{kind}_{how}_ms", 0) for kind in ("work", "other") for how in _PLANNED}
    of_work = sum(planned[f"work_{how}"] for how in _PLANNED)
    everything = sum(planned.values())
    unknown = planned["work_unknown"] + planned["other_unknown"]
    kpis: dict[str, Figure] = {
        "utilization": _time(busy, worked, told),
        "utilization_with_idle": _time(busy + sums.get("idle_ms", 0), worked, told),
        "occupancy_slot_weighted": _time(
            sums.get("slot_in_use_ms", 0), sums.get("slot_capacity_ms", 0), share(sums.get("slotted_ms", 0), at_work)
        ),
        "adherence": _time(planned["work_adhered"] + planned["other_adhered"], everything, share(everything - unknown, everything)),
        "shrinkage": _time(planned["work_missed"] + planned["work_unknown"], of_work, share(of_work - planned["work_unknown"], of_work)),
        "contacts_per_hour": {
            "value": share(handled * _HOUR_MS, worked),
            "numerator": handled,
            "denominator": worked / _HOUR_MS,
            "coverage": attributed,
        },
    }
    if terms.individual:
        kpis["handled_per_agent"] = count(handled)
    else:
        kpis["cost_per_contact"] = _cost(sums, terms.fixed_per_hour, handled, attributed)
    if terms.length_ms is not None:
        kpis["staff_scheduled"] = _time(of_work, terms.length_ms, 1.0) if everything else _NOTHING
        kpis["staff_actual"] = _time(at_work, terms.length_ms, 1.0) if worked or everything > unknown else _NOTHING
    return kpis


def _sum(sums: Mapping[str, int], fields: tuple[str, ...]) -> int:
    return sum(sums.get(field, 0) for field in fields)


def _time(part_ms: int, whole_ms: int, coverage: float | None) -> Figure:
    """Return a ratio of two times, its parts in seconds; integers are divided once."""
    return {**ratio(part_ms, whole_ms, coverage), "numerator": part_ms / 1000, "denominator": whole_ms / 1000}


def _cost(sums: Mapping[str, int], fixed_per_hour: int | None, handled: int, coverage: float | None) -> Figure:
    if fixed_per_hour is None:
        return _NOTHING
    # Contacts of people who tell no time of theirs cost something, too: how much is not known.
    cost, unit = sums.get("labor_cost", 0) + sums.get("staffed_ms", 0) * fixed_per_hour, _HOUR_MS * COST_SCALE
    value = None if coverage is None else share(cost, unit * handled)
    return {"value": value, "numerator": cost / unit, "denominator": handled, "coverage": coverage}
