"""The simulated contact center: the same for the same seed, valid, consistent in itself, honest in its heartbeats, and quick."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.events import parse_agent_event, parse_contact_event
from schemas.times import format_ms, parse_time_ms
from streams.configuration import Configuration, load_configuration
from streams.demo.day import CONFIGURATION, configuration_text, opening_ms
from streams.demo.simulator import MAX_DELAY_MS, SOURCES, Emission, HeartbeatPlan, Simulation, final_heartbeats, load_events
from streams.demo.simulator.center import QUEUES, TEAMS
from streams.demo.simulator.emission import time_text
from tests.support.cpu import timed

if TYPE_CHECKING:
    from pathlib import Path

START_MS = 1_795_305_600_000
HOUR_MS = 3_600_000
BUSY = {"talking", "chatting", "writing"}


def simulated(hours: float, seed: int = 3) -> list[Emission]:
    """Return what the first hours bring."""
    end_ms = START_MS + int(hours * HOUR_MS)
    return list(takewhile(lambda each: each.published_ms < end_ms, Simulation(seed=seed, start_ms=START_MS).emissions()))


@pytest.fixture(scope="module")
def day() -> list[Emission]:
    """A whole day."""
    return simulated(24)


def occurred(event: dict[str, Any]) -> int:
    """Return when an event happened."""
    return parse_time_ms(event["occurred_at"])


def facts(day: list[Emission], destination: str) -> dict[str, list[dict[str, Any]]]:
    """Return the events of each conversation or person, each once, in the order of happening."""
    once = {each.event["event_id"]: each for each in day if each.destination == destination}
    found = defaultdict(list)
    for number, each in sorted((int(event_id.rsplit("-", 1)[1]), each) for event_id, each in once.items()):
        assert number >= 0
        found[each.key].append(each.event)
    return found


class TestStream:
    """The stream as a whole."""

    def test_same_seed_same_events(self) -> None:
        """Two runs of one seed and start give the same events in the same order."""
        first = list(islice(Simulation(seed=5, start_ms=START_MS).emissions(), 20_000))

        assert first == list(islice(Simulation(seed=5, start_ms=START_MS).emissions(), 20_000))

    def test_another_seed_other_events(self) -> None:
        """Another seed is another day."""
        mine, other = simulated(0.5, seed=5), simulated(0.5, seed=6)

        assert [each.event for each in mine] != [each.event for each in other]

    def test_heartbeats_change_nothing_else(self) -> None:
        """The interval of heartbeats changes no other event."""
        often = Simulation(seed=5, start_ms=START_MS, heartbeats=HeartbeatPlan(live_from_ms=START_MS + HOUR_MS // 2)).emissions()
        rarely = Simulation(seed=5, start_ms=START_MS).emissions()

        def others(emissions: Any) -> list[tuple[Any, ...]]:
            happened = (each for each in emissions if each.destination != "every-partition")
            return [(each.published_ms, each.key, each.event["type"]) for each in islice(happened, 15_000)]

        assert others(often) == others(rarely)

    def test_every_event_is_valid(self, day: list[Emission]) -> None:
        """Every event is one of the contract's, with nothing in it that the contract does not know."""
        for each in day:
            parse = parse_agent_event if each.destination == "agent-events" else parse_contact_event
            parsed = parse(orjson.dumps(each.event))

            assert set(each.event) <= set(type(parsed).model_fields), each.event

    def test_published_in_order(self, day: list[Emission]) -> None:
        """Events come in the order of publishing, each when it is received, a little after it happened."""
        published = [each.published_ms for each in day]

        assert published == sorted(published)
        for each in day:
            assert parse_time_ms(each.event["received_at"]) == each.published_ms
            assert 0 <= each.published_ms - occurred(each.event) <= MAX_DELAY_MS

    def test_heartbeats_never_lie(self, day: list[Emission]) -> None:
        """After a heartbeat its source publishes nothing that occurred before the heartbeat's complete-through."""
        complete = dict.fromkeys(SOURCES, 0)
        close = 0
        for each in day:
            source = each.event["source"]
            if each.destination == "every-partition":
                promised = parse_time_ms(each.event["complete_through"])
                assert complete[source] <= promised <= each.published_ms
                complete[source] = promised
            else:
                assert occurred(each.event) >= complete[source], each.event
                close += occurred(each.event) - complete[source] < MAX_DELAY_MS
        assert close > 0, "no event came close to a promise: the test proves nothing"

    def test_every_source_publishes(self, day: list[Emission]) -> None:
        """Every source sends heartbeats at least twice a minute, so that none is ever taken for dead."""
        published_ms: dict[str, list[int]] = defaultdict(list)
        for each in day:
            if each.destination == "every-partition":
                published_ms[each.key].append(each.published_ms)

        assert set(published_ms) == set(SOURCES)
        for times in published_ms.values():
            assert max(later - earlier for earlier, later in pairwise(times)) <= 30_000

    def test_live_heartbeats_come_every_second(self) -> None:
        """Under a live view, every source sends a heartbeat once a second."""
        live_ms = START_MS + 600_000
        stream = Simulation(seed=1, start_ms=START_MS, heartbeats=HeartbeatPlan(live_from_ms=live_ms)).emissions()
        beats = [each for each in takewhile(lambda each: each.published_ms < live_ms + 60_000, stream) if each.key == "sim-mail"]
        live = [each.published_ms for each in beats if each.published_ms >= live_ms and each.destination == "every-partition"]

        assert len(live) == 60

    def test_some_events_are_repeated(self, day: list[Emission]) -> None:
        """A few events come twice under the same id, as from a sender that tries again."""
        times = Counter(each.event["event_id"] for each in day)

        assert 0 < sum(count - 1 for count in times.values()) < len(day) / 100
        assert max(times.values()) == 2

    def test_a_day_takes_seconds(self) -> None:
        """A whole day of some ten thousand conversations is simulated in seconds of a processor."""
        with timed() as taken:
            day = simulated(24, seed=9)

        assert taken[0] < 20
        assert 9_000 < sum(each.event["type"] == "contact.arrived" for each in day) < 14_000

    def test_time_text_is_the_contracts(self) -> None:
        """The quick way to write a time writes what the contract's does."""
        for ms in (0, 1, 999, 1_000, START_MS + 59_999, 4_102_444_800_123):
            assert time_text(ms) == format_ms(ms)


