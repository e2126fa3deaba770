"""HTTP handlers of the login: the page, its form, the links of screens, the logout, and the list of sessions."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson
from aiohttp import web

from schemas.audit import AuditObject
from schemas.times import format_ms
from streams.access.principals import ANYONE, Identity
from streams.access.rights import RIGHTS
from streams.catalogue import LANGUAGES
from streams.serving.bodies import read_body
from streams.serving.door import DOOR, not_proven, principal_of, view_of
from streams.serving.login.known import LASTING_SECONDS
from streams.serving.login.login import LOGIN, Refused, TicketError
from streams.serving.login.pages import PAGE_HEADERS, kiosk_page, login_page, wait_text
from streams.serving.login.paths import HOME, in_language, own_path
from streams.serving.login.texts import TEXTS, language_of
from streams.serving.problems import problem
from streams.serving.topic_writer import NotWrittenError

if TYPE_CHECKING:
    from streams.access.principals import Principal
    from streams.serving.door import Door
    from streams.serving.login.login import Login
    from streams.serving.login.texts import Language

__all__ = ["end_session", "enter", "form_of", "kiosk", "leave", "login", "redeem", "session", "sessions", "shown"]

#: The longest lifetime of a cookie in browsers; the access file ends a device earlier.
_DEVICE_SECONDS: Final = 400 * 24 * 60 * 60
#: The default view of a screen, which has no user to choose one.
_WALL: Final = "/?view=wall"
_OFF: Final = "logging in is off here: start serve with --access"
_RETRY_SECONDS: Final = 5


async def login(request: web.Request) -> web.Response:
    """Show the login page."""
    after, chosen = own_path(request.query.get("next", HOME)), request.query.get("lang", "")
    return await shown(request, in_language(after, chosen) if chosen in LANGUAGES else after, _language(request))


async def enter(request: web.Request) -> web.Response:
    """Check the submitted form, and redirect to the requested page."""
    desk = _desk(request)
    form = await form_of(request)
    language = language_of(form.get("lang"), request.headers.get("Accept-Language", ""))
    after = own_path(form.get("next", HOME))
    if "name" not in form or "password" not in form:
        return await shown(request, after, language, "form", status=400)
    entered = await desk.enter(request, form["name"], form["password"])
    audit = request.app[DOOR].audit
    if isinstance(entered, Refused):
        tried = None if entered.account is None else desk.principal(Identity("user", entered.account))
        audit.record("login_refused", "refused", principal=tried, request=request, reason=entered.reason)
        status = {"wrong": 403, "throttled": 429, "busy": 503}[entered.reason]
        return await shown(request, after, language, entered.reason, status=status, wait_seconds=entered.wait_seconds, name=form["name"])
    audit.record("login", principal=desk.principal(entered.identity), request=request)
    response = web.Response(status=303, headers={"Location": after, "Cache-Control": "no-store"})
    desk.session_cookie.set(response, entered.secret)
    desk.known_cookie.set(response, entered.known, seconds=LASTING_SECONDS)
    return response


async def leave(request: web.Request) -> web.Response:
    """End the session of a request; where there is none, the device of a screen."""
    desk = _desk(request)
    door = request.app[DOOR]
    principal = await door.identify(request)
    ticket = desk.devices.ticket_of(desk.device_cookie.of(request))
    ends_device = ticket is not None and (principal is None or principal.kind == "kiosk")
    if ticket is not None and ends_device:
        try:
            await desk.end_device(ticket)
        except NotWrittenError:
            return _not_ready()
    after = desk.end_session_of(request) or "/login"
    if principal is not None:
        door.audit.record("logout", principal=principal, request=request)
    if "text/html" in request.headers.get("Accept", ""):
        # From the form of our own page, whose policy permits this server alone.
        response = web.Response(status=303, headers={"Location": "/login"})
    else:
        response = _json({"next": after})
    desk.session_cookie.delete(response)
    if ends_device:
        desk.device_cookie.delete(response)
    return response


async def kiosk(request: web.Request) -> web.Response:
    """Show the page of a screen's link. The ticket is in the fragment, which browsers do not send."""
    _desk(request)
    language = _language(request)
    after = request.query.get("next")
    asked = own_path(after) if after is not None else _WALL + ("&lang=ja" if language == "ja" else "")
    return _page(kiosk_page(language, after=asked))


async def redeem(request: web.Request) -> web.Response:
    """Redeem the ticket of a link, once, and make the browser its device."""
    desk = _desk(request)
    # Pages of other sites cannot send this type without a preflight.
    if request.content_type != "application/json":
        return problem(415, "send application/json")
    try:
        ticket = orjson.loads(await read_body(request))["ticket"]
    except (ValueError, TypeError, KeyError):
        return problem(400, "send an object with the member ticket")
    audit = request.app[DOOR].audit
    try:
        identity, secret = await desk.redeem(ticket if isinstance(ticket, str) else "")
    except TicketError:
        audit.record("login_refused", "refused", request=request, reason="ticket")
        return problem(403, "this link is not valid: it has been used, has expired, or is incomplete")
    except NotWrittenError:
        return _not_ready()
    audit.record("kiosk_redeemed", principal=desk.principal(identity), request=request)
    response = _json({"name": identity.name})
    desk.device_cookie.set(response, secret, seconds=_DEVICE_SECONDS)
    return response


