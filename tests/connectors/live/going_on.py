"""Platforms that change while they are polled, for the tests of interruptions: each a fake, what happens in one step, and settings."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tests.connectors.live.test_others import SurveyMonkey, at
from tests.connectors.live.test_qualtrics import Qualtrics
from tests.connectors.live.test_tempostar import HEADER, row
from tests.connectors.live.test_twilio_taskrouter import EVENTS, TaskRouter
from tests.connectors.live.test_twilio_taskrouter import settings as of_twilio
from tests.connectors.live.test_typeform import Typeform
from tests.connectors.live.test_zendesk_talk import NAMES, Talk

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.polling import Clock

__all__ = ["SHORT_PAGES", "customerly", "maildealer", "qualtrics", "surveymonkey", "talk", "tempostar", "twilio", "typeform"]

Made = tuple["Callable[[web.Application], None]", "Callable[[], None]", dict[str, Any]]

#: Modules of `streams.connectors.live` → how much their platform answers at once here, so that few records are many pages.
SHORT_PAGES = {"typeform": 8, "surveymonkey": 5, "customerly": 5}

#: A response appears at most this much later; connectors go back for five minutes.
_LATE_SECONDS = 240


def surveymonkey(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Responses come, some are found late, and some are changed."""
    site = SurveyMonkey()
    modified: dict[int, datetime] = {}

    def respond(number: int) -> None:
        late = clock.now - timedelta(seconds=chance.choice([0, 1, chance.randint(0, _LATE_SECONDS)]))
        # A change that is found late is one for all that.
        modified[number] = max(late, modified.get(number, late) + timedelta(seconds=1))
        site.respond(number, modified[number], f"410{chance.randint(1, 5)}")

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(2, 60))
        for _ in range(chance.randint(1, 4)):
            respond(len(modified))
        for number in chance.sample(sorted(modified), 3):
            respond(number)

    for _number in range(60):
        respond(len(modified))
    return site.routes, step, site.settings


