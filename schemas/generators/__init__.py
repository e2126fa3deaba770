"""What is generated from the models: structs, JSON Schema and the page of events; one module a product, all pure."""

from __future__ import annotations

__all__: list[str] = []
