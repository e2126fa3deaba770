"""Public holidays by country, from the ``holidays`` package: substitute days included, nothing fetched."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field

from streams.configuration.base import PERMITTED, nearest, refuse

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["HolidayCalendar", "holiday_dates"]

_FORMAT: Final = "holiday calendar"
#: Letters of the longer codes of countries.
_LONG_CODE: Final = 3
PERMITTED[_FORMAT] = "a country such as JP, or a part of one such as DE-BE, by its codes of ISO 3166"


def _holidays() -> ModuleType:
    """Return the package, which takes long to import and is of use to those only who name a calendar."""
    return import_module("holidays")


def _known(name: str) -> str:
    countries = _holidays().list_supported_countries(include_aliases=False)
    country, dash, part = name.partition("-")
    if country not in countries:
        close = nearest(country.upper()[:2], countries) if len(country) <= _LONG_CODE else ""  # JPN, jp
        message = f"unknown holiday calendar {name!r}{close}; permitted: {', '.join(sorted(countries))}"
        raise refuse(message)
    parts = [f"{country}-{name}" for name in countries[country]]
    if dash and f"{country}-{part}" not in parts:
        message = f"unknown holiday calendar {name!r}{nearest(name, parts)}; permitted: {', '.join([country, *sorted(parts)])}"
        raise refuse(message)
    return name


#: ``JP`` or ``DE-BE``.
HolidayCalendar = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"format": _FORMAT})]


@lru_cache(maxsize=1024)
def holiday_dates(calendar: str, year: int) -> frozenset[int]:
    """Return the public holidays of a year as ordinals of their dates."""
    country, _, part = calendar.partition("-")
    days = _holidays().country_holidays(country, subdiv=part or None, years=year, expand=False)
    return frozenset(day.toordinal() for day in days)
