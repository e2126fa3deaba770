"""From sums to the figures about customers (``docs/counting.md`` section 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.windows.figures import flow, share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.windows.figures import Figure

__all__ = ["SMALLEST_GROUP", "cohort_kpis", "customer_kpis", "retention_kpis"]

#: The value of fewer customers would tell what one of them spends.
SMALLEST_GROUP = 5


def cohort_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about the contacts of known customers that began in a day."""
    return {
        "repeat_contact_rate": {**flow(sums, "repeated_contacts", "customer_contacts"), "coverage": None},
        "first_contact_resolution_with_repeats": {**flow(sums, "customer_resolved_once", "customer_resolved"), "coverage": None},
    }


def customer_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers at the end of a day."""
    return {
        "repeat_customer_rate": flow(sums, "repeat_customers", "order_customers"),
        "repeat_customer_rate_after_contact": flow(sums, "repeat_customers_after_contact", "order_customers_after_contact"),
        "lifetime_value": _lifetime_value(sums),
    }


def _lifetime_value(sums: Mapping[str, int]) -> Figure:
    customers, value = sums.get("supported_customers", 0), sums.get("supported_value_milli", 0)
    if customers < SMALLEST_GROUP:
        return {"value": None, "numerator": None, "denominator": None, "coverage": None}
    coverage = share(sums.get("supported_orders_valued", 0), sums.get("supported_orders", 0))
    return {"value": value / (1000 * customers), "numerator": value / 1000, "denominator": customers, "coverage": coverage}


def retention_kpis(sums: Mapping[str, int]) -> dict[str, Figure]:
    """Return the figures about customers who stay through a month."""
    lost = sums.get("active_at_start", 0) - sums.get("retained_customers", 0)
    return {
        "retention_rate": flow(sums, "retained_customers", "active_at_start"),
        "churn_rate": flow({**sums, "lost_customers": lost}, "lost_customers", "active_at_start"),
    }
