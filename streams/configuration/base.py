"""Shared parts of the models of the configuration file: strict keys, names, zones, and the texts of patterns."""

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

#: Pattern or format → the text of what it permits. A pattern of the file that is not here fails the test of the page.
PERMITTED: Final[dict[str, str]] = {
    _NAME: "a text of 1 to 100 characters, none of them a control character",
    "^[A-Z]{3}$": "three capital letters such as JPY",
    "IANA time zone": "IANA names such as UTC, Europe/Berlin or Asia/Tokyo",
}


class Model(BaseModel):
    """A part of the file: only declared keys, and no type conversion."""

    # Only `streams.configuration.docs` reads the texts under attributes: with each model they would make every command slower.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


_COMPARED, _COMPARED_CHARACTERS = 200, 100


def refuse(message: str) -> PydanticCustomError:
    """Return the error to raise from a validator; the sentence states what is permitted."""
    return PydanticCustomError("refused", "{message}", {"message": message})


def nearest(unknown: str, known: Iterable[str]) -> str:
    """Return ``, did you mean X?`` for the known word nearest to a wrong one, or an empty text."""
    # The cost of a comparison is the product of the lengths.
    matches = (
        get_close_matches(unknown, [name for name in islice(known, _COMPARED) if len(name) <= _COMPARED_CHARACTERS], n=1)
        if len(unknown) <= _COMPARED_CHARACTERS
        else []
    )
    return f", did you mean {matches[0]}?" if matches else ""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        message = f"unknown time zone {name!r}; permitted: {PERMITTED['IANA time zone']}"
        raise refuse(message)
    return name


def number_as_text(value: object) -> object:
    """Return an extension such as 1001 as a name, and a text in Unicode's composed form, as in events."""
    return str(value) if type(value) is int else composed(value)


Name = Annotated[str, BeforeValidator(number_as_text), Field(min_length=1, max_length=100, pattern=_NAME)]
Zone = Annotated[str, AfterValidator(_known_zone), Field(json_schema_extra={"format": "IANA time zone"})]
