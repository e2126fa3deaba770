"""State is bounded: what a sender makes up, sends out of order or never ends costs no more than a stated amount."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from schemas.times import format_ms
from streams.configuration import Configuration
from streams.stages.track import AgentStage, ContactStage
from tests.stages.test_too_many_events import UNLIMITED, reasons
from tests.stages.test_track import TOPICS
from tests.support.cpu import timed
from tests.tracking.harness import event, ms, record

if TYPE_CHECKING:
    from streams.engine.stage import Record

_FACTS = 2_000
_KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("contact.queued", {"queue": "A"}),
    ("contact.answered", {"agent": "ann"}),
    ("contact.message", {"author_kind": "customer"}),
    ("contact.transferred", {}),
)


def _conversation() -> list[Record]:
    """Return 2,000 events of one conversation in half a minute, all received at its end."""
    kinds = [_KINDS[number % len(_KINDS)] for number in range(_FACTS)]
    return [
        record(event(kind, number / 100, conversation_id="c", event_id=f"e{number}", received=30, **fields))
        for number, (kind, fields) in enumerate(kinds)
    ]


def _person() -> list[Record]:
    states = ("idle", "interacting", "away")
    return [
        record(event("agent.state_changed", number / 100, person_id="p", axis="routing", state=states[number % 3], received=30))
        for number in range(_FACTS)
    ]


def _cpu_seconds(kind: type[ContactStage | AgentStage], records: list[Record], chunk: int) -> float:
    """Return the least of three times that records take, with a flush after every few of them."""
    taken = []
    for _ in range(3):
        stage = kind(0, UNLIMITED, TOPICS)
        with timed() as spent:
            for first, after in pairwise([*range(0, len(records), chunk), len(records)]):
                stage.process(records[first:after])
                flush = stage.collect()
        taken += spent
        assert set(reasons(flush)) <= {"too_many_out_of_order"}
    return min(taken)


@pytest.mark.parametrize("chunk", [_FACTS, 1])
@pytest.mark.parametrize(("kind", "records"), [(ContactStage, _conversation()), (AgentStage, _person())], ids=["contact", "person"])
def test_events_backwards_cost_little_more_than_in_order(kind: type[ContactStage | AgentStage], records: list[Record], chunk: int) -> None:
    """H3: 2,000 events of one conversation, or person, in reverse: at most five times the work of an ordered sequence, not eighty times."""
    assert _cpu_seconds(kind, records[::-1], chunk) <= 5 * _cpu_seconds(kind, records, chunk)


# ---- H4: names

_LIMITED = Configuration.model_validate(
    {
        "queues": {"A": {}},
        "dead_letters": {"max_run": 0, "max_ratio": 0},
        "source_limits": {"max_new_queues": 3, "max_new_categories": 2, "max_new_teams": 2, "max_new_sites": 2, "names_idle_hours": 72},
    }
)
_HOURS = 3_600


def _queued(number: int, queue: str, source: str = "crm", seconds: float = 0, **fields: Any) -> Record:
    name = f"{source}-{number}"
    made: Record = record(
        event("contact.queued", seconds, conversation_id=name, event_id=f"{name}-{queue}", queue=queue, source=source, **fields)
    )
    return made


def _scopes(flush: Any) -> set[str]:
    """Return the scopes in the outputs of a flush."""
    return {value["scope"] for output in flush.outputs if output.value and "scope" in (value := orjson.loads(output.value))}


def test_new_names_beyond_the_limit_of_their_source_count_together() -> None:
    """Of a thousand names three count by themselves, the rest as one; configured ones and those of another source are not touched."""
    stage = ContactStage(0, _LIMITED, TOPICS)
    stage.process([_queued(number, f"made up {number}") for number in range(1000)])
    stage.process([_queued(number, "A") for number in range(1000, 1010)] + [_queued(1, "Sales", "pbx"), _queued(2, "made up 2", "pbx")])
    flush = stage.collect()

    scopes = _scopes(flush)
    assert {scope for scope in scopes if scope.startswith("queue:")} == {
        *(f"queue:made up {number}" for number in range(3)),
        "queue:(other)",
        "queue:A",
        "queue:Sales",
    }
    offered: dict[str, int] = {}
    for output in flush.outputs:
        value = orjson.loads(output.value or b"{}")
        if value.get("kind") == "pane":
            offered[value["scope"]] = offered.get(value["scope"], 0) + value["counts"].get("offered", 0)
    assert offered == {
        "queue:made up 0": 1,
        "queue:made up 1": 1,
        "queue:made up 2": 2,
        "queue:(other)": 997,
        "queue:A": 10,
        "queue:Sales": 1,
        "total:all": 1012,
    }
    reports = [orjson.loads(output.value) for output in flush.outputs if output.value and b'"progress"' in output.value]
    assert reports[0]["beyond_limits"] == {"crm": {"queue": 997}}
    assert stage.counters.beyond_limits == {(TOPICS.source, 0): {"queue": 997}}


def test_categories_teams_and_sites_likewise() -> None:
    """No kind of name that figures are kept by grows without end."""
    contacts, agents = ContactStage(0, _LIMITED, TOPICS), AgentStage(0, _LIMITED, TOPICS)
    contacts.process([_queued(number, "A", category=f"c{number}") for number in range(50)])
    contacts.process([record(event("contact.excluded", 1, conversation_id=f"x{n}", reason="spam", site=f"s{n}")) for n in range(50)])
    agents.process(
        [
            record(event("agent.state_changed", 0, person_id=f"p{n}", axis="routing", state="idle", team=f"t{n}", site=f"s{n}"))
            for n in range(50)
        ]
    )
    people, labels = _scopes(agents.collect()), contacts.collect()

    sites = {"site:s0", "site:s1", "site:(other)"}
    assert people == {"total:all", "team:t0", "team:t1", "team:(other)", *sites}
    assert {scope for scope in _scopes(labels) if scope.startswith("site:")} == sites
    fields = {field for output in labels.outputs if output.value for field in orjson.loads(output.value).get("counts", {})}
    assert {field for field in fields if field.startswith("category=")} == {"category=c0", "category=c1", "category=(other)"}


def test_an_idle_name_makes_room() -> None:
    """A name is dropped three days after its last use, not an hour sooner; a name still in use stays."""
    stage = ContactStage(0, _LIMITED, TOPICS)
    stage.process([_queued(number, f"q{number}") for number in range(3)])
    stage.process([_queued(10, "q0", seconds=40 * _HOURS), _queued(11, "later", seconds=72 * _HOURS)])
    assert "queue:later" not in _scopes(stage.collect())
    stage.process(
        [
            _queued(12, "later", seconds=73 * _HOURS),
            _queued(13, "too", seconds=73 * _HOURS),
            _queued(14, "one too many", seconds=73 * _HOURS),
        ]
    )

    scopes = _scopes(stage.collect())
    assert {"queue:later", "queue:too"} <= scopes
    assert "queue:one too many" not in scopes


@pytest.mark.parametrize("seed", range(6))
def test_admission_depends_on_the_records_alone(seed: int) -> None:
    """Neither on how they come in chunks nor on restarts in between."""
    dice = random.Random(seed)
    records = [
        _queued(number, f"q{dice.randrange(12)}", dice.choice(("crm", "pbx")), seconds=number * _HOURS // 2 + dice.randrange(9))
        for number in range(400)
    ]
    admitted = []
    for chunk in (1, 37, 1000):
        stage, rows = ContactStage(0, _LIMITED, TOPICS, keep_everything=True), dict[bytes, bytes | None]()
        for first in range(0, len(records), chunk):
            stage.process(records[first : first + chunk])
            rows.update(stage.collect().rows)
            if chunk != 1000 and dice.random() < 0.1:
                stage = ContactStage(0, _LIMITED, TOPICS, keep_everything=True)
                stage.restore("", [(key, value) for key, value in rows.items() if value is not None])
        kept = {key: orjson.loads(value) for key, value in rows.items() if value is not None}
        queues = {name: [fact[5] for fact in row["facts"]] for name, row in kept.items() if name.startswith(b"s|")}
        admitted.append((queues, kept[b"m"]["beyond_limits"], {key: row for key, row in kept.items() if key.startswith(b"n|")}))
    assert admitted[0] == admitted[1] == admitted[2]
    assert {queue for queues in admitted[0][0].values() for queue in queues} > {"(other)"}


# ---- H5: contacts and people


def _with_limits(**limits: int) -> Configuration:
    return Configuration.model_validate({"dead_letters": {"max_run": 0, "max_ratio": 0}, "source_limits": limits})


def test_contacts_that_never_end_are_refused_before_memory_ends() -> None:
    """H5: of a thousand contacts 100 are kept; those continue, and those of another source begin. Ended contacts make room."""
    stage = ContactStage(0, _with_limits(max_contacts=100), TOPICS)
    stage.process([_queued(number, "A") for number in range(1_000)])
    stage.process([_queued(number, "A", "pbx") for number in range(5)])
    stage.process([record(event("contact.answered", 1, conversation_id="crm-3", event_id="answer", agent="ann", source="crm"))])
    flush = stage.collect()

    assert reasons(flush) == ["too_many_open_conversations"] * 900
    assert len(stage.tracker.conversations) == 105
    reports = [orjson.loads(output.value) for output in flush.outputs if output.value and b'"progress"' in output.value]
    assert reports[0]["beyond_limits"] == {"crm": {"conversation": 900}}
    assert stage.counters.rejected == {"too_many_open_conversations": 900}

    rows = dict(flush.rows)
    again = ContactStage(0, _with_limits(max_contacts=100), TOPICS)
    again.restore("", [(key, value) for key, value in rows.items() if value is not None])
    again.process([_queued(2_000, "A")])
    assert reasons(again.collect()) == ["too_many_open_conversations"]
    # Lost after four hours, forgotten a day later.
    later = 40 * _HOURS
    again.process([record(event("source.heartbeat", later, complete_through=format_ms(ms(later)), source=name)) for name in ("crm", "pbx")])
    again.collect()
    again.collect()
    again.process([_queued(number, "A", seconds=later) for number in range(3_000, 3_101)])
    assert reasons(again.collect()) == ["too_many_open_conversations"]


def test_events_of_contacts_and_people_are_bounded_too() -> None:
    """Few contacts with many events, many people, people with many plans: each is refused with its reason."""
    stage = ContactStage(0, _with_limits(max_contact_events=50), TOPICS)
    stage.process(
        [record(event("contact.message", n, conversation_id=f"c{n % 5}", author_kind="customer", event_id=f"m{n}")) for n in range(80)]
    )
    assert reasons(stage.collect()) == ["too_many_open_conversations"] * 30

    people = AgentStage(0, _with_limits(max_people=10, max_people_events=40), TOPICS)
    people.process([record(event("agent.state_changed", 0, person_id=f"p{n}", axis="routing", state="idle")) for n in range(15)])
    planned: dict[str, Any] = {"activity": "work", "start": format_ms(ms(60)), "end": format_ms(ms(90))}
    people.process([record(event("schedule.planned", 1, person_id=f"p{n % 10}", event_id=f"s{n}", **planned)) for n in range(35)])
    assert reasons(people.collect()) == ["too_many_people"] * (5 + 5)


# ---- L2: names that pass for another


@pytest.mark.parametrize("field", ["queue", "category", "site", "conversation_id", "event_id", "source"])
@pytest.mark.parametrize("character", ["\u200b", "\u200d", "\u202e", "\u2066", "\ufeff", "\u3164", "\ue000", "\U000e0041", "\u2028"])
def test_names_and_ids_that_pass_for_another_are_refused(field: str, character: str) -> None:
    """Zero-width, right-to-left and the like: a dead letter names what a text may hold."""
    stage = ContactStage(0, UNLIMITED, TOPICS)
    fields: dict[str, Any] = {"queue": "A", field: f"Sa{character}les"}
    stage.process([record(event("contact.queued", 0, **fields))])
    flush = stage.collect()

    assert reasons(flush) == ["invalid_value"]
    assert _scopes(flush) == set()


def test_names_that_look_the_same_are_the_same() -> None:
    """One system composes them, another does not, in configuration and events alike. Names that look different stay separate."""
    composed, decomposed = "サポートガ", "サポートカ\u3099"
    stage = ContactStage(0, Configuration.model_validate({"queues": {decomposed: {"department": "help"}}}), TOPICS)
    names = (composed, decomposed, "葛城", "葛\U000e0100城")
    stage.process([record(event("contact.queued", 0, conversation_id=f"c{n}", queue=name)) for n, name in enumerate(names)])

    scopes = {scope for scope in _scopes(stage.collect()) if scope.startswith(("queue:", "department:"))}
    assert scopes == {f"queue:{composed}", "department:help", "queue:葛城", "queue:葛\U000e0100城"}


# ---- Floods of what is dear


def _snapshot(number: int, seconds: float, source: str, open_ids: list[str]) -> Record:
    made: Record = record(
        event("source.snapshot", seconds, event_id=f"{source} s{number}", source=source, kind="contacts", open_ids=open_ids)
    )
    return made


def _reported_beyond(flush: Any) -> dict[str, dict[str, int]]:
    reports = [orjson.loads(output.value) for output in flush.outputs if output.value and b'"progress"' in output.value]
    return dict(reports[-1].get("beyond_limits", {})) if reports else {}


def _beats(seconds: float, *sources: str) -> list[Record]:
    return [record(event("source.heartbeat", seconds, complete_through=format_ms(ms(seconds)), source=each)) for each in sources]


@pytest.mark.parametrize("cut", range(1, 10))
def test_six_snapshots_of_a_source_are_accepted_a_minute(cut: int) -> None:
    """The seventh is passed over and counted, also after a restart; those of another source, and of the next minute, are taken."""
    records = [_snapshot(number, number, "evil", [f"evil-{number}"]) for number in range(9)] + [_snapshot(0, 9, "pbx", [])]
    stage = ContactStage(0, _with_limits(), TOPICS)
    stage.process(records[:cut])
    rows = {key: value for key, value in stage.collect().rows if value is not None}
    again = ContactStage(0, _with_limits(), TOPICS)
    again.restore("", list(rows.items()))
    again.process(records[cut:])
    assert _reported_beyond(again.collect()) == {"evil": {"snapshot": 3}}
    assert len(again.tracker.snapshots) == 7
    again.process([_snapshot(number, 60 + number, "evil", []) for number in range(9, 11)])
    assert len(again.tracker.snapshots) == 9


def test_stored_ids_of_open_contacts_are_bounded() -> None:
    """Seven snapshots of 10,000 ids: five are kept, two are refused and reported; another source's finds room, also after a restart."""
    ids = [f"made-up-{number}" for number in range(10_000)]
    stage = ContactStage(0, _with_limits(), TOPICS)
    stage.process([_snapshot(number, 20 * number, "evil", ids) for number in range(7)] + [_snapshot(0, 130, "pbx", ["c-1"])])
    flush = stage.collect()
    assert _reported_beyond(flush) == {"evil": {"snapshot": 2}}
    assert len(stage.tracker.snapshots) == 6
    again = ContactStage(0, _with_limits(), TOPICS)
    again.restore("state", [(key, value) for key, value in flush.rows if value is not None])
    again.process([_snapshot(9, 140, "evil", ids), _snapshot(9, 141, "pbx", ["c-2"])])
    assert len(again.tracker.snapshots) == 7


