"""The documentation of the API as a page: all of the document, in both languages, and nothing from elsewhere."""

from __future__ import annotations

import asyncio
import copy
import re
from html.parser import HTMLParser

import pytest

from streams.serving.docs_page import docs_page
from streams.serving.endpoints import ENDPOINTS
from streams.serving.openapi import openapi
from tests.serving.records import Backend, client_of

VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    """Reads a page: elements that are open, ids, links, and what is loaded."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.attributes |= given.keys()
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a":
            self.links.append(given["href"])
        elif "href" in given or "src" in given:
            self.loaded.append(given.get("href") or given["src"])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_is_whole(language: str) -> None:
    """Elements are closed, ids are there once, links lead somewhere, every address and type has its place."""
    page = docs_page("ja" if language == "ja" else "en")
    read = Reader(page)
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert {link for link in read.links if link.startswith("#")} <= {f"#{each}" for each in read.ids}
    assert {f"type-{name}" for name in openapi()["components"]["schemas"]} <= set(read.ids)
    for endpoint in ENDPOINTS:
        if endpoint.documented:
            assert f"<h3><code>{endpoint.method} {endpoint.template}</code></h3>" in page
            for parameter in endpoint.parameters:
                assert parameter.about in page.replace("&#x27;", "'")
    assert f'<html lang="{language}">' in page


def test_it_loads_nothing_from_elsewhere_and_runs_nothing() -> None:
    """Its style and its icon are files of ours; no script, no style and no handler in it."""
    read = Reader(docs_page("en"))
    assert read.loaded == ["../icon.svg", "../docs.css"]
    assert not read.tags & {"script", "style", "img", "iframe", "form", "object"}
    assert not {name for name in read.attributes if name.startswith("on") or name == "style"}


def test_it_is_served_in_the_language_asked_for() -> None:
    """By the parameter, else by the browser; under the same policy as the wallboard; what it loads is there."""

    async def check() -> None:
        async with client_of(Backend().serving()) as client:
            for path, accepted, language in (
                ("/api/docs", "", "en"),
                ("/api/docs", "ja,en;q=0.5", "ja"),
                ("/api/docs?lang=en", "ja", "en"),
                ("/api/docs?lang=ja", "en", "ja"),
            ):
                answer = await client.get(path, headers={"Accept-Language": accepted})
                text = await answer.text()
                assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
                assert re.search(r'<html lang="(..)">', text[:100]), text[:100]
                assert f'<html lang="{language}">' in text
                assert ("エンドポイント" in text) == (language == "ja")
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["Vary"] == "Accept-Language"
            assert (await client.get("/docs.css")).headers["Content-Type"] == "text/css; charset=utf-8"
            assert (await client.get("/api/v1/openapi.json")).status == 200

    asyncio.run(check())


def test_texts_are_not_interpreted_as_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts, names, examples and addresses of the document are shown as they are, with any content."""
    evil = "<script>\"'&"
    document = copy.deepcopy(openapi())
    operation = document["paths"].pop("/api/v1/alerts")["get"]
    operation |= {"summary": evil, "x-right": evil}
    operation["parameters"][0] |= {"name": evil, "description": evil, "example": evil, "schema": {"enum": [evil]}}
    document["paths"][f"/api/{evil}"] = {"get": operation}
    document["info"]["description"] = f"{evil}\n\n- {evil}"
    schema = document["components"]["schemas"]["Interval"]
    schema |= {"description": evil, "examples": [{evil: evil}]}
    schema["properties"][evil] = {"type": "string", "const": evil, "description": evil}
    monkeypatch.setattr("streams.serving.docs_page.openapi", lambda: document)

    page = docs_page.__wrapped__("en")
    assert "<script" not in page
    assert "script" not in Reader(page).tags
    assert page.count("&lt;script&gt;") >= 10
