"""By offer, by outcome, in proportion: the worked examples of Genesys and Amazon Connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.agent import AgentModel, AgentStateChanged
from schemas.contact import ContactAnswered, ContactEnded, ContactQueued, ContactWrappedUp
from schemas.times import parse_time_ms
from streams.configuration import Configuration
from streams.replay import Replay
from tests.oracle.reporting import report

if TYPE_CHECKING:
    from schemas.base import Event


def replayed(events: list[Event], *attribution: str) -> dict[str, dict[str, Any]]:
    """Return the latest records after a replay in half hours."""
    counting = {"interval_minutes": [30], **({"attribution": list(attribution)} if attribution else {})}
    replay = Replay(Configuration.model_validate({"queues": {"sales": {}}, "teams": {"red": {}}, "counting": counting}))
    for each in events:
        replay.add(each.model_dump_json(exclude_none=True).encode(), "agent" if isinstance(each, AgentModel) else "contact")
    replay.finish()
    return replay.latest


def half_hour(records: dict[str, dict[str, Any]], begin: str, of: str = "voice|queue:sales") -> dict[str, Any]:
    """Return the record of the half hour that begins at a time of that day."""
    return records[f"window|interval_30m|{of}|{parse_time_ms(f'2026-06-15T{begin}:00Z')}"]


def parts(figure: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return value, numerator and denominator."""
    return figure["value"], figure["numerator"], figure["denominator"]


class TestOfferedAndAnsweredInDifferentIntervals:
    """Genesys: offered 7:28, answered 7:32."""

    EVENTS = (
        report(ContactQueued, 0, start="2026-06-15T07:28:00Z", queue="sales", channel="voice"),
        report(ContactAnswered, 240, start="2026-06-15T07:28:00Z", agent="ann"),
    )

    def test_by_outcome_the_answer_is_in_the_second(self) -> None:
        """Offered in 7:00-7:30, answered in 7:30-8:00, with the wait; each rate is of what was decided in its interval."""
        records = replayed([*self.EVENTS], "offer", "outcome")
        first, second = half_hour(records, "07:00")["by_outcome"]["kpis"], half_hour(records, "07:30")["by_outcome"]["kpis"]

        assert (first["offered"]["value"], first["answered"]["value"]) == (1, 0)
        assert (second["offered"]["value"], second["answered"]["value"]) == (0, 1)
        assert parts(first["answer_rate"]) == (None, 0, 0)
        assert parts(second["answer_rate"]) == (1, 1, 1)
        assert parts(second["asa"]) == (240, 240, 1)
        assert parts(second["service_level"]) == (0, 0, 1)

    def test_by_offer_both_are_in_the_first(self) -> None:
        """One cohort: the answer counts where the contact was offered."""
        records = replayed([*self.EVENTS], "offer", "outcome")
        kpis = half_hour(records, "07:00")["kpis"]

        assert parts(kpis["answer_rate"]) == (1, 1, 1)
        assert half_hour(records, "07:30")["kpis"]["answered"]["value"] == 0

    def test_by_default_only_by_offer(self) -> None:
        """By default there are no figures by outcome, and the second half hour has no record."""
        records = replayed([*self.EVENTS])

        assert "by_outcome" not in half_hour(records, "07:00")
        assert not any(f"|{parse_time_ms('2026-06-15T07:30:00Z')}" in key for key in records)


class TestALongContact:
    """Amazon Connect: from 05:23 to 06:15, in intervals of 30 minutes."""

    def test_its_handle_time_is_booked_at_its_end(self) -> None:
        """By outcome the contact's 52 minutes are entirely in 06:00-06:30; by offer, where it began."""
        start = "2026-06-15T05:23:00Z"
        events: list[Event] = [
            report(ContactQueued, 0, start=start, queue="sales", channel="voice"),
            report(ContactAnswered, 0, start=start, agent="ann"),
            report(ContactEnded, 52 * 60, start=start, by="agent"),
            report(ContactWrappedUp, 52 * 60, start=start, agent="ann", wrap_up_seconds=0),
        ]
        records = replayed(events, "offer", "outcome")

        assert parts(half_hour(records, "06:00")["by_outcome"]["kpis"]["aht"]) == (52 * 60, 52 * 60, 1)
        assert parts(half_hour(records, "05:00")["by_outcome"]["kpis"]["aht"]) == (None, 0, 0)
        assert parts(half_hour(records, "05:00")["kpis"]["aht"]) == (52 * 60, 52 * 60, 1)

    def test_its_agents_time_is_split_in_proportion(self) -> None:
        """7, 30 and 15 minutes of handling in the three intervals."""
        start = "2026-06-15T05:23:00Z"
        events: list[Event] = [
            report(AgentStateChanged, 0, "ann", start=start, axis="activity", state="on call", team="red"),
            report(AgentStateChanged, 52 * 60, "ann", start=start, axis="activity", state="idle", team="red"),
            report(AgentStateChanged, 70 * 60, "ann", start=start, axis="presence", state="offline", team="red"),
        ]
        records = replayed(events)

        found = [half_hour(records, begin, "-|team:red")["counts"].get("handling_ms") for begin in ("05:00", "05:30", "06:00")]
        assert found == [7 * 60_000, 30 * 60_000, 15 * 60_000]
        assert parts(half_hour(records, "06:00", "-|team:red")["kpis"]["occupancy"])[1] == 15 * 60
