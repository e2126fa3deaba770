"""Contacts to call when something is broken; no secret, because every viewer of figures reads them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.configuration.base import Model, Name

__all__ = ["OnCall", "Part"]

#: The parts that can break: the broker, the counting, a source of events, the configuration file, the serving of figures.
Part = Literal["kafka", "worker", "source", "configuration", "serve"]


class OnCall(Model):
    """Contacts to call, as displayed: a name, an extension, a channel; at most 100 characters."""

    default: Name
    """For everything without an entry below."""
    kafka: Name | None = None
    """When Kafka does not answer, or lacks its topics."""
    worker: Name | None = None
    """When events are not counted, or not all of them."""
    serve: Name | None = None
    """When figures are not served."""
    configuration: Name | None = None
    """When a changed configuration is refused."""
    sources: dict[Name, Name] = Field(default_factory=dict)
    """Source → contact to call when it is silent or quarantined."""

    def of(self, part: Part, names: tuple[str, ...] = ()) -> str:
        """Return the contact to call about a part; of several sources that of the first."""
        if part == "source":
            return next((self.sources[name] for name in names if name in self.sources), self.default)
        contact: str | None = getattr(self, part)
        return self.default if contact is None else contact