class TestContacts:
    """Conversations."""

    def test_answers_follow_queues(self, day: list[Emission]) -> None:
        """What is answered was waiting in that queue, and nothing is answered twice from one stay."""
        answered = 0
        for events in facts(day, "contact-events").values():
            waiting: str | None = None
            for event in events:
                kind = event["type"]
                if kind == "contact.queued":
                    assert waiting is None, events
                    waiting = event["queue"]
                elif kind in {"contact.answered", "contact.left_queue"}:
                    assert waiting == event["queue"], events
                    waiting = None
                    answered += kind == "contact.answered"
                elif kind == "contact.excluded" or (kind == "contact.message" and event["author_kind"] == "agent" and waiting):
                    waiting = None
        assert answered > 5_000

    def test_sequences_follow_time(self, day: list[Emission]) -> None:
        """The sequence within a conversation grows as its time does."""
        for events in facts(day, "contact-events").values():
            assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
            times = [occurred(event) for event in events]
            assert times == sorted(times)

    def test_wrap_up_ends_what_it_began(self, day: list[Emission]) -> None:
        """Every finished wrap-up began with the same person, and calls promise to report hold and wrap-up."""
        for events in facts(day, "contact-events").values():
            wrapping = set()
            for event in events:
                if event["type"] == "contact.wrap_up_started":
                    wrapping.add(event["agent"])
                elif event["type"] == "contact.wrapped_up":
                    wrapping.remove(event["agent"])
                elif event["type"] == "contact.answered" and event["source"] == "sim-telephony":
                    assert event["reports"] == ["hold", "wrap_up"]

    def test_everything_happens(self, day: list[Emission]) -> None:
        """A day has of everything: abandons, overflows, transfers, unanswered rings, spam, callbacks, surveys, complaints, bots."""
        kinds = Counter(each.event["type"] for each in day)
        reasons = Counter(each.event.get("reason") for each in day if each.event["type"] == "contact.left_queue")
        outcomes = Counter(each.event.get("outcome") for each in day)
        customers = Counter(each.event.get("customer_key") for each in day if each.event["type"] == "contact.arrived")
        customers.pop(None)

        wanted = (
            "contact.held",
            "contact.resumed",
            "contact.consult_started",
            "contact.transferred",
            "contact.not_offered",
            "contact.excluded",
            "contact.work_started",
            "contact.callback_ended",
            "survey.answered",
            "contact.categorized",
            "contact.handed_over",
            "self_service.ended",
        )
        assert min(kinds[kind] for kind in wanted) > 0
        assert min(reasons["abandoned"], reasons["overflow"], outcomes["no_answer"], outcomes["withdrawn"]) > 0
        assert any(each.event.get("status") == "reopened" for each in day)
        assert any(each.event.get("complaint") for each in day)
        assert max(customers.values()) > 1

    def test_callbacks_and_surveys_go_in_order(self, day: list[Emission]) -> None:
        """Who asks for a callback has left a queue for it and is called until it ends, once; an answer is to the survey that was asked."""
        ended: Counter[str] = Counter()
        answers: Counter[str] = Counter()
        for events in facts(day, "contact-events").values():
            pending, asked = False, None
            for before, event in pairwise(events):
                kind = event["type"]
                if kind == "contact.callback_requested":
                    assert (before["type"], before["reason"], pending) == ("contact.left_queue", "callback", False)
                    pending = True
                elif kind == "contact.callback_attempted":
                    assert pending
                elif kind == "contact.callback_ended":
                    assert pending
                    assert (before["type"], before["outcome"]) == ("contact.callback_attempted", event["outcome"])
                    pending = False
                    ended[event["outcome"]] += 1
                elif kind == "survey.invited":
                    asked = (event["kind"], event["scale"])
                elif kind == "survey.answered":
                    assert (event["kind"], event["scale"]) == asked
                    lowest, highest = map(int, event["scale"].split("-"))
                    assert lowest <= event["score"] <= highest
                    answers[event["kind"]] += 1
        assert set(ended) == {"reached", "no_answer"}
        assert min(answers["csat"], answers["nps"]) > 100

    def test_an_agent_who_consults_stays_with_the_customer(self, day: list[Emission]) -> None:
        """Each consultation begins and ends within the chat of the agent who asks."""
        asked = 0
        for events in facts(day, "contact-events").values():
            with_customer = asking = None
            for event in events:
                match event["type"]:
                    case "contact.answered":
                        with_customer = event["agent"]
                    case "contact.consult_started":
                        assert (asking, event["agent"]) == (None, with_customer)
                        asking, asked = event["agent"], asked + 1
                    case "contact.consult_ended":
                        assert event["agent"] == asking
                        asking = None
                    case "contact.ended":
                        assert asking is None
        assert asked > 100

    def test_every_voice_queue_is_alive(self, day: list[Emission]) -> None:
        """In any quarter of an hour every voice queue answers a call, and one that was answered is wrapped up."""
        voice = {name for name, queue in QUEUES.items() if queue.channel == "voice"}
        answered: dict[str, list[int]] = {name: [START_MS] for name in voice}
        for each in day:
            if each.event["type"] == "contact.answered" and each.event["queue"] in voice:
                answered[each.event["queue"]].append(occurred(each.event))
        for name, times in answered.items():
            ordered = [*sorted(times), START_MS + 24 * HOUR_MS]
            gaps = [later - earlier for earlier, later in pairwise(ordered)]
            assert max(gaps) < 10 * 60_000, name


