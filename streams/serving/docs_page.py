"""The documentation of the API as a page built from the OpenAPI document, without scripts and external files."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from streams.serving.openapi import openapi

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streams.catalogue.words import Language

__all__ = ["docs_page"]

_LABELS: Final = {
    "title": ("The API of Contact Streams", "Contact Streams API リファレンス"),
    "wallboard": ("Wallboard", "ウォールボード"),
    "document": ("OpenAPI document", "OpenAPI 文書"),
    "other": ("日本語", "English"),
    "rules": ("Rules and limits", "共通の規則と制限"),
    "addresses": ("Addresses", "エンドポイント"),
    "types": ("Types", "データ型"),
    "right": ("Right", "必要な権限"),
    "no_right": ("none", "不要"),
    "log_in": ("Authentication", "認証方法"),
    "parameters": ("Parameters", "パラメーター"),
    "answers": ("Answers", "レスポンス"),
    "example": ("Example", "例"),
    "name": ("Name", "名前"),
    "type": ("Type", "型"),
    "required": ("required", "必須"),
    "meaning": ("Meaning", "説明"),
    "status": ("Status", "ステータス"),
    "headers": ("Headers", "ヘッダー"),
    "events": ("Events", "イベント"),
}


@cache
def docs_page(language: Language) -> str:
    """Return the page; texts of the document are in English, headings and labels in ``language``."""
    document, labels = openapi(), {name: both[language == "ja"] for name, both in _LABELS.items()}
    other = "en" if language == "ja" else "ja"
    operations = [(path, method, operation) for path, methods in document["paths"].items() for method, operation in methods.items()]
    schemas: dict[str, Any] = document["components"]["schemas"]
    body = [
        f"<header><h1>{labels['title']}</h1><nav>",
        f'<a href="../">{labels["wallboard"]}</a><a href="v1/openapi.json">{labels["document"]}</a>',
        f'<a href="?lang={other}" lang="{other}" hreflang="{other}">{labels["other"]}</a></nav></header><main>',
        f'<section id="rules"><h2>{labels["rules"]}</h2>{_prose(document["info"]["description"])}</section>',
        f"<section><h2>{labels['log_in']}</h2>{_schemes(document['components']['securitySchemes'])}</section>",
        f'<section id="addresses"><h2>{labels["addresses"]}</h2><ul class="contents">',
        *(_content(path, method, operation) for path, method, operation in operations),
        "</ul>",
        *(_operation(path, method, operation, labels) for path, method, operation in operations),
        f'</section><section id="types"><h2>{labels["types"]}</h2>',
        *(_schema(name, schema, labels) for name, schema in schemas.items()),
        "</section></main>",
    ]
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{labels["title"]}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="../icon.svg">'
        f'<link rel="stylesheet" href="../docs.css"></head><body>{"".join(body)}</body></html>'
    )


def _content(path: str, method: str, operation: dict[str, Any]) -> str:
    link = f'<a href="#{_id(operation["operationId"])}"><code>{method.upper()} {escape(path)}</code></a>'
    return f"<li>{link} {escape(operation['summary'])}</li>"


def _operation(path: str, method: str, operation: dict[str, Any], labels: dict[str, str]) -> str:
    right = operation.get("x-right")
    parts = [
        f'<article id="{_id(operation["operationId"])}"><h3><code>{method.upper()} {escape(path)}</code></h3>',
        f"<p>{escape(operation['summary'])}</p>",
        f"<p>{labels['right']}: {f'<code>{escape(right)}</code>' if right else labels['no_right']}</p>",
    ]
    if operation["parameters"]:
        rows = ((f"<code>{escape(parameter['name'])}</code>", *_of_parameter(parameter, labels)) for parameter in operation["parameters"])
        parts.append(f"<h4>{labels['parameters']}</h4>" + _table((labels["name"], labels["type"], labels["meaning"]), rows))
    answers = ((f"<code>{status}</code>", *_of_answer(response)) for status, response in operation["responses"].items())
    parts.append(f"<h4>{labels['answers']}</h4>" + _table((labels["status"], labels["type"], labels["headers"]), answers))
    for media, content in operation["responses"].get("200", {}).get("content", {}).items():
        if "example" in content:
            parts.append(_example(f"{labels['example']}: {media}", content["example"]))
        if "x-events" in content:
            events = ((f"<code>{escape(event)}</code>", _type(schema)) for event, schema in content["x-events"].items())
            parts.append(f"<h4>{labels['events']}</h4>" + _table((labels["name"], labels["type"]), events))
    return "".join(parts) + "</article>"


def _of_parameter(parameter: dict[str, Any], labels: dict[str, str]) -> tuple[str, str]:
    example = parameter.get("example")
    shown = example[0] if isinstance(example, list) else example
    required = f" ({labels['required']})" if parameter["required"] else ""
    about = escape(parameter.get("description", ""))
    if shown is not None:
        about = f"{about} {labels['example']}: <code>{escape(str(shown))}</code>"
    return _type(parameter["schema"]) + required, about


def _of_answer(response: dict[str, Any]) -> tuple[str, str]:
    kinds = [f"{_type(content['schema'])} <small>{escape(media)}</small>" for media, content in response.get("content", {}).items()]
    headers = ", ".join(f"<code>{escape(name)}</code>" for name in response.get("headers", {}))
    return "<br>".join(kinds) or escape(response["description"]), headers


def _schema(name: str, schema: dict[str, Any], labels: dict[str, str]) -> str:
    required = schema.get("required", ())
    rows = (
        (
            f"<code>{escape(field)}</code>",
            _type(part) + (f" ({labels['required']})" if field in required else ""),
            escape(part.get("description", "")),
        )
        for field, part in schema.get("properties", {}).items()
    )
    example = _example(labels["example"], schema["examples"][0]) if "examples" in schema else ""
    about = f"<p>{escape(schema.get('description', ''))}</p>"
    table = _table((labels["name"], labels["type"], labels["meaning"]), rows)
    return f'<article id="type-{_id(name)}"><h3>{escape(name)}</h3>{about}{table}{example}</article>'


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a schema in brief; components as links."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#type-{_id(name)}">{escape(name)}</a>'
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(_type(part) for part in schema[key])
    if "const" in schema:
        return f"<code>{escape(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = str(schema.get("type", ""))
    if kind == "array":
        return f"{_type(schema['items'])} []"
    more = schema.get("additionalProperties")
    if kind == "object" and isinstance(more, dict):
        return f"{{ {_type(more)} }}"
    parts = [schema.get("format", kind), *(f"{sign} {schema[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in schema)]
    return escape(" ".join(parts))


def _example(title: str, example: object) -> str:
    shown = escape(json.dumps(example, ensure_ascii=False, indent=2))
    return f"<details><summary>{escape(title)}</summary><pre>{shown}</pre></details>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    if not lines:
        return ""
    return f"<table><thead><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _schemes(schemes: dict[str, Any]) -> str:
    items = (f"<dt>{escape(name)}</dt><dd>{escape(scheme['description'])}</dd>" for name, scheme in schemes.items())
    return f"<dl>{''.join(items)}</dl>"


def _prose(text: str) -> str:
    """Return the paragraphs and lists of the document's description as HTML."""
    blocks = []
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if all(line.startswith("- ") for line in lines):
            blocks.append("<ul>" + "".join(f"<li>{escape(line[2:])}</li>" for line in lines) + "</ul>")
        else:
            blocks.append(f"<p>{escape(' '.join(lines))}</p>")
    return "".join(blocks)


def _id(name: str) -> str:
    return escape(name.replace("_", "-"))
