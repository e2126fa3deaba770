"""Whom to call when something is broken, as the configuration file says it; no secret, for everybody who sees figures reads it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.configuration.base import Model, Name

__all__ = ["OnCall", "Part"]

#: What can be broken: the broker, the counting, a source of events, the configuration file, the serving of figures.
Part = Literal["kafka", "worker", "source", "configuration", "serve"]


class OnCall(Model):
    """Whom to call, as people read it: a name, an extension, a channel; at most 100 characters."""

    default: Name
    """Where nothing below says otherwise."""
    kafka: Name | None = None
    """When Kafka does not answer, or lacks its topics."""
    worker: Name | None = None
    """When events are not counted, or not all of them."""
    serve: Name | None = None
    """When figures are not served."""
    configuration: Name | None = None
    """When a changed configuration is refused."""
    sources: dict[Name, Name] = Field(default_factory=dict)
    """Source → whom to call when it is silent or quarantined."""

    def of(self, part: Part, names: tuple[str, ...] = ()) -> str:
        """Return whom to call about a part; of several sources that of the first."""
        if part == "source":
            return next((self.sources[name] for name in names if name in self.sources), self.default)
        told: str | None = getattr(self, part)
        return self.default if told is None else told
