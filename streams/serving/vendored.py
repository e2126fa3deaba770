"""Adds the page's third-party libraries to a bill of materials: ``python -m streams.serving.vendored BILL``."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

__all__ = ["components", "main"]


def components() -> list[dict[str, Any]]:
    """Return the libraries of the page as CycloneDX components."""
    libraries: list[dict[str, Any]] = orjson.loads(files("streams.serving").joinpath("page/vendor/components.json").read_bytes())
    return libraries


def main(arguments: list[str]) -> int:
    """Add the libraries to a bill of materials in JSON."""
    bill = Path(arguments[0])
    document = orjson.loads(bill.read_bytes())
    bill.write_bytes(orjson.dumps({**document, "components": [*document["components"], *components()]}, option=orjson.OPT_INDENT_2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