async def session(request: web.Request) -> web.Response:
    """Answer with the logged-in account."""
    door = request.app.get(DOOR)
    principal = ANYONE if door is None else await door.identify(request)
    if principal is None:
        return not_proven()
    return _json(
        {
            "kind": principal.kind,
            "name": None if principal.kind == "anyone" else principal.name,
            "rights": [right for right in RIGHTS if principal.may(right)],
            **_contacts_of(door, principal),
        }
    )


def _contacts_of(door: Door | None, principal: Principal) -> dict[str, list[str]]:
    """Return the scopes whose single contacts an account may see, where it is limited to some."""
    scopes = door.view(principal, "contacts").scopes if door is not None and principal.may("contacts") else None
    return {} if scopes is None else {"contacts_of": sorted(each for each in scopes if not each.startswith(("agent:", "team:")))}


async def sessions(request: web.Request) -> web.Response:
    """List the sessions of this server, and the screens that have redeemed their links."""
    desk = _desk(request)
    desk.sessions.sweep(desk.clock())
    limits = desk.limits
    listed: list[dict[str, Any]] = [
        {
            "id": each.id,
            "kind": each.identity.kind,
            "name": each.identity.name,
            "began_at": _time(each.began),
            "used_at": _time(each.used),
            "ends_at": _time(min(each.began + limits.lasting_seconds, each.used + limits.idle_seconds)),
        }
        for each in desk.sessions
        if _is_managed(request, each.identity)
    ]
    kiosks = desk.access.running.kiosks
    devices = desk.devices.in_use(entry.ticket for entry in kiosks.values())
    for name, entry in kiosks.items():
        if entry.ticket in devices and _is_managed(request, Identity("kiosk", name)):
            began = format_ms(devices[entry.ticket].at_ms)
            listed.append(
                {
                    "id": _device_id(entry.ticket),
                    "kind": "kiosk",
                    "name": name,
                    "began_at": began,
                    "used_at": None,
                    "ends_at": entry.expires,
                }
            )
    return _json({"sessions": listed})


async def end_session(request: web.Request) -> web.Response:
    """End a session of the list."""
    desk = _desk(request)
    asked = request.match_info["session"]
    audit, principal = request.app[DOOR].audit, principal_of(request)
    user = next((each.identity for each in desk.sessions if each.id == asked), None)
    kiosks = desk.access.running.kiosks
    kiosk = next((name for name, each in kiosks.items() if _device_id(each.ticket) == asked and desk.devices.in_use([each.ticket])), None)
    identity = user if kiosk is None else Identity("kiosk", kiosk)
    if identity is None or not _is_managed(request, identity):
        return problem(404, "there is no such session")
    if kiosk is None:
        desk.sessions.end(asked)
    else:
        try:
            await desk.end_device(kiosks[kiosk].ticket)
        except NotWrittenError:
            return _not_ready()
    of = desk.principal(identity)
    audit.record("session_ended", principal=principal, request=request, about=AuditObject(account=of.account), of=of)
    return web.Response(status=204)


def _is_managed(request: web.Request, identity: Identity) -> bool:
    """Return whether the requesting account manages all scopes that another one may see."""
    door, managed = request.app[DOOR], view_of(request, "manage")
    if managed.scopes is None:
        return True
    other = door.access.running.principal(identity, request.app[LOGIN].clock() * 1000)
    seen = None if other is None else door.view(other, "figures").scopes
    return seen is not None and len(seen) > 0 and seen <= managed.scopes


def _desk(request: web.Request) -> Login:
    desk = request.app.get(LOGIN)
    if desk is None:
        raise web.HTTPNotFound(reason=_OFF)
    return desk


def _device_id(ticket: str) -> str:
    """Return the id of a device in the list: enough of its entry in the access file to find it there."""
    return ticket.removeprefix("sha256:")[:16]


def _language(request: web.Request) -> Language:
    """Return the language of the address, else of the requested page, else of the browser."""
    going_to = parse_qs(urlsplit(own_path(request.query.get("next", HOME))).query)
    asked = request.query.get("lang") or going_to.get("lang", [None])[0]
    return language_of(asked, request.headers.get("Accept-Language", ""))


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the fields of the form that occur once."""
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        fields = parse_qs((await read_body(request)).decode(), keep_blank_values=True, max_num_fields=10, errors="strict")
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


async def shown(
    request: web.Request,
    after: str,
    language: Language,
    trouble: str | None = None,
    *,
    status: int = 200,
    wait_seconds: float = 0.0,
    name: str = "",
) -> web.Response:
    """Return the login page; ``trouble`` is the key of the text about what went wrong."""
    desk = _desk(request)
    principal = None if trouble else await request.app[DOOR].identify(request)
    if principal is not None and not principal.may("figures"):
        trouble = "no_rights"
    text = None if trouble is None else TEXTS[language][trouble].format(wait=wait_text(language, wait_seconds))
    page = login_page(
        language,
        after=after,
        problem=text,
        name=name[:100] if name.isprintable() else "",
        passwords=bool(desk.access.running.users),
        provider=desk.provider_path if desk.access.running.provider is not None else None,
        logged_in=None if principal is None else principal.name,
        can_continue=trouble is None,
    )
    response = _page(page, status)
    if wait_seconds:
        response.headers["Retry-After"] = str(ceil(wait_seconds))
    return response


def _page(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=PAGE_HEADERS)


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def _not_ready() -> web.Response:
    return problem(503, "Kafka does not answer, or devices are still being read", retry_after_seconds=_RETRY_SECONDS)


def _time(seconds: float) -> str:
    return format_ms(int(seconds * 1000))