def typeform(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Responses to two forms come, and some are found late."""
    site = Typeform()

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(2, 60))
        for _ in range(chance.randint(1, 4)):
            form = chance.choice(sorted(site.responses))
            late = timedelta(seconds=chance.choice([0, 1, chance.randint(0, _LATE_SECONDS)]))
            number = len(site.responses[form])
            site.respond(form, f"{form}-{number}", clock.now - late, chance.randint(1, 5), f"T-{number}")

    return site.add_to, step, {"access_token": "tf-token", "forms": ["Zy8wQr", "Second"]}


def qualtrics(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Responses come over days, some are found late, and some are changed."""
    site = Qualtrics()
    recorded: dict[str, datetime] = {}

    def respond(name: str) -> None:
        late = clock.now - timedelta(seconds=chance.choice([0, 1, chance.randint(0, _LATE_SECONDS)]))
        recorded[name] = max(late, recorded.get(name, late) + timedelta(seconds=1))
        site.respond(name, recorded[name], chance.randint(1, 5))

    def step() -> None:
        clock.now += timedelta(seconds=chance.choice([5, 60, 86_000]))
        for _ in range(chance.randint(1, 4)):
            respond(f"R_{len(recorded)}")
        if chance.random() < 0.7:
            respond(chance.choice(sorted(recorded)))

    return site.add_to, step, {"api_token": "q-token", "surveys": ["SV_abc123"], "questions": {"QID1": "csat"}}


def customerly(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Users come, visit, and vote in the second of a visit or later, some again."""
    users: list[dict[str, Any]] = []

    async def listed(request: web.Request) -> web.Response:
        size, page = int(request.query["per_page"]), int(request.query["page"])
        shown = sorted(users, key=lambda user: str(user["last_update"]), reverse=True)[page * size : (page + 1) * size]
        return web.json_response({"data": {"users": shown}})

    def step() -> None:
        clock.now += timedelta(seconds=chance.choice([0, 0, 20, 60]))
        formatted = clock.now.strftime("%Y-%m-%d %H:%M:%S")
        users.append({"crmhero_user_id": len(users), "last_update": formatted, "nps_vote": None})
        for user in chance.sample(users, min(len(users), 3)):
            # The platform does not report which of two votes of one second is the later.
            if user["nps_vote"] is None or user["last_update"] < formatted:
                user |= {"last_update": formatted, "nps_vote": chance.choice([user["nps_vote"], chance.randint(0, 10)])}

    return at("/v1/users/list", listed), step, {"access_token": "c-token"}


def maildealer(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Mails come, and are dealt with once; those of a span are listed by when they were changed."""
    mails: list[dict[str, Any]] = []

    async def listed(request: web.Request) -> web.Response:
        content = await request.json()
        found = [mail for mail in mails if content["from"] <= mail["changed"] <= content["to"]]
        found.sort(key=lambda mail: (mail["changed"], mail["no"]))
        return web.json_response({"mails": found[content["start"] : content["start"] + 5]})

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(2, 60))
        formatted = clock.now.strftime("%Y-%m-%d %H:%M:%S")
        for _ in range(chance.randint(1, 4)):
            mails.append({"no": str(len(mails)), "came": formatted, "changed": formatted, "done": None, "state": "新着", "box": "info"})
        for mail in chance.sample(mails, min(3, len(mails))):
            if mail["done"] is None and mail["came"] < formatted:
                mail |= {"changed": formatted, "done": formatted, "state": "対応完了"}

    for _number in range(30):
        step()
    settings = {
        "path": "/api/mail/list",
        "api_token": "md-token",
        "request": {"from": "{since}", "to": "{until}", "start": "{offset}"},
        "request_zone": "UTC",
        "page_mails": 5,
        "fields": {"id": "no", "received_at": "came", "status": "state", "folder": "box", "completed_at": "done", "updated_at": "changed"},
    }
    return at("/api/mail/list", listed, "POST"), step, settings


def tempostar(clock: Clock, chance: random.Random, folder: Path) -> Made:
    """Files come, half of each at first, without its lock; some are rewritten, and some that were read long ago are removed."""
    files: dict[str, list[str]] = {}
    begun: list[str] = []
    orders = folder / "orders"
    orders.mkdir()

    def write(name: str, part: float) -> None:
        content = "\r\n".join([HEADER, *files[name], ""]).encode("cp932")
        path = orders / f"{name}.csv"
        path.write_bytes(content[: int(len(content) * part)])
        os.utime(path, (clock.now.timestamp(), clock.now.timestamp()))

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(2, 60))
        if begun:
            write(begun[0], 1)
            (orders / f"{begun.pop()}.lock").touch()
            return
        if len(files) > 20 and chance.random() < 0.7:
            name = chance.choice(sorted(files))
            files[name][0] = files[name][0].replace(",2,", ",9,")
        else:
            name = f"order{len(files):04}"
            files[name] = []
        files[name] += [row(f"{name}-{len(files[name]) + number}") for number in range(chance.randint(1, 20))]
        (orders / f"{name}.lock").unlink(missing_ok=True)
        write(name, chance.uniform(0.1, 0.9))
        begun.append(name)

    for _ in range(40):
        step()
    return lambda _: None, step, {"folder": str(orders), "cancelled_codes": ["9"]}


def twilio(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Three calls continue as time passes."""
    clock.now = datetime(2026, 5, 4, 9, 59, tzinfo=UTC)
    site = TaskRouter(clock, page=3)
    assert len(EVENTS) > 20

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(5, 40))

    return site.add_routes, step, of_twilio("")


def talk(clock: Clock, chance: random.Random, _: Path) -> Made:
    """Calls and their legs come, and some are changed, several a second at times."""
    clock.now = datetime(2026, 5, 4, 10, tzinfo=UTC)
    site = Talk(clock, page=3)
    first = {name: dict(site.exports[name][1 if name == "legs" else 0]) for name in ("calls", "legs")}
    for each in site.exports.values():
        each.clear()

    def step() -> None:
        clock.now += timedelta(seconds=chance.choice([0, 0, 5, 70]))
        formatted = clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        number = len(site.exports["calls"]) + 1
        known = {"created_at": formatted, "updated_at": formatted}
        site.exports["calls"].append({**first["calls"], **known, "id": number})
        for leg in (2 * number, 2 * number + 1):
            site.exports["legs"].append({**first["legs"], **known, "id": leg, "call_id": number})
        for name in ("calls", "legs"):
            changed = chance.choice(site.exports[name])
            # Only the last change is reported.
            changed |= {"updated_at": formatted, "wrap_up_time": chance.randint(0, 60)}

    return site.add_routes, step, {"email": "admin@acme.example", "api_token": "a token", "subdomain": "acme", **NAMES}
