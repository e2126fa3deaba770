"""Which records of the audit are of which part of the center: over HTTP, from a topic in memory; what each sees is worked out by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from yarl import URL

from schemas.audit import Actor, AuditObject, AuditRecord
from streams.access.principals import MOST_PLACES, Grant, Identity, Principal
from streams.access.views import Area, area_of
from streams.serving.audit.auditor import Auditor, audit_record
from streams.serving.audit.writer import AuditWriter
from streams.serving.door import Door
from tests.serving.audit.held import HeldAuditLog
from tests.serving.login.desk import PASSWORD, Desk, access_of, user_entry
from tests.serving.matrix_center import CONFIGURATION, center
from tests.serving.records import client_of
from tests.serving.test_door import NEW, OLD, OTHER, Held, bearing, token

if TYPE_CHECKING:
    from streams.serving.audit.writer import Entry


class Kept(AuditWriter):
    """Keeps records in memory."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:9", "none")
        self.records: list[AuditRecord] = []

    def put(self, record: AuditRecord) -> Entry | None:
        """Keep a record."""
        self.records.append(record)
        return None


def made(name: str, places: tuple[str, ...] | None, **about: Any) -> AuditRecord:
    """Return a record of an account of that name."""
    return audit_record("login", actor=Actor(kind="user", name=name), instance="test", at=1000.0, about=AuditObject(**about), places=places)


#: The name of the actor → the record, and who of the auditors of everything, of kanto and of the department matsu reads it. Of kanto's
#: queues momiji is matsu's, ajisai is kansai's and matsu's.
RECORDS = {
    "anywhere": (made("anywhere", ("total:all",)), "all kanto matsu"),
    "kanto": (made("kanto", ("site:kanto",)), "all kanto matsu"),
    "kansai": (made("kansai", ("site:kansai",)), "all matsu"),
    "both": (made("both", ("site:kansai", "team:usagi")), "all kanto matsu"),
    "sakura": (made("sakura", ("queue:sakura",)), "all kanto"),
    "sugi": (made("sugi", ("department:sugi",)), "all"),
    "yurei": (made("yurei", ("queue:yurei",)), "all"),
    "nothing": (made("nothing", ()), "all"),
    "too many": (made("too many", None), "all"),
    "before places": (made("before places", None), "all"),
    "a queue of kanto": (made("a queue of kanto", ("total:all",), scope_kind="queue", scope="sakura"), "all kanto"),
    "a queue of both": (made("a queue of both", None, scope_kind="queue", scope="momiji"), "all kanto matsu"),
    "a queue elsewhere": (made("a queue elsewhere", ("site:kanto",), scope_kind="queue", scope="tsubaki"), "all"),
    "a file": (made("a file", None, file="access.yaml", hash_after="ab"), "all kanto matsu"),
    "a source of kanto": (made("a source of kanto", None, source="pbx-suzu"), "all kanto matsu"),
    "a source elsewhere": (made("a source elsewhere", None, source="pbx-taiko"), "all matsu"),
    "a source without an owner": (made("a source without an owner", None, source="feed-koto"), "all"),
    "a silence everywhere": (made("a silence everywhere", ("total:all",), rule="asa", silence_id="s1"), "all"),
}


def test_an_auditor_of_a_part_reads_what_is_of_it() -> None:
    """Logins of accounts that see something there, and what is about it; no place elsewhere is named, and no page is of others' records."""
    auditors = {"all": (OLD, {}), "kanto": (NEW, {"sites": ["kanto"]}), "matsu": (OTHER, {"departments": ["matsu"]})}
    access = Held(tokens={name: {**token(given), "roles": [{"role": "auditor", **area}]} for name, (given, area) in auditors.items()})
    whole = center(lambda backend, clock: Door(access, configuration=lambda: CONFIGURATION, signed_in=backend.store.signed_in, clock=clock))
    object.__setattr__(whole.serving, "audit_log", lambda: HeldAuditLog([record for record, _ in RECORDS.values()]))

    async def check() -> None:
        async with client_of(whole.serving) as client:
            for name, (given, _) in auditors.items():
                wanted = [actor for actor, (_, readers) in RECORDS.items() if name in readers.split()]
                assert (len(wanted), name) in {(18, "all"), (8, "kanto"), (8, "matsu")}
                answer = await client.get("/api/v1/audit", headers=bearing(given))
                assert answer.status == 200
                assert [each["actor"]["name"] for each in (await answer.json())["records"]] == wanted
                assert ("kansai" in (await answer.text()).replace('"name":"kansai"', "")) == (name == "all")
                seen, where = [], "/api/v1/audit?limit=3"
                while where:
                    page = await client.get(where, headers=bearing(given))
                    seen += [each["actor"]["name"] for each in (await page.json())["records"]]
                    where = URL(page.links["next"]["url"]).path_qs if "next" in page.links else ""
                assert seen == wanted

    asyncio.run(check())