def test_snapshots_of_one_source_cost_no_look_at_the_contacts_of_another() -> None:
    """Six snapshots each of a hundred sources cost a flush beside 4,000 contacts of others ten times those of one source, not 72 times."""

    def seconds(sources: int) -> float:
        taken = []
        for _ in range(3):
            stage = ContactStage(0, UNLIMITED, TOPICS)
            stage.process([_queued(number, "A", "pbx") for number in range(4_000)])
            stage.collect()
            names = [f"evil{source}" for source in range(sources)]
            stage.process([_snapshot(number, 10 + number, name, ["x"]) for name in names for number in range(6)])
            stage.process(_beats(100, "pbx", *names))
            with timed() as spent:
                stage.collect()
            taken += spent
        return min(taken)

    assert seconds(100) <= 10 * seconds(1)


def test_time_long_ago_costs_no_more_than_the_panes_that_are_kept() -> None:
    """New people who began eleven hours ago cost a flush at most two and a half times those of two hours ago, not five times."""

    def seconds(hours: int) -> float:
        taken = []
        for _ in range(3):
            stage = AgentStage(0, UNLIMITED, TOPICS)
            end = 20 * _HOURS
            stage.process(_beats(end, "test"))
            stage.collect()
            since = end - hours * _HOURS
            stage.process(
                [record(event("agent.state_changed", since, person_id=f"p{n}", axis="routing", state="idle")) for n in range(200)]
            )
            stage.process(_beats(end + 10, "test"))
            with timed() as spent:
                flush = stage.collect()
            taken += spent
            cells = [orjson.loads(o.value)["counts"] for o in flush.outputs if o.value and b'"cell"' in o.value and b"total:all" in o.value]
            assert sum(counts["idle_ms"] for counts in cells) == 200 * 1000 * (hours * _HOURS + 10)
        return min(taken)

    assert seconds(11) <= 2.5 * seconds(2)


