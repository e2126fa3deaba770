"""Functions with code of their own by type do what the one function does."""

from __future__ import annotations

from schemas.by_type import by_type, own_code


def test_each_type_has_code_of_its_own_and_keeps_it() -> None:
    """What is remembered in the code for one type is not lost to another; all who call the function share it."""

    def shown(value: object) -> str:
        return str(value)

    functions = by_type(shown)

    assert functions[int](7) == "7"
    assert functions[str]("7") == "7"
    assert len({id(shown.__code__), id(functions[int].__code__), id(functions[str].__code__)}) == 3
    assert by_type(shown)[int] is functions[int]


def test_defaults_and_what_it_encloses_are_the_same() -> None:
    """It sees what the function sees, and changes it too."""
    seen = 0

    def add(number: int = 2, *, times: int = 3) -> int:
        nonlocal seen
        seen += number * times
        return seen

    other = own_code(add)

    assert (add(), other(), other(1, times=1), seen) == (6, 12, 13, 13)
