"""What is generated from the models: up to date in the repository, and drift is found and named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.generate import drift, main, products, write
from schemas.topics import TOPICS

if TYPE_CHECKING:
    from _pytest.capture import CaptureFixture

ROOT = Path(__file__).parents[2]
EXAMPLES: list[dict[str, Any]] = [json.loads(line) for line in (Path(__file__).parent / "examples.jsonl").read_text("utf-8").splitlines()]
PRODUCTS = products()


def test_generated_files_are_up_to_date() -> None:
    """Structs, schemas and the page of events are those of the models."""
    assert drift(ROOT) == [], "run python -m schemas.generate"


def test_drift_is_named(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    """A changed, a missing and a left-over file are each named, and the check fails."""
    write(tmp_path)
    assert main(["--check"], tmp_path) == 0

    (tmp_path / "docs/events.md").write_text("something else", encoding="utf-8")
    (tmp_path / "schemas/json/events/contact.queued.json").unlink()
    (tmp_path / "schemas/json/events/contact.gone.json").write_text("{}", encoding="utf-8")

    assert main(["--check"], tmp_path) == 1
    assert [line.split()[0] for line in capsys.readouterr().err.splitlines()] == [
        "docs/events.md",
        "schemas/json/events/contact.gone.json",
        "schemas/json/events/contact.queued.json",
    ]


def test_writing_repairs_and_lists_files(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    """Writing touches only what is out of date, and twice in a row changes nothing."""
    assert main([], tmp_path) == 0
    assert set(capsys.readouterr().out.split()) == set(PRODUCTS)

    (tmp_path / "schemas/json/events/contact.gone.json").write_text("{}", encoding="utf-8")
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out.split() == ["schemas/json/events/contact.gone.json"]
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out == ""


def test_every_kind_and_every_shaped_topic_has_a_schema() -> None:
    """A document for each event kind and each topic with a model, named by it in `$id`, keys sorted."""
    documents = {path: json.loads(text) for path, text in PRODUCTS.items() if path.endswith(".json")}
    expected = {f"schemas/json/events/{example['type']}.json": f"urn:contact-streams:event:{example['type']}:v1" for example in EXAMPLES}
    expected |= {f"schemas/json/topics/{topic.name}.json": f"urn:contact-streams:topic:{topic.name}" for topic in TOPICS if topic.model}

    assert {path: document["$id"] for path, document in documents.items()} == expected
    assert all(list(document) == sorted(document) for document in documents.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_schemas_describe_the_wire(example: dict[str, Any]) -> None:
    """An example has only properties its schema knows, all it requires (the type among them), and texts of its patterns."""
    schema = json.loads(PRODUCTS[f"schemas/json/events/{example['type']}.json"])

    assert set(schema["required"]) <= example.keys() <= schema["properties"].keys()
    assert "type" in schema["required"]
    assert schema["properties"]["type"]["const"] == example["type"]
    for name, value in example.items():
        if pattern := schema["properties"][name].get("pattern"):
            assert re.search(pattern, value)


def test_the_page_names_every_kind_and_field() -> None:
    """The page of events has a heading for each kind and a row for each field of each example."""
    page = PRODUCTS["docs/events.md"]
    for example in EXAMPLES:
        assert page.count(f"### {example['type']}\n") == 1
        for name in example.keys() - {"type"}:
            assert f"| `{name}` |" in page


def test_a_row_of_the_page_is_one_line() -> None:
    """A line break inside a cell would end the table."""
    rows = [line for line in PRODUCTS["docs/events.md"].splitlines() if line.startswith("|")]

    assert rows
    assert all(row.endswith("|") for row in rows)


@pytest.mark.parametrize("path", sorted(PRODUCTS))
def test_generated_files_end_in_one_newline(path: str) -> None:
    """Generated files look as an editor would leave them."""
    text = PRODUCTS[path]

    assert text.endswith("\n")
    assert not text.endswith("\n\n")