# ---- Channels: a queue on each of twelve is twelve scopes, and as many of what it belongs to

_CHANNELS = ("voice", "chat", "mail", "sms", "social", "video", "web_form", "ticket", "callback", "survey", "faq", "bot")
_WITH_CHANNELS = Configuration.model_validate(
    {
        "queues": {**{f"Q{n}": {"channel": "voice", "department": f"D{n}"} for n in range(5)}, "open": {}},
        "dead_letters": {"max_run": 0, "max_ratio": 0},
        "source_limits": {"max_new_queues": 3, "names_idle_hours": 72},
    }
)


def _in_ways(way: str, number: int, queue: str, channel: str, source: str = "evil") -> list[Record]:
    """Return events by which a contact waits on a channel, given with the queue, by its arrival before, or by a later event."""
    common: dict[str, Any] = {"conversation_id": f"{source}{number}", "source": source}
    if way == "queued":
        return [record(event("contact.queued", 0, queue=queue, channel=channel, event_id=f"{source}{number}q", **common))]
    arrived = record(event("contact.arrived", 0, channel=channel, direction="inbound", event_id=f"{source}{number}a", **common))
    queued = record(event("contact.queued", 1, queue=queue, event_id=f"{source}{number}q", **common))
    return [arrived, queued] if way == "arrived" else [queued, arrived]


