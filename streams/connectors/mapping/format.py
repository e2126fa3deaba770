"""The mapping file as typed models, version 1; ``plan`` checks what the keys mean together."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

__all__ = [
    "TABULAR",
    "Condition",
    "Duration",
    "EventRule",
    "Instant",
    "MappingFile",
    "Reading",
    "Revision",
    "Scalar",
    "Table",
    "Value",
]

T = TypeVar("T")

#: What a literal of the file may be.
Literals = str | int | float | bool


def _scalar(value: object) -> Literals:
    if isinstance(value, str | int | float):
        return value
    kind, message = "scalar", "permitted: a text, a number, true or false"
    raise PydanticCustomError(kind, message)


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        kind, message = "zone", "unknown time zone; permitted: IANA names such as UTC, Europe/Berlin or Asia/Tokyo"
        raise PydanticCustomError(kind, message)
    return name


Scalar = Annotated[Any, PlainValidator(_scalar)]
"""A text, a number, true or false."""

Zone = Annotated[str, AfterValidator(_known_zone)]
"""An IANA time zone."""

Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of a constant or of a time: letters, digits and ``_``, no digit first."""

Text = Annotated[str, Field(min_length=1, max_length=500)]
"""A column, a path, or another text of the file."""


def _listed(value: Any) -> Any:
    """Return a single entry as a list."""
    return [value] if isinstance(value, dict | int | float | str) else value


class _Spec(BaseModel):
    """A mapping of the file: only the keys it declares."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    #: Keys of which exactly one names the origin of the content; empty where there is no such choice.
    origins: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def keys(cls) -> list[str]:
        """Return the keys as they are written."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def expanded(cls, data: object) -> object:
        """Return a shorthand in full."""
        return data

    @model_validator(mode="before")
    @classmethod
    def _keys_and_one_origin(cls, data: object) -> object:
        data = cls.expanded(data)
        keys = cls.keys()
        permitted = ", ".join(keys)
        if not isinstance(data, dict):
            kind, message = "no_keys", "permitted: keys and values, with the keys {permitted}"
            raise PydanticCustomError(kind, message, {"permitted": permitted})
        if cls.origins and all(key in keys for key in data) and sum(key in data for key in cls.origins) != 1:
            kind, message = "one_origin", "needs exactly one of {permitted}"
            raise PydanticCustomError(kind, message, {"permitted": ", ".join(cls.origins)})
        return data


