"""docs/configuration.md and the schema for editors are generated from the models."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from streams.configuration import docs
from streams.configuration.alert_conditions import AlertCondition
from streams.configuration.boards import OfQueues
from streams.configuration.definitions import INLINE
from streams.configuration.hours import Hours
from streams.configuration.judges import definitions_of
from streams.configuration.loading import load_configuration
from streams.configuration.service_level import ServiceLevelDefinition

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import BaseModel

TEXT = docs.PAGE.read_text(encoding="utf-8")


def table_of(model: str) -> dict[str, list[str]]:
    """Return the rows of a model's table by key."""
    rows = TEXT.partition(f"<!-- keys: {model} -->\n")[2].partition("<!-- end -->")[0].splitlines()[2:]
    return {row.split(" | ")[0].strip("| `"): row.split(" | ") for row in rows}


def test_page_and_schema_are_current() -> None:
    """The committed files equal what would be written; if not, run ``python -m streams.configuration.docs``."""
    assert docs.main(["--check"]) == 0


def test_page_does_not_depend_on_what_ran_before() -> None:
    """A schema that was read before the models got their texts, as for the errors of a file, changes nothing."""
    code = "from streams.configuration import docs, loading; loading.configuration_schema(); raise SystemExit(docs.main(['--check']))"

    assert subprocess.run([sys.executable, "-c", code], cwd=docs.PAGE.parents[1], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("model", docs.MODELS, ids=lambda model: model.__name__)
def test_every_key_is_explained(model: type[BaseModel]) -> None:
    """Each model has one table; each key of it has a row with a sentence."""
    bases = [base for base in (AlertCondition, Hours, OfQueues, ServiceLevelDefinition) if issubclass(model, base) and model is not base]
    inherited = {name for base in bases for name in base.model_fields}
    rows = table_of(model.__name__)

    assert TEXT.count(f"<!-- keys: {model.__name__} -->") == 1
    assert set(rows) == {field.alias or name for name, field in model.model_fields.items()} - inherited
    assert all(row[3].strip(" |").endswith(".") for row in rows.values())


def test_check_sees_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table edited by hand, or a schema that is missing, fails the check; writing mends both and leaves the rest of the page alone."""
    page, schema = tmp_path / "page.md", tmp_path / "schema.json"
    page.write_text(TEXT.replace("| `target` |", "| `aim` |").replace("# Configuration\n", "# By hand\n", 1), encoding="utf-8")
    where = ["--page", str(page), "--schema", str(schema)]

    assert docs.main(["--check", *where]) == 1
    assert "python -m streams.configuration.docs" in capsys.readouterr().err
    assert docs.main(where) == 0
    assert docs.main(["--check", *where]) == 0
    assert page.read_text(encoding="utf-8") == TEXT.replace("# Configuration\n", "# By hand\n", 1)
    assert json.loads(schema.read_text(encoding="utf-8"))["$id"] == "urn:contact-streams:configuration"


def test_examples_can_be_used(tmp_path: Path) -> None:
    """All the YAML of the page together is one configuration."""
    blocks = [block.partition("```")[0] for block in TEXT.split("```yaml\n")[1:]]
    path = tmp_path / "center.yaml"
    path.write_text("".join(blocks), encoding="utf-8")

    found = load_configuration(path)
    assert len(blocks) >= 5
    assert found.people["anna"].identities == {"pbx-tokyo": ("SIP/7", "1007"), "chat": ("a.sato",)}
    assert [*definitions_of(found, "hotline", "voice").versions] == ["standard", "strict"]
    assert definitions_of(found, "desk", "chat").first == "strict"
    assert definitions_of(found, "5001", "voice").first == INLINE


def test_headings_that_are_linked_to() -> None:
    """The anchors that other pages use are there."""
    for anchor in ("## People", "## Hours", "## Environment", "### Presets"):
        assert f"\n{anchor}\n" in TEXT