def _places(flush: Any) -> set[tuple[str, str]]:
    """Return the scopes and channels in which anything was offered."""
    records = [orjson.loads(output.value) for output in flush.outputs if output.value]
    return {(each["scope"], each["channel"]) for each in records if each["kind"] == "cohort" and each["counts"].get("offered")}


@pytest.mark.parametrize("way", ["queued", "arrived", "arrived after"])
def test_channels_beyond_the_limit_of_their_source_count_together(way: str) -> None:
    """Five queues for voice on twelve channels: three more pairs count by themselves; of a queue for any channel two do for nothing."""
    stage = ContactStage(0, _WITH_CHANNELS, TOPICS)
    tried = [(queue, channel) for queue in (*(f"Q{n}" for n in range(5)), "open") for channel in _CHANNELS]
    for number, (queue, channel) in enumerate(tried):
        stage.process(_in_ways(way, number, queue, channel))
    honest = [("Q0", "voice"), ("Q1", "callback"), ("Q2", "callback"), ("open", "social"), ("open", "video"), ("Q3", "callback")]
    for number, (queue, channel) in enumerate(honest):
        stage.process(_in_ways(way, number, queue, channel, "pbx"))
    flush = stage.collect()

    places = {place for place in _places(flush) if place[0].startswith("queue:") and place[0] != "queue:(other)"}
    own = {(f"queue:Q{n}", "voice") for n in range(5)}
    evils = {("queue:Q0", channel) for channel in ("chat", "mail", "sms")} | {("queue:open", channel) for channel in ("voice", "chat")}
    assert places == own | evils | {(f"queue:{queue}", channel) for queue, channel in honest}
    assert _reported_beyond(flush) == {"evil": {"channel": len(tried) - len(own) - len(evils)}}
    # Every contact counts once, somewhere.
    offered = [orjson.loads(o.value) for o in flush.outputs if o.value and b'"cohort"' in o.value and b'"total:all"' in o.value]
    assert sum(each["counts"].get("offered", 0) for each in offered) == len(tried) + len(honest)


