"""What the models of the configuration file share: keys that must be known, names, zones, and what a pattern means in words."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from schemas.base import composed

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PERMITTED", "Model", "Name", "Zone", "nearest", "number_as_text", "refuse"]

_NAME: Final = r"^[^\x00-\x1f\x7f]+$"

#: Pattern or format → what it permits, for people. A pattern of the file that is not here fails the test of the page.
PERMITTED: Final[dict[str, str]] = {
    _NAME: "a text of 1 to 100 characters, none of them a control character",
    "^[A-Z]{3}$": "three capital letters such as JPY",
    "IANA time zone": "IANA names such as UTC, Europe/Berlin or Asia/Tokyo",
}


class Model(BaseModel):
    """A part of the file: only the keys it declares, and nothing taken for what it is not."""

    # The texts under attributes are read by `streams.configuration.docs` alone: with each model they would make every command slower.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


_COMPARED, _COMPARED_CHARACTERS = 200, 100


def refuse(message: str) -> PydanticCustomError:
    """Return the error to raise from a validator; the sentence says what is permitted."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``, did you mean X?`` for the known word next to a wrong one, or nothing."""
    # What names are compared for takes their length times each other's.
    found = (
        get_close_matches(word, [each for each in islice(known, _COMPARED) if len(each) <= _COMPARED_CHARACTERS], n=1)
        if len(word) <= _COMPARED_CHARACTERS
        else []
    )
    return f", did you mean {found[0]}?" if found else ""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        message = f"unknown time zone {name!r}; permitted: {PERMITTED['IANA time zone']}"
        raise refuse(message)
    return name


def number_as_text(value: object) -> object:
    """Take an extension such as 1001 for the name it is, and a text as Unicode composes it, as in events."""
    return str(value) if type(value) is int else composed(value)


Name = Annotated[str, BeforeValidator(number_as_text), Field(min_length=1, max_length=100, pattern=_NAME)]
Zone = Annotated[str, AfterValidator(_known_zone), Field(json_schema_extra={"format": "IANA time zone"})]
