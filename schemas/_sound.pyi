from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

_Times: TypeAlias = dict[type, tuple[tuple[str, ...], Callable[[Any], object] | None]]

def decode(value: object, read: Callable[[bytes], Any], times: _Times, /) -> Any: ...
def decode_all(records: Sequence[Any], read: Callable[[bytes], Any], times: _Times, earliest_ms: int, ahead_ms: int, /) -> list[Any]: ...
