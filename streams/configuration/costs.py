"""Costs of working time: one currency, hourly rates, and fixed costs of teams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field

from streams.configuration.base import PERMITTED, Model, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["COST_SCALE", "Costs", "TeamCosts", "cost_problems", "scaled"]

#: Amounts are counted in hundredths: a day of thousands of agents at the highest rate is still a 64-bit integer of ms × hundredths.
COST_SCALE: Final = 100

_CURRENCY: Final = r"^[A-Z]{3}$"
PERMITTED[_CURRENCY] = "an ISO 4217 code such as JPY or EUR"


def scaled(amount: float) -> int:
    """Return an amount in hundredths."""
    return round(amount * COST_SCALE)


def _in_hundredths(amount: float) -> float:
    if abs(amount * COST_SCALE - scaled(amount)) > 1e-6:  # noqa: PLR2004 - far below a decimal, far above a rounding
        message = f"found {amount!r}; permitted: a number with at most two decimals"
        raise refuse(message)
    return amount


Amount = Annotated[float, Field(ge=0, le=1_000_000), AfterValidator(_in_hundredths)]
Currency = Annotated[str, Field(pattern=_CURRENCY)]


class Costs(Model):
    """The default cost of an hour of work."""

    currency: Currency
    """The currency of all amounts: every team counts in the total, so there is one."""
    hourly: Amount
    """The cost of an hour of worked time; at most two decimals."""


class TeamCosts(Model):
    """The costs of a team where they differ."""

    currency: Currency | None = None
    """That of `costs`, if given at all."""
    hourly: Amount | None = None
    """The cost of an hour of worked time in this team."""
    fixed_per_hour: Amount = 0
    """Further costs of the team for each hour in which it works: rent, licenses."""


def cost_problems(root: Mapping[str, Any]) -> Iterator[tuple[tuple[int | str, ...], str, tuple[int | str, ...] | None]]:
    """Yield location, reason and another location for costs of teams that contradict the file's; parts without a valid form are skipped."""
    costs, teams = root.get("costs"), root.get("teams")
    for name, team in teams.items() if isinstance(teams, dict) else ():
        own = team.get("costs") if isinstance(team, dict) else None
        if not isinstance(own, dict):
            continue
        if costs is None:
            yield (
                ("teams", name, "costs"),
                "a team's costs count only beside `costs`; permitted: with `costs`, its currency and hourly",
                None,
            )
            continue
        own_currency, everyone = own.get("currency"), costs.get("currency") if isinstance(costs, dict) else None
        if isinstance(own_currency, str) and isinstance(everyone, str) and own_currency != everyone:
            reason = f"{own_currency!r} and {everyone!r} would be added up, at least in total; permitted: {everyone}, or no currency here"
            yield ("teams", name, "costs", "currency"), reason, ("costs", "currency")
