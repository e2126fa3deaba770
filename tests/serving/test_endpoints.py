"""The table of endpoints: the application answers exactly what is in it."""

from __future__ import annotations

from streams.access.rights import RIGHTS, ROLES
from streams.serving.api import create_app
from streams.serving.api.app import HANDLERS
from streams.serving.endpoints import ENDPOINTS
from tests.serving.records import Backend


def test_the_application_answers_what_is_in_the_table() -> None:
    """Every route has the name, method and path of an endpoint, GET brings HEAD but for streams, and every endpoint has its handler."""
    table = {(each.name, each.method, each.path) for each in ENDPOINTS}
    heads = {(each.name, "HEAD", each.path) for each in ENDPOINTS if each.method == "GET" and each.head}
    routes = set()
    for route in create_app(Backend().serving()).router.routes():
        assert route.resource is not None
        info = route.resource.get_info()
        routes.add((route.name, route.method, info.get("path") or info.get("formatter")))

    assert {(name, method) for name, method, _ in routes} == {(name, method) for name, method, _ in table | heads}
    assert {path for _, _, path in routes} == {each.template for each in ENDPOINTS}
    assert HANDLERS.keys() == {each.name for each in ENDPOINTS}
    assert len(table) == len({each.name for each in ENDPOINTS}) == len({(each.method, each.path) for each in ENDPOINTS})


def test_what_needs_no_right_is_known() -> None:
    """Without a right are health and what holds no figure; an addition has to be listed here."""
    assert {each.name for each in ENDPOINTS if each.right is None} == {
        *{"alive", "ready", "docs", "openapi", "page_file"},
        *{"session", "login", "enter", "leave", "kiosk", "redeem"},
        *{"provider_begin", "provider_callback", "provider_logout"},
    }
    assert {right for rights in ROLES.values() for right in rights} <= set(RIGHTS)
    assert {each.right for each in ENDPOINTS} - {None} <= set(RIGHTS)