class Condition(_Spec):
    """A condition on a record; a list of conditions means all of them."""

    origins = ("from", "all", "any", "not")

    from_: Text | None = Field(default=None, alias="from")
    """The column or path to test, with ``equals``, ``in`` or ``present``."""
    equals: Scalar | None = None
    """It holds just this."""
    in_: list[Scalar] | None = Field(default=None, alias="in", min_length=1)
    """It holds one of these."""
    present: bool | None = None
    """It holds something (true), or nothing (false)."""
    all_: list[Condition] | None = Field(default=None, alias="all", min_length=1)
    """All of these hold."""
    any_: list[Condition] | None = Field(default=None, alias="any", min_length=1)
    """At least one of these holds."""
    not_: Condition | None = Field(default=None, alias="not")
    """This does not hold."""

    @classmethod
    def expanded(cls, data: object) -> object:
        """See _Spec."""
        return {"all": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = sum(test is not None for test in (self.equals, self.in_, self.present))
        if tests != (1 if self.from_ is not None else 0):
            kind, message = "one_test", "needs exactly one of equals, in, present beside from, and none beside all, any, not"
            raise PydanticCustomError(kind, message)
        return self


_SOURCES: Final = ("from", "first_of", "join", "constant", "value")


class Value(_Spec):
    """A text, number, list, true or false; a bare one in the file is a literal."""

    origins = _SOURCES

    from_: Text | None = Field(default=None, alias="from")
    """The column or path."""
    first_of: list[Text] | None = Field(default=None, min_length=1)
    """Columns or paths; the first that holds something."""
    join: list[Text] | None = Field(default=None, min_length=1)
    """Columns or paths put together; if one holds nothing, there is nothing."""
    constant: Word | None = None
    """The name of a constant."""
    value: Scalar | list[Scalar] | None = None
    """This itself."""
    separator: str = " "
    """Between two joined contents."""
    split: Annotated[str, Field(min_length=1)] | None = None
    """Cuts a text into a list at this."""
    absent: list[Scalar] = []
    """Texts that mean nothing here, beside those of ``read.absent``."""
    map: dict[str, Scalar] | None = Field(default=None, min_length=1)
    """From the content of the record to its meaning."""
    unmapped: Literal["reject", "absent", "keep"] = "reject"
    """How contents that ``map`` does not name are handled: the record is rejected, they count as nothing, they stay."""
    default: Scalar | None = None
    """Taken where there is nothing."""
    prefix: str | None = None
    """Put before a text."""
    hash: Literal["keyed"] | None = None
    """``keyed``: only a keyed hash of it passes; without a key, nothing."""

    @classmethod
    def expanded(cls, data: object) -> object:
        """See _Spec."""
        return data if isinstance(data, dict) or data is None else {"value": data}


DurationFormat = Literal["seconds", "milliseconds", "minutes", "hours", "days", "HH:MM:SS", "MM:SS", "HH:MM", "ISO 8601"]


class Duration(_Spec):
    """A length of time; a bare number in the file is seconds."""

    origins = (*_SOURCES, "between")

    from_: Text | None = Field(default=None, alias="from")
    """The column or path."""
    first_of: list[Text] | None = Field(default=None, min_length=1)
    """Columns or paths; the first that holds something."""
    join: list[Text] | None = Field(default=None, min_length=1)
    """Columns or paths put together; if one holds nothing, there is nothing."""
    constant: Word | None = None
    """The name of a constant, read by ``format``."""
    value: Scalar | None = None
    """This itself, read by ``format``."""
    between: Annotated[list[Word], Field(min_length=2, max_length=2)] | None = None
    """Two times of ``times``: from the first to the second."""
    separator: str = " "
    """Between two joined contents."""
    absent: list[Scalar] = []
    """Texts that mean nothing here, beside those of ``read.absent``."""
    format: DurationFormat = "seconds"
    """How it is written."""
    default: Scalar | None = None
    """Taken where there is nothing, read by ``format``."""

    @classmethod
    def expanded(cls, data: object) -> object:
        """See _Spec."""
        return {"value": data} if isinstance(data, int | float) and not isinstance(data, bool) else data


class Instant(_Spec):
    """A moment; a bare word in the file names one of ``times``."""

    origins = ("from", "first_of", "join", "time")

    from_: Text | None = Field(default=None, alias="from")
    """The column or path."""
    first_of: list[Text] | None = Field(default=None, min_length=1)
    """Columns or paths; the first that holds something."""
    join: list[Text] | None = Field(default=None, min_length=1)
    """Columns or paths put together, such as a date and a time of day; if one holds nothing, there is nothing."""
    time: Word | None = None
    """One of the ``times`` above."""
    separator: str = " "
    """Between two joined contents."""
    absent: list[Scalar] = []
    """Texts that mean nothing here, beside those of ``read.absent``."""
    format: Text = "ISO 8601"
    """``ISO 8601``, ``epoch seconds``, ``epoch milliseconds``, or a pattern such as ``%d.%m.%Y %H:%M``."""
    zone: Zone | None = None
    """Of times without an offset; by default the file's ``zone``."""
    ambiguous: Literal["earlier", "later", "reject", "file order"] = "earlier"
    """Which of two moments is meant when a clock that is set back shows a time twice; ``file order``: the records are in order of time."""
    plus: Annotated[list[Duration], Field(min_length=1)] | None = None
    """Durations added; if one holds nothing, there is no moment."""
    minus: Annotated[list[Duration], Field(min_length=1)] | None = None
    """Durations taken away; if one holds nothing, there is no moment."""

    @classmethod
    def expanded(cls, data: object) -> object:
        """See _Spec."""
        if isinstance(data, str):
            return {"time": data}
        if isinstance(data, dict):
            return {key: _listed(value) if key in {"plus", "minus"} else value for key, value in data.items()}
        return data


class Revision(Instant):
    """Orders the versions of a record: a moment, or a whole number with ``format: number``."""

    format: Text = "ISO 8601"
    """As of a moment, or ``number``: a whole number that grows with every change."""


#: Formats whose records are rows of named columns.
TABULAR: Final = frozenset({"csv", "xlsx"})


class Reading(_Spec):
    """How the data file is read."""

    format: Literal["csv", "json", "jsonl", "xlsx"]
    """``csv``; ``json``: objects, lists of objects, one after another; ``jsonl``: an object a line; ``xlsx``: a sheet of a workbook."""
    encoding: Literal[
        "utf-8",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "cp932",
        "shift_jis",
        "euc_jp",
        "cp949",
        "gb18030",
        "big5",
        "cp1250",
        "cp1251",
        "cp1252",
        "iso8859-1",
        "iso8859-15",
    ] = "utf-8"
    """Of the text (not of xlsx)."""
    bad_bytes: Literal["reject", "replace"] = "reject"
    """How undecodable bytes are handled: the record is rejected, or they are replaced by U+FFFD and the record is counted."""
    sheet: Text | None = None
    """The name of the sheet; by default the first (xlsx)."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Between two columns (csv)."""
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    """Around a column that holds the delimiter or a line end; doubled for itself (csv)."""
    columns: list[Text] | None = Field(default=None, min_length=1)
    """The names of the columns of a file without a header (csv, xlsx)."""
    short_rows: bool = False
    """A row may end before the last column; what it leaves out is nothing (csv; always so in xlsx)."""
    records: Text | None = None
    """The path of the list of records (json)."""
    decimal: Literal[".", ","] = "."
    """Before the fraction of a number."""
    absent: list[Scalar] = []
    """Texts that mean nothing; empty ones always do."""


def _order(raw: Any) -> Any:
    if isinstance(raw, str) and raw not in _FILE_ORDERS:
        kind, message = "order", "permitted: file order, reverse file order, or a value such as {from: COLUMN}"
        raise PydanticCustomError(kind, message)
    return raw


_FILE_ORDERS: Final = ("file order", "reverse file order")

Order = Annotated[Literal["file order", "reverse file order"] | Value, BeforeValidator(_order)]
"""The order of events of one instant."""


class Table(_Spec):
    """Further records, each of which belongs to a record of the data file."""

    file: Text | None = None
    """Its file, in the folder of the data file; by default the data file itself, as for another sheet of a workbook."""
    read: Reading | None = None
    """How it is read; by default as the data file."""
    key: Value
    """The value of a row that identifies its record."""
    record: Value
    """The same value of a record."""
    rows: Literal["one", "many"] = "many"
    """How many rows a record has; those of ``one`` may be used everywhere, those of ``many`` in events with ``each``."""
    row_id: Value | None = None
    """Distinguishes the rows of a record; needed for ``each``, as the ids of its events come from it."""


class EventRule(_Spec):
    """One canonical event that a record may become."""

    type: str
    """The type of event, such as ``contact.queued``."""
    when: Condition | None = None
    """Only records for which this holds become this event."""
    each: Word | None = None
    """One of ``tables``: every row of the record there becomes such an event."""
    at: Instant
    """When it happened: ``occurred_at``."""
    set: dict[str, Any] = {}
    """Its further fields; ``docs/events.md`` lists them."""


class MappingFile(_Spec):
    """A mapping file."""

    version: Literal[1]
    """Of this format: 1."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Its name in messages."""
    description: str | None = None
    """For readers of the file."""
    source: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")]
    """Names the system in every event; two systems need two sources."""
    site: Value | None = None
    """The site of its events."""
    zone: Zone | None = None
    """Of times without an offset."""
    constants: dict[Word, Scalar] = {}
    """Values that the data lacks, by name."""
    read: Reading
    """How the data file is read."""
    tables: dict[Word, Table] = {}
    """Further tables that are joined with the data file, by name; their columns are ``NAME.COLUMN``."""
    when: Condition | None = None
    """Only records for which this holds are mapped; the others are passed over and counted."""
    record_id: Value
    """Identifies a record; the ids of the events come from it."""
    revision: Revision | None = None
    """When the record was last changed, or the number of its version: of several with one id the latest counts."""
    sequence: Order | None = None
    """The order of events of one instant: ``file order``, ``reverse file order``, or a whole number of the record."""
    conversation_id: Value | None = None
    """Of the contact events; ``prefix`` is the source and a colon unless it is given."""
    times: dict[Word, Instant] = {}
    """Moments by name, for ``at``, ``time`` and ``between``; each may use those above it."""
    events: Annotated[list[EventRule], Field(min_length=1, max_length=100)]
    """The events a record becomes, in this order."""