def test_where_an_account_sees() -> None:
    """The places of its grants, in order; everywhere is one name; too many are left out, and so are places of no grant."""
    kanto, two = Grant("viewer", sites=frozenset({"kanto"})), Grant("auditor", queues=frozenset({"b", "a"}), teams=frozenset({"x"}))
    many = Grant("viewer", queues=frozenset(f"q{number}" for number in range(MOST_PLACES)))

    assert Principal("x", "user", (kanto, two)).places == ("queue:a", "queue:b", "site:kanto", "team:x")
    assert Principal("x", "user", (kanto, Grant("viewer"))).places == ("total:all",)
    assert Principal("x", "user").places == ()
    assert Principal("x", "user", (many,)).places == tuple(sorted(f"queue:q{number}" for number in range(MOST_PLACES)))
    assert Principal("x", "user", (many, kanto)).places is None
    assert area_of(kanto.named) == Area(sites=frozenset({"kanto"}))
    assert area_of(["department:a:b", "nonsense", "agent:x"]) == Area(departments=frozenset({"a:b"}))


def test_logins_carry_the_places_of_their_account() -> None:
    """Logins, let in and refused, denials and logouts; a session that another account ended is of the places of its own."""
    users = {"yuki": user_entry(sites=["tokyo"]), "aoi": user_entry(sites=["osaka"]), "ken": user_entry(role="operator")}
    desk, kept = Desk(access_of(users=users)), Kept()
    desk.door.audit = Auditor(kept, "test", desk.clock)

    async def check() -> None:
        async with client_of(desk.serving()) as client:

            async def enter(name: str, password: str = PASSWORD) -> None:
                client.session.cookie_jar.clear()
                await client.post("/login", data={"name": name, "password": password}, allow_redirects=False)

            await enter("aoi")
            aoi = next(iter(desk.login.sessions)).id
            await enter("yuki", "seven grey herons")
            await enter("no one")
            await enter("yuki")
            assert (await client.get("/api/v1/audit")).status == 403
            await client.post("/logout")
            await enter("ken")
            assert (await client.delete(f"/api/v1/sessions/{aoi}")).status == 204

    asyncio.run(check())
    assert [(each.action, each.actor.name, each.places) for each in kept.records] == [
        ("login", "aoi", ("site:osaka",)),
        ("login_refused", "yuki", ("site:tokyo",)),
        ("login_refused", None, None),
        ("login", "yuki", ("site:tokyo",)),
        ("denied", "yuki", ("site:tokyo",)),
        ("logout", "yuki", ("site:tokyo",)),
        ("login", "ken", ("total:all",)),
        ("session_ended", "ken", ("site:osaka",)),
    ]


def test_people_of_a_provider_have_the_places_of_their_groups() -> None:
    """As the file has them at that moment; of one that it makes nothing of, none."""
    desk = Desk(
        access_of(
            public_url="http://localhost:8080",
            provider={"issuer": "http://localhost:1/realm", "client_id": "x"},
            groups={"tokyo-wall": [{"role": "viewer", "sites": ["tokyo"]}]},
        )
    )

    assert desk.login.principal(Identity("provider", "yuki", ("tokyo-wall", "others"))).places == ("site:tokyo",)
    assert desk.login.principal(Identity("provider", "yuki", ("others",))).places == ()
    assert desk.login.principal(Identity("user", "gone")) == Principal("gone", "user")
