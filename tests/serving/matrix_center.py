"""A center of two sites in which every name and every number occurs once, and what each grant shows of it, worked out by hand."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from schemas.audit import Actor, AuditObject, AuditRecord
from streams.configuration import Configuration
from streams.configuration.access import AccessFile
from streams.configuration.access_places import places_by_scope
from streams.listening.tokens import TOKEN_FORM, hash_of
from streams.serving.agents import Agents
from streams.serving.alerting.actions import Actions
from streams.serving.api import Serving
from streams.serving.audit.auditor import audit_record
from streams.serving.call_backs import CallBacks, contacts_of
from streams.serving.event_log import Limits, Span
from streams.serving.explainer import Explainer
from streams.serving.people import People
from streams.windows.targets import terms_of
from tests.serving.audit.held import HeldAuditLog
from tests.serving.held_log import HeldLog, agent_event, contact_event
from tests.serving.records import Backend, Clock, alert, figure, now_record, people_now, people_window, person, progress, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.serving.door import Door

__all__ = ["AREAS", "CUSTOMERS", "ROLES_OF_PEOPLE", "Grantee", "center", "grantees", "markers_of"]

# Sites: kanto and kansai. Queues: sakura and momiji in kanto, ajisai and tsubaki in kansai, yurei nowhere.
# Teams: tora (6 people) and usagi (3) in kanto, kuma (6) and neko (5) in kansai.
# Departments: ume has sakura, matsu has momiji and ajisai, sugi has tsubaki. Businesses: hotaka has tsubaki and kuma, fuji all others.
TEAMS = {"tora": 6, "usagi": 3, "kuma": 6, "neko": 5}
NOWHERE = "queue:yurei"
#: A figure about customers, of the total: they have no channel, and are not people who work here.
CUSTOMERS = "290001"
OF_CONTACTS = (
    *(f"queue:{name}" for name in ("sakura", "momiji", "ajisai", "tsubaki", "yurei")),
    *(f"department:{name}" for name in ("ume", "matsu", "sugi")),
    *("business:fuji", "business:hotaka", "site:kanto", "site:kansai", "total:all"),
)
OF_PEOPLE = (
    "team:tora",
    "team:usagi",
    "team:kuma",
    "team:neko",
    "site:kanto",
    "site:kansai",
    "business:fuji",
    "business:hotaka",
    "total:all",
)
CONFIGURATION = Configuration.model_validate(
    {
        "sites": {name: {"zone": "Asia/Tokyo", "individual_figures": True} for name in ("kanto", "kansai")},
        "queues": {
            name: {"site": site, "department": department, "business": business, "channel": "voice", **more}
            for name, site, department, business, more in (
                ("sakura", "kanto", "ume", "fuji", {"sources": ["pbx-suzu"], "target": 0.8}),
                ("momiji", "kanto", "matsu", "fuji", {"sources": ["pbx-suzu"]}),
                ("ajisai", "kansai", "matsu", "fuji", {"sources": ["pbx-taiko"]}),
                ("tsubaki", "kansai", "sugi", "hotaka", {"target": 0.7}),
            )
        },
        "teams": {
            "tora": {"site": "kanto", "business": "fuji"},
            "usagi": {"site": "kanto", "business": "fuji", "sources": ["wfm-biwa"]},
            "kuma": {"site": "kansai", "business": "hotaka"},
            "neko": {"site": "kansai", "business": "fuji"},
        },
        "people": {f"{team.upper()}{index}": {"team": team} for team, number in TEAMS.items() for index in range(number)},
        "targets": [
            *(
                {"kpi": "asa", "scope": scope, "unit": "seconds", "target": 180_000 + 1013 * (index + 1), "window": "trailing_15m"}
                for index, scope in enumerate(OF_CONTACTS)
                if scope != NOWHERE
            ),
            *(
                {
                    "kpi": "contacts_per_hour",
                    "scope": scope,
                    "unit": "1/h",
                    "low": 260_000 + 1013 * (index + 1),
                    "window": "trailing_15m",
                }
                for index, scope in enumerate(OF_PEOPLE)
            ),
        ],
    }
)
AGENTS = tuple(CONFIGURATION.people)
#: How many records and bytes were read for an explanation, and the first offset: as many as the whole center has.
READ = (777_001, 777_002, 777_003)


class Area(NamedTuple):
    """Where a role holds, and what that shows."""

    grant: dict[str, list[str]]
    contacts: str
    #: Of people, without the right to see single ones, and with it.
    groups: str
    people: str
    agents_of: str
    sources: str


AREAS: dict[str, Area] = {
    # usagi are 3: not there, nor kanto, fuji and the total, of all of which these 3 would be left.
    "everywhere": Area(
        {},
        " ".join(OF_CONTACTS),
        "team:tora team:kuma team:neko site:kansai business:hotaka",
        " ".join(OF_PEOPLE),
        "tora usagi kuma neko",
        "pbx-suzu pbx-taiko wfm-biwa feed-koto",
    ),
    # ume has sakura alone; matsu and fuji reach beyond.
    "kanto": Area(
        {"sites": ["kanto"]},
        "site:kanto queue:sakura queue:momiji department:ume",
        "team:tora",
        "site:kanto team:tora team:usagi",
        "tora usagi",
        "pbx-suzu wfm-biwa",
    ),
    # sugi and hotaka lie in kansai: 6 of kuma, which is all of hotaka.
    "kansai": Area(
        {"sites": ["kansai"]},
        "site:kansai queue:ajisai queue:tsubaki department:sugi business:hotaka",
        "team:kuma team:neko site:kansai business:hotaka",
        "team:kuma team:neko site:kansai business:hotaka",
        "kuma neko",
        "pbx-taiko",
    ),
    "matsu": Area({"departments": ["matsu"]}, "department:matsu queue:momiji queue:ajisai", "", "", "", "pbx-suzu pbx-taiko"),
    "ajisai": Area({"queues": ["ajisai"]}, "queue:ajisai", "", "", "", "pbx-taiko"),
    "usagi": Area({"teams": ["usagi"]}, "", "", "team:usagi", "usagi", "wfm-biwa"),
    "neko and yurei": Area({"teams": ["neko"], "queues": ["yurei"]}, "queue:yurei", "team:neko", "team:neko", "neko", ""),
}
#: Who may see single people.
ROLES_OF_PEOPLE = frozenset({"supervisor"})


class Grantee(NamedTuple):
    """An account with a token."""

    role: str
    area: str
    token: str


def grantees() -> list[Grantee]:
    """Return one of every role in every area."""
    roles = ("viewer", "supervisor", "auditor", "operator")
    pairs = [(role, area) for role in roles for area in AREAS]
    return [Grantee(role, area, TOKEN_FORM + f"{index:043d}") for index, (role, area) in enumerate(pairs)]


def access() -> AccessFile:
    """Return the access file that knows them."""
    entries = {
        f"t{index}": {"hashes": [hash_of(each.token)], "roles": [{"role": each.role, **AREAS[each.area].grant}]}
        for index, each in enumerate(grantees())
    }
    return AccessFile.model_validate({"tokens": entries, "requests_per_minute": 1_000_000})


def markers_of(grantee: Grantee) -> tuple[set[str], set[str]]:
    """Return the texts that may be in an answer about figures, and those that may not: names and numbers."""
    area = AREAS[grantee.area]
    groups = area.people if grantee.role in ROLES_OF_PEOPLE else area.groups
    shown = {*_of_contacts(area.contacts.split()), *_of_people(groups.split()), *area.sources.split()}
    shown |= {name for scope in (area.contacts + " " + area.people).split() for name in _names(scope)}
    if not area.grant:
        shown |= {"kitakaze", CUSTOMERS}
    everything = {*_of_contacts(OF_CONTACTS), *_of_people(OF_PEOPLE), *AREAS["everywhere"].sources.split()}
    everything |= {name for scope in (*OF_CONTACTS, *OF_PEOPLE) for name in _names(scope)} | {"kitakaze", CUSTOMERS}
    return shown, everything - shown


def agents_of(grantee: Grantee) -> tuple[set[str], set[str]]:
    """Return the names and numbers of single agents that may be in an answer, and those that may not."""
    teams = AREAS[grantee.area].agents_of.split() if grantee.role in ROLES_OF_PEOPLE else []
    shown = {text for name in AGENTS if CONFIGURATION.people[name].team in teams for text in (name, _number(600_000, AGENTS.index(name)))}
    return shown, {text for index, name in enumerate(AGENTS) for text in (name, _number(600_000, index))} - shown


#: What ids of conversations begin with: of those that were answered, that were given up, and that got through after that.
_KINDS = ("conv", "gone", "back")


def conversations_of(grantee: Grantee) -> tuple[set[str], set[str]]:
    """Return the ids of conversations that may be in an answer, and those that may not."""
    queues = [scope.partition(":")[2] for scope in AREAS[grantee.area].contacts.split() if scope.startswith("queue:")]
    shown = {f"{kind}-{queue}" for queue in queues for kind in _KINDS} if grantee.role in {"supervisor", "auditor"} else set()
    every = {f"{kind}-{scope.partition(':')[2]}" for scope in OF_CONTACTS if scope.startswith("queue:") for kind in _KINDS}
    return shown, every - shown


def _names(scope: str) -> list[str]:
    return [] if scope == "total:all" else [scope.partition(":")[2]]


def _number(base: int, index: int) -> str:
    return str(base + 1013 * (index + 1))


def _of_contacts(scopes: Any) -> set[str]:
    """Return the numbers in records of scopes about contacts: of now, of a window, of a day, of alerts, and of targets."""
    bases = (100_000, 120_000, 140_000, 160_000, 180_000)
    return {_number(base, OF_CONTACTS.index(scope)) for scope in scopes for base in bases if (scope, base) != (NOWHERE, bases[-1])}


def _of_people(scopes: Any) -> set[str]:
    return {_number(base, OF_PEOPLE.index(scope)) for scope in scopes for base in (200_000, 210_000, 220_000, 240_000, 260_000)}


_DEFINITION = {
    "kind": "definition",
    "name": "kitakaze",
    "version": 1,
    "effective_from": None,
    "known_since": None,
    "revision": 1,
    "content": {"threshold_s": 20},
}
_DAY = {"name": "day", "window_start": "2026-03-31T15:00:00Z", "window_end": "2026-04-01T15:00:00Z"}


def _records(changes: Callable[[str], dict[str, Any]] = lambda _: {}) -> list[tuple[bytes, bytes]]:
    """Return the records of all scopes; ``changes`` by scope goes into each."""
    found = [
        progress(
            sources={"pbx-suzu": "2026-04-01T09:00:00Z", "pbx-taiko": "2026-04-01T09:00:00Z", "feed-koto": "2026-04-01T08:00:00Z"},
            stale_sources=["feed-koto", "wfm-biwa"],
            quarantined_sources={"pbx-taiko": {"reason": "bad_records", "since": "2026-04-01T08:00:00Z", "partitions": 1, "records": 3}},
        ),
        (b"definition|kitakaze@1", orjson.dumps(_DEFINITION)),
    ]
    found.append(
        window("total:all", None, name="customers_day", kpis={"lifetime_value": figure(float(CUSTOMERS), 1.0, 9.0)}, **changes("total:all"))
    )
    for index, scope in enumerate(OF_CONTACTS):
        now, trailing, day = (figure(float(_number(base, index)), float(_number(base, index))) for base in (100_000, 120_000, 140_000))
        more = changes(scope)
        found += [
            now_record(scope, waiting=int(now["value"] or 0), **more),
            window(scope, kpis={"offered": trailing, "asa": figure(20.0, 200.0, 10.0)}, **more),
            window(
                scope, name="day", kpis={"offered": day}, window_start="2026-03-31T15:00:00Z", window_end="2026-04-01T15:00:00Z", **more
            ),
            window(scope, name="interval_15m", kpis={"offered": day}, **more),
        ]
    for index, scope in enumerate(OF_PEOPLE):
        more = changes(scope)
        found += [
            people_now(scope, {"handling": int(_number(200_000, index))}, **more),
            people_window(scope, figure(float(_number(220_000, index)), 1.0, 2.0), **more),
            people_window(scope, figure(float(_number(240_000, index)), 1.0, 2.0), **_DAY, **more),
        ]
    return found


def _alerts(changes: Callable[[str], dict[str, Any]] = lambda _: {}) -> list[tuple[bytes, bytes]]:
    def one(scope: str, channel: str | None, number: str) -> tuple[bytes, bytes]:
        return alert(scope, channel, **{"value": float(number), "kpi": "waiting", "window": None, "definition": None, **changes(scope)})

    return [
        *(one(scope, "voice", _number(160_000, index)) for index, scope in enumerate(OF_CONTACTS)),
        *(one(scope, None, _number(210_000, index)) for index, scope in enumerate(OF_PEOPLE)),
    ]


def _contact_events() -> list[dict[str, Any]]:
    """Return of each queue a visit that was answered, one that was given up, and one that was given up and came again."""
    found = []
    for queue in (scope.partition(":")[2] for scope in OF_CONTACTS if scope.startswith("queue:")):
        for kind, at, more in (
            ("queued", "08:50:00", {"queue": queue}),
            ("answered", "08:50:10", {"agent": "x"}),
            ("queued", "08:50:20", {"queue": queue}),
            ("left_queue", "08:50:50", {"reason": "abandoned"}),
            ("queued", "08:51:00", {"queue": queue}),
            ("left_queue", "08:51:30", {"reason": "abandoned"}),
            ("queued", "08:52:00", {"queue": queue}),
            ("answered", "08:52:10", {"agent": "x"}),
        ):
            conversation = f"{'conv' if at < '08:50:20' else 'gone' if at < '08:51:00' else 'back'}-{queue}"
            found.append(contact_event(kind, f"2026-04-01T{at}.000Z", conversation, channel="voice", **more))
    return found


def _agent_events() -> list[dict[str, Any]]:
    """Return every agent at lunch."""
    return [agent_event("2026-04-01T08:40:00.000Z", name, "presence", "away", reason="lunch") for name in AGENTS]


class _ReadLog(HeldLog):
    """Reports that as much was read as the entire center has."""

    async def events(self, *args: Any, **more: Any) -> Span:
        """Give all of them."""
        span = await super().events(*args, **more)
        span.records, span.bytes = READ[:2]
        return span


@cache
def _audit() -> list[AuditRecord]:
    """Return a look at each scope, with its number as the reason, and a login of an account of each place, which is not to be named."""
    by: dict[str, Any] = {"actor": Actor(kind="user", name="hoshi"), "instance": "test", "at": 1000.0}
    looks = [
        audit_record("looked_at_contacts", about=AuditObject(scope_kind=kind, scope=name), reason=_number(160_000, index), **by)
        for index, (kind, _, name) in enumerate(scope.partition(":") for scope in OF_CONTACTS)
    ]
    places = [scope for scope in (*OF_CONTACTS, *OF_PEOPLE) if not scope.startswith(("business:", "total:"))]
    return looks + [audit_record("login", places=(place, "queue:ajisai"), **by) for place in places]


class Center(NamedTuple):
    """The store of the center, and what serves it."""

    backend: Backend
    serving: Serving
    clock: Clock

    def changes(self, scopes: Callable[[str], bool], revision: int) -> None:
        """Publish every record and alert of some scopes again, at a higher revision."""
        for key, value in _records(lambda _: {"revision": revision}):
            record = orjson.loads(value)
            if "scope" in record and scopes(f"{record['scope_kind']}:{record['scope']}"):
                assert self.backend.store.feed(key, value)
        for key, value in _alerts(lambda _: {"revision": 2 + revision}):
            record = orjson.loads(value)
            if scopes(f"{record['scope_kind']}:{record['scope']}"):
                assert self.backend.alerts.feed(key, value)
                assert self.serving.figures.past.feed(key, _of_the_past(value))

    def removes(self, scopes: Callable[[str], bool]) -> None:
        """Delete every record and alert of some scopes."""
        for table in (self.backend.store, self.backend.alerts):
            for entry in table.entries():
                kind, name, _ = table.scope_key(entry)  # type: ignore[arg-type]
                if scopes(f"{kind}:{name}"):
                    assert table.feed(entry.key.encode(), None)


def _actions() -> Actions:
    """Return a silence about each scope, with its number as the reason, and one about all of them."""
    read, at = Actions(), "2026-04-01T08:59:00.000Z"
    by = {"kind": "user", "name": "hoshi"}
    for index, scope in enumerate((*OF_CONTACTS, None)):
        number = "kitakaze" if scope is None else _number(160_000, index)
        silence = {"kind": "silence", "silence_id": f"s{number}", "scope": scope, "by": by, "at": at}
        key = f"silence|s{number}".encode()
        # One about every scope is seen beside any alert that it covers: this one covers none.
        rule = "another" if scope is None else None
        assert read.feed(key, orjson.dumps({**silence, "rule": rule, "reason": number, "until": "2026-04-02T09:00:00.000Z"}))
    actions = Actions()
    actions.take_over(read)
    return actions


def _of_the_past(value: bytes) -> bytes:
    """Return an alert as the history has it: there those about contacts and about people of a scope are two."""
    record = orjson.loads(value)
    return orjson.dumps({**record, "alert_id": record["alert_id"] + ("" if record["channel"] else "-people")})


def center(door: Callable[[Backend, Clock], Door]) -> Center:
    """Return the center, behind a door."""
    backend = Backend().with_alerts(*_alerts())
    # Records of kansai alone are on a stalled partition of their own; all others advance.
    for key, value in [progress(1, as_of="2026-04-01T08:59:35Z"), *_records()]:
        still = key.endswith(b"|1") or any(name in key for name in (b":ajisai", b":tsubaki", b":kansai", b":kuma", b":neko"))
        assert backend.store.feed(key, value, int(still))
    agents = Agents()
    for index, name in enumerate(AGENTS):
        assert agents.feed(*person(name, counts={"handling_ms": int(_number(600_000, index))}))
    whole = Agents()
    whole.take_over(agents)
    serving = backend.serving(
        targets={name: queue.target for name, queue in CONFIGURATION.queues.items() if queue.target is not None},
        fed_by={
            **{f"queue:{name}": queue.sources for name, queue in CONFIGURATION.queues.items() if queue.sources},
            **{f"team:{name}": team.sources for name, team in CONFIGURATION.teams.items() if team.sources},
        },
        kpi_targets=terms_of(CONFIGURATION),
        agents=whole,
        # Incomplete, so that it is not requested again.
        explainer=Explainer(_ReadLog(_contact_events(), first_offset=READ[2], incomplete="a part"), lambda: CONFIGURATION, Limits()),
        call_backs=CallBacks(contacts_of(HeldLog(_contact_events()), lambda: CONFIGURATION, backend.clock)),
        people=People(HeldLog(_agent_events()), lambda: CONFIGURATION, backend.clock),
        audit_log=lambda: HeldAuditLog(_audit()),
        door=door(backend, backend.clock),
    )
    backend.store.expected = frozenset({"wfm-biwa"})
    serving.figures.actions, serving.figures.places = _actions(), places_by_scope(CONFIGURATION)
    serving.figures.past.known = True
    for key, value in _alerts():
        assert serving.figures.past.feed(key, _of_the_past(value))
    return Center(backend, serving, backend.clock)
