from collections.abc import Callable, Mapping
from typing import Any

class ContactIntake:
    def __init__(
        self,
        *,
        kinds: Mapping[type, tuple[Any, Callable[[Any], Any] | None, Any, bool]],
        conversations: dict[str, Any],
        sources: dict[str, int],
        suffixes: dict[str, str],
        journals: frozenset[str],
        quarantined: dict[str, Any],
        watched: dict[str, Any],
        progress: object,
        admit: Callable[[Any, Any], None],
        admitted: dict[str, frozenset[str]],
        put: Callable[[Any, Any], None],
        held: dict[str, list[int]],
        unread: dict[str, Any],
        packed: dict[str, Any],
        unclaimed: set[str],
        types: tuple[type, type, type, type, type],
        late_ms: int,
        pane_ms: int,
        max_facts: int,
        max_recounted: int,
        max_subjects: int,
        max_events: int,
    ) -> None: ...
    def take(self, events: list[Any], index: int, changed: dict[str, None], unfolded: list[Any], /) -> int: ...

class AgentIntake:
    def __init__(
        self,
        *,
        kinds: Mapping[type, tuple[Any, Callable[[Any], Any], Any, bool]],
        agents: dict[str, Any],
        sources: dict[str, int],
        suffixes: dict[str, str],
        journals: frozenset[str],
        quarantined: dict[str, Any],
        watched: dict[str, Any],
        progress: object,
        admit: Callable[[Any, Any], None],
        admitted: dict[str, frozenset[str]],
        take: Callable[[str, Any, Any, Any], None],
        own: dict[str, Any],
        types: tuple[type, type],
        late_ms: int,
        pane_ms: int,
        max_facts: int,
        max_events: int,
    ) -> None: ...
    def take(self, events: list[Any], index: int, booked_to: int | None, /) -> int: ...