def states(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the changes of state among events about people."""
    return [event for event in events if event["type"] == "agent.state_changed"]


class TestPeople:
    """People's states."""

    def test_busy_time_is_contact_time(self, day: list[Emission]) -> None:
        """The time a person talks is the time of the calls that the person answered, to the millisecond."""
        legs: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for events in facts(day, "contact-events").values():
            began: dict[str, int] = {}
            for event in events:
                if event["source"] != "sim-telephony":
                    continue
                if event["type"] == "contact.answered":
                    began[event["agent"]] = occurred(event)
                elif event["type"] == "contact.wrap_up_started":
                    legs[event["agent"]].append((began.pop(event["agent"]), occurred(event)))
        talked: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for person, events in facts(day, "agent-events").items():
            since: int | None = None
            for event in events:
                if event.get("axis") == "activity":
                    if since is not None:
                        talked[person].append((since, occurred(event)))
                    since = occurred(event) if event["state"] == "talking" else None

        assert {person: sorted(each) for person, each in legs.items()} == dict(talked)
        assert len(legs) > 20

    def test_no_work_while_away(self, day: list[Emission]) -> None:
        """Agents do not work on a break or at home, and every agent comes back from a break."""
        breaks = 0
        for events in facts(day, "agent-events").values():
            presence, activity = "offline", "idle"
            for event in states(events):
                if event["axis"] == "presence":
                    presence = event["state"]
                    assert presence == "available" or activity == "idle", events
                    breaks += presence in {"break", "lunch", "meal"}
                else:
                    activity = event["state"]
                    assert activity == "idle" or presence == "available", events
        assert breaks > 100

    def test_some_breaks_are_overstayed(self, day: list[Emission]) -> None:
        """By day three in ten last 8 to 30 minutes longer than planned, so that the page has agents to mark; no meeting does."""
        left: dict[str, tuple[str, int]] = {}
        lasted: dict[str, list[int]] = {}
        for emission in day:
            event = emission.event
            if event["type"] != "agent.state_changed" or event["axis"] != "presence":
                continue
            at = parse_time_ms(event["occurred_at"])
            if event["state"] == "available" and event["person_id"] in left:
                state, since = left.pop(event["person_id"])
                lasted.setdefault(state, []).append((at - since) // 60_000)
            elif event["state"] in {"break", "lunch", "meal", "meeting"}:
                left[event["person_id"]] = event["state"], at
        breaks = lasted["break"]
        # Planned are 12 and 15 minutes; marked are those of more than 15.
        late = sum(minutes > 15 for minutes in breaks)
        assert len(breaks) > 60
        assert 0.1 < late / len(breaks) < 0.35
        assert max(breaks) <= 15 + 30
        assert max(lasted["meeting"]) <= 30

    def test_three_chats_at_most(self, day: list[Emission]) -> None:
        """A person has up to three chats at a time, and often more than one; who talks or writes can take none."""
        slots = Counter((each.event["capacity"], each.event["in_use"]) for each in day if "in_use" in each.event)

        assert set(slots) == {(0, 0), (3, 0), (3, 1), (3, 2), (3, 3)}

    def test_shifts_are_planned(self, day: list[Emission]) -> None:
        """Every agent's shift is published before it begins, or at the opening, with work first and the pauses over it."""
        plans = [each.event for each in day if each.event["type"] == "schedule.planned"]
        late = [plan for plan in plans if plan["activity"] == "work" and parse_time_ms(plan["start"]) < occurred(plan) > START_MS]

        assert late == []
        assert {plan["activity"] for plan in plans} == {"work", "break", "lunch", "meal", "meeting"}
        assert len({plan["person_id"] for plan in plans}) == 45
        assert all(plan["sequence"] == 1 for plan in plans if plan["activity"] == "work")

    def test_every_team_is_at_work(self, day: list[Emission]) -> None:
        """Every team has an agent present at any time: the last one leaves neither for a break nor home."""
        there: dict[str, set[str]] = {team.name: set() for team in TEAMS}
        for each in sorted((each for each in day if each.destination == "agent-events"), key=lambda each: occurred(each.event)):
            event = each.event
            if event.get("axis") == "presence":
                if event["state"] in {"available", "not_responding"}:
                    there[event["team"]].add(event["person_id"])
                else:
                    there[event["team"]].discard(event["person_id"])
                    assert there[event["team"]], event
        assert all(there.values())

    def test_forty_five_people(self, day: list[Emission]) -> None:
        """Every state of a person names team and site, and the teams have nine people each."""
        teams = defaultdict(set)
        for each in day:
            if each.event["type"] == "agent.state_changed":
                teams[each.event["team"], each.event["site"]].add(each.key)

        assert {team: len(people) for (team, _), people in teams.items()} == dict.fromkeys((team.name for team in TEAMS), 9)


class TestConfiguration:
    """The configuration that goes with it."""

    def test_names_match(self) -> None:
        """The configuration knows the simulated queues, teams and sites, and no others."""
        configuration = load_configuration(CONFIGURATION)

        assert {name: queue.channel for name, queue in configuration.queues.items()} == {
            name: queue.channel for name, queue in QUEUES.items()
        }
        assert {name: queue.site for name, queue in configuration.queues.items()} == {name: queue.site for name, queue in QUEUES.items()}
        assert {name: team.site for name, team in configuration.teams.items()} == {team.name: team.site for team in TEAMS}
        expected = {f"agent-{team.prefix + number}": team.name for team in TEAMS for number in range(1, 10)}
        assert {name: person.team for name, person in configuration.people.items()} == expected

    @pytest.mark.parametrize("hour", range(24))
    def test_days_begin_at_the_opening(self, hour: int, tmp_path: Path) -> None:
        """Whatever the hour, every site's day begins when the center opens, and the default zone's at most an hour before."""
        opened_ms = opening_ms(START_MS + hour * HOUR_MS + 47 * 60_000)
        file = tmp_path / "configuration.yaml"
        file.write_text(configuration_text(opened_ms), encoding="utf-8")
        configuration: Configuration = load_configuration(file)

        for name, site in configuration.sites.items():
            local = time_of_day(opened_ms, configuration, name)
            assert local == site.day_start
        assert time_of_day(opened_ms, configuration, None).startswith("00:")


def time_of_day(ms: int, configuration: Configuration, site: str | None) -> str:
    """Return the wall time of a site."""
    from schemas.times import from_ms

    return from_ms(ms).astimezone(configuration.zone_of_site(site)).strftime("%H:%M")


class TestLoad:
    """Load for benchmarks."""

    def test_exact_number(self) -> None:
        """Exactly as many events come as were asked for, the same each time."""
        first = list(load_events(5_000, seed=2, rate=7))

        assert len(first) == 5_000
        assert first == list(load_events(5_000, seed=2, rate=7))

    def test_copies_are_centers_of_their_own(self) -> None:
        """Side by side, centers share queues but no conversation, person or event id."""
        load = list(load_events(30_000, seed=2, rate=3))
        conversations = {each.key for each in load if each.destination == "contact-events"}
        of_one = {key for key in conversations if "~" not in key}
        ids = Counter((each.event["event_id"], each.published_ms) for each in load)

        assert len(conversations) == pytest.approx(3 * len(of_one), abs=3)
        assert max(ids.values()) == 1
        for each in load:
            identity = each.event.get("person_id") or each.event.get("agent")
            if identity:
                assert ("~" in identity) == ("~" in each.key)

    def test_copies_are_valid(self) -> None:
        """Copied events are as valid as the ones they are copied from."""
        for each in load_events(3_000, seed=2, rate=4):
            (parse_agent_event if each.destination == "agent-events" else parse_contact_event)(orjson.dumps(each.event))

    def test_fast(self) -> None:
        """A hundred thousand events take a second or two of a processor."""
        with timed() as taken:
            assert sum(1 for _ in load_events(100_000, seed=1)) == 100_000

        assert taken[0] < 5


def test_final_heartbeats() -> None:
    """The last heartbeats of all sources report completeness up to their own instant."""
    final = final_heartbeats(START_MS, "x")

    assert {each.key for each in final} == set(SOURCES)
    for each in final:
        assert each.event["complete_through"] == each.event["received_at"] == format_ms(START_MS)
        parse_contact_event(orjson.dumps(each.event))
    assert len({each.event["event_id"] for each in final}) == len(SOURCES)
