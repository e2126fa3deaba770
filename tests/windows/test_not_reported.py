"""Where no source that feeds a scope reports what a figure counts, the figure is null there, and so it is judged and served."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.contact import ContactAgentOffered, ContactAnswered, ContactEnded, ContactOfferEnded, ContactQueued
from streams.configuration import Configuration
from streams.windows.not_reported import not_reported
from tests.support.platforms import counted

SILENT = ["non_response", "transfer_rate"]

#: Voice of Berlin comes from a switch that reports little, its mail from a desk; Tokyo has another switch.
CONFIGURATION: dict[str, Any] = {
    "sites": {"berlin": {"zone": "Europe/Berlin"}, "tokyo": {"zone": "Asia/Tokyo"}},
    "queues": {
        "sales": {"channel": "voice", "site": "berlin", "department": "front", "sources": ["plain"]},
        "care": {"channel": "voice", "site": "berlin", "department": "back", "sources": ["plain", "full"]},
        "mails": {"channel": "mail", "site": "berlin", "department": "front", "sources": ["desk"]},
        "osaka": {"channel": "voice", "site": "tokyo", "department": "back", "sources": ["plain"]},
        "any": {"channel": "voice", "site": "tokyo", "department": "side"},
    },
    "teams": {"red": {"site": "berlin", "sources": ["plain"]}, "blue": {"site": "berlin", "sources": ["full"]}},
    "people": {"ann": {"team": "red"}, "bo": {"team": "blue"}},
    "sources": {"plain": {"not_reported": SILENT}, "full": {}},
}


@pytest.mark.parametrize(
    ("scope", "channel", "is_null"),
    [
        ("queue:sales", "voice", True),  # its one source does not report it
        ("queue:care", "voice", False),  # another source reports it
        ("queue:any", "voice", False),  # no list: all sources, and two of them report it
        ("queue:unknown", "voice", False),  # not configured: likewise
        ("department:front", "voice", True),  # of its queues only one has calls
        ("department:front", "mail", False),  # and the other mail, of a source without ``not_reported``
        ("department:back", "voice", False),  # two queues, one of which is reported
        ("site:berlin", "voice", False),
        ("site:tokyo", "voice", False),  # one of its queues takes from all
        ("team:red", None, True),
        ("team:blue", None, False),
        ("agent:ann", None, True),
        ("agent:bo", None, False),
        ("agent:unknown", None, False),
        ("site:berlin", None, False),  # agents: two teams, one of which is reported
        ("total:all", "voice", False),
        ("total:all", None, False),
    ],
)
def test_scopes(scope: str, channel: str | None, *, is_null: bool) -> None:
    """Null where no source that feeds a scope reports it."""
    assert not_reported(Configuration.model_validate(CONFIGURATION), scope, channel) == frozenset(SILENT if is_null else ())


def test_alone() -> None:
    """What the only source of a center does not report is null everywhere; without configured sources no figure is."""
    alone = Configuration.model_validate({"sources": {"plain": {"not_reported": SILENT}}})
    assert not_reported(alone, "total:all", "mail") == not_reported(alone, "queue:x", "voice") == frozenset(SILENT)
    assert not_reported(Configuration(), "total:all", "mail") == frozenset()


def _call() -> list[Any]:
    def event(model: Any, second: int, **more: Any) -> Any:
        at = f"2026-06-15T12:00:{second:02}Z"
        about = {"event_id": f"e{second}", "conversation_id": "c", "channel": "voice", "source": "plain"}
        return model.model_validate({**about, "occurred_at": at, "received_at": at, **more})

    return [
        event(ContactQueued, 0, queue="sales"),
        event(ContactAgentOffered, 5, agent="ann"),
        event(ContactOfferEnded, 15, agent="ann", outcome="no_answer"),
        event(ContactAnswered, 20, agent="bo"),
        event(ContactEnded, 50, ended_by="customer"),
    ]


def test_figures() -> None:
    """One call that rang in vain once: its figure is 1 by what is counted, and null with coverage 0 by what is configured."""
    plain = counted(_call(), {})["queues"]["sales"]["voice"]["non_response"]
    silent = counted(_call(), CONFIGURATION)
    nothing = {"value": None, "numerator": None, "denominator": None, "coverage": 0.0}
    assert plain["value"] == 1
    assert silent["queues"]["sales"]["voice"]["non_response"] == nothing
    assert silent["queues"]["sales"]["voice"]["answered"]["value"] == 1
    assert silent["totals"]["non_response"]["value"] == 1, "other sources report the total"


@pytest.mark.parametrize("name", ["no_response", "waiting", "forecast_contacts", "active_customers"])
def test_what_is_no_figure_of_events_is_refused(name: str) -> None:
    """Only figures of windows of contacts or agents can be missing because a source is silent about them."""
    with pytest.raises(ValidationError, match=name):
        Configuration.model_validate({"sources": {"plain": {"not_reported": [name]}}})
