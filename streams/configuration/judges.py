"""Which definition judges a queue on a channel, or a larger scope (``docs/counting.md`` section 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from streams.configuration.definitions import ANY_CHANNEL, INLINE, DefinitionVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.configuration.models import Configuration
    from streams.configuration.service_level import ServiceLevelDefinition

__all__ = ["Definitions", "definition_at", "definitions_of", "every_version"]


class Definitions(NamedTuple):
    """The definitions of a queue or larger scope: names, the first of which judges, each with its versions in order."""

    versions: dict[str, tuple[DefinitionVersion, ...]]
    #: Whether they are the queue's own, so that larger scopes judge its contacts by them too; its inline definition is for the queue alone.
    own: bool = False

    @property
    def first(self) -> str:
        """The name of the definition that judges figures."""
        return next(iter(self.versions))


def definitions_of(configuration: Configuration, queue: str | None, channel: str | None) -> Definitions:
    """Return the definitions of a queue on a channel; without a queue, of a larger scope."""
    entry = configuration.queues.get(queue) if queue is not None else None
    if entry is not None and entry.service_level is not None:
        return Definitions({INLINE: (_inline(entry.service_level),)})
    for choice, own in ((entry.definitions if entry is not None else None, True), (configuration.default_definitions, False)):
        names = None if choice is None else choice.get(channel or ANY_CHANNEL, choice.get(ANY_CHANNEL))
        if names is not None:
            return Definitions({name: configuration.definitions[name] for name in names}, own)
    return Definitions({INLINE: (_inline(configuration.service_level),)})


def _inline(definition: ServiceLevelDefinition) -> DefinitionVersion:
    return DefinitionVersion.model_construct(**definition.__dict__, effective_from=None)


def every_version(configuration: Configuration) -> Iterator[ServiceLevelDefinition]:
    """Yield every definition that may judge figures: the inline definitions and all versions of the named ones."""
    yield configuration.service_level
    yield from (queue.service_level for queue in configuration.queues.values() if queue.service_level is not None)
    for versions in configuration.definitions.values():
        yield from versions


def definition_at(configuration: Configuration, queue: str | None, channel: str | None, at_ms: int) -> DefinitionVersion:
    """Return the version that judges figures of a window that begins then, as far as the configuration alone decides it."""
    versions = next(iter(definitions_of(configuration, queue, channel).versions.values()))
    # The first version is valid from the beginning.
    return [versions[0], *(version for version in versions[1:] if (version.from_ms or 0) <= at_ms)][-1]
