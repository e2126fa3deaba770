"""The locks and the list of what the image holds: hashed, without addresses, and nothing beyond what production imports."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from streams.serving.vendored import components

ROOT = Path(__file__).parents[2]
#: What the page brings along, by name; the hashes are those of the files in the package that its authors publish.
VENDORED = {"uplot": "1.6.32"}
PRODUCTION, DEVELOPMENT = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"


def pins(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Return name → version and SHA-256 digests of a lock."""
    found: dict[str, tuple[str, list[str]]] = {}
    for block in re.split(r"\n(?=[a-z0-9])", lock.read_text(encoding="utf-8")):
        if pin := re.match(r"([a-z0-9-]+)==(\S+) ", block):
            found[pin.group(1)] = (pin.group(2), re.findall(r"--hash=sha256:([0-9a-f]{64})", block))
    return found


PAGE = ROOT / "streams" / "serving" / "page"


def test_bundled_files_of_the_page_equal_the_published_ones() -> None:
    """Byte for byte, with its licence beside it, and named in the list of what the image holds; no other third-party code is there."""
    published = {
        "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
        "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        "uPlot.LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    }
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (PAGE / "vendor").iterdir()}

    assert {name: digest for name, digest in found.items() if name != "components.json"} == published
    (uplot,) = components()
    assert uplot["hashes"][0]["content"] == published["uPlot.iife.min.js"]
    assert f"(v{uplot['version']})" in (PAGE / "vendor" / "uPlot.iife.min.js").read_text(encoding="utf-8")[:80]
    assert "MIT License" in (PAGE / "vendor" / "uPlot.LICENSE.txt").read_text(encoding="utf-8")
    assert "uPlot" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def normalized(name: str) -> str:
    """Return the name of a distribution as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", [PRODUCTION, DEVELOPMENT], ids=lambda path: path.name)
def test_locks_are_hashed_and_name_no_address(lock: Path) -> None:
    """Every pin has a digest; no line names an index."""
    assert len(pins(lock)) > 30
    assert all(digests for _, digests in pins(lock).values())
    assert not re.search(r"https?://|--index-url|--find-links|--trusted-host", lock.read_text(encoding="utf-8"))


def test_production_is_locked_as_development_has_it() -> None:
    """What is tested is what runs: the same versions and digests."""
    development = pins(DEVELOPMENT)

    assert {name: development.get(name) for name in pins(PRODUCTION)} == pins(PRODUCTION)


def test_production_has_no_embedded_broker_and_no_tools() -> None:
    """The broker of the demo and the tools of development are in the other lock."""
    tools = {"noida-db", "pytest", "mypy", "ruff", "pip-tools", "hypothesis", "setuptools", "pip", "cyclonedx-bom"}

    assert tools & pins(DEVELOPMENT).keys() >= tools - {"pip"}
    assert not tools & pins(PRODUCTION).keys()


def test_production_requirements_cover_its_imports() -> None:
    """Every package of others that a module imports, those of the demo aside, is in the production lock, or an extra in the other."""
    owners = packages_distributions()
    imported: set[str] = set()
    for path in [*(ROOT / "schemas").rglob("*.py"), *(ROOT / "streams").rglob("*.py")]:
        if path.is_relative_to(ROOT / "streams" / "demo"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.split(".")[0])
    others = imported - sys.stdlib_module_names - {"schemas", "streams"}

    assert {"aiokafka", "faust", "yaml"} <= others
    beyond = {normalized(owner) for name in others for owner in owners[name]} - pins(PRODUCTION).keys()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = [each for name, packages in project["optional-dependencies"].items() if name not in {"demo", "dev"} for each in packages]
    extras = {normalized(re.match(r"[\w.-]+", each)[0]) for each in listed}  # type: ignore[index]
    assert beyond <= extras
    assert extras <= pins(DEVELOPMENT).keys()


def test_the_bill_of_materials_is_that_of_the_lock(tmp_path: Path) -> None:
    """`make sbom` writes valid CycloneDX: every pin of the production lock, its digests, what the page brings along, and nothing else."""
    recipe = re.search(r"^sbom:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert recipe is not None
    target = tmp_path / "sbom.json"
    script = recipe.group(1).replace("\\\n", " ").replace("@mkdir -p dist\n", "").replace("dist/contact-streams.cdx.json", str(target))
    subprocess.run(script.replace("$(BIN)", str(Path(sys.executable).parent)), shell=True, check=True, cwd=ROOT, capture_output=True)  # noqa: S602 - our Makefile

    bill = json.loads(target.read_text(encoding="utf-8"))

    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "contact-streams"
    listed = {
        normalized(each["name"]): (
            each["version"],
            sorted(digest["content"] for ref in each["externalReferences"] for digest in ref["hashes"]),
        )
        for each in bill["components"]
        if each["name"] not in VENDORED
    }
    assert {each["name"]: each["version"] for each in bill["components"] if each["name"] in VENDORED} == VENDORED
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(target.read_text(encoding="utf-8")) is None
    assert listed == {name: (version, sorted(digests)) for name, (version, digests) in pins(PRODUCTION).items()}