def test_what_a_visit_is_on_decides_the_channel_of_what_follows() -> None:
    """A chat turned voice: what its visit reports of the queue does not replace the channel of the arrival."""
    stage = ContactStage(0, _WITH_CHANNELS, TOPICS)
    for number in range(4):
        common: dict[str, Any] = {"conversation_id": f"c{number}", "source": "pbx"}
        stage.process(
            [
                record(event("contact.arrived", 0, channel="chat", direction="inbound", **common)),
                record(event("contact.queued", 1, queue=f"Q{number}", channel="voice", **common)),
                record(event("contact.answered", 2, queue=f"Q{number}", agent="ann", **common)),
            ]
        )
    flush = stage.collect()
    assert _reported_beyond(flush) == {}
    assert {channel for _, channel in _places(flush)} == {"voice"}


@pytest.mark.parametrize("seed", range(4))
def test_channels_are_admitted_by_the_records_alone(seed: int) -> None:
    """Neither chunks nor restarts decide which pairs count by themselves, whatever order arrivals and queues come in."""
    dice = random.Random(seed)
    records: list[Record] = []
    for number in range(150):
        way = dice.choice(("queued", "arrived", "arrived after"))
        queue = dice.choice(("Q0", "Q1", "Q2", "open", "new"))
        records += _in_ways(way, number, queue, dice.choice(_CHANNELS), dice.choice(("evil", "pbx")))
    ends = []
    for chunk in (1, 7, 1_000):
        stage, rows = ContactStage(0, _WITH_CHANNELS, TOPICS), dict[bytes, bytes | None]()
        for first in range(0, len(records), chunk):
            stage.process(records[first : first + chunk])
            rows.update(stage.collect().rows)
            if chunk == 7 and dice.random() < 0.3:
                stage = ContactStage(0, _WITH_CHANNELS, TOPICS)
                stage.restore("", [(key, value) for key, value in rows.items() if value is not None])
        kept = {key: orjson.loads(value) for key, value in rows.items() if value is not None}
        ends.append({key: row for key, row in kept.items() if key.startswith((b"n|", b"s|"))} | {b"m": kept[b"m"]["beyond_limits"]})
    assert ends[0] == ends[1] == ends[2]
    assert {kind for counts in ends[0][b"m"].values() for kind in counts} == {"channel"}
