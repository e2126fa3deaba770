"""Rules for every connector, whichever platform it is for; each failure states what to do.

A connector needs: ``streams/connectors/platforms/NAME.py``, a page ``docs/connectors/NAME.md`` with ``<!-- connector -->`` and
``<!-- end -->``, and fixtures in ``tests/connectors/fixtures/NAME/``. There ``settings.json`` has settings that all of them are read with;
files ``FILE.settings.json`` those of one.
"""

from __future__ import annotations

import ast
import logging
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.agent import AgentModel
from schemas.decoding import decode_agent_event, decode_contact_event, decode_customer_event
from schemas.events import encode
from schemas.limits import MAX_RECORD_BYTES
from schemas.other import CustomerModel, ForecastSet
from streams.connectors import docs, platforms
from streams.connectors.docs import FAMILY_LABELS
from streams.connectors.kit import model
from streams.connectors.kit.model import Family, Part, UnusableError, Way
from streams.connectors.kit.translating import Translated, redacted
from tests.support import platforms as support
from tests.support.platforms import FIXTURES, KNOWN_REASONS, SHARED, mutated
from tests.support.require import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from random import Random

    from schemas.base import Event
    from streams.connectors.kit.model import Connector, Record

NAMES: Final = platforms.names()
ROOT: Final = Path(__file__).parents[2]

#: What a connector's file may import beside the kit and ``schemas``: nothing that reads, waits, asks the clock or takes a chance.
PURE_LIBRARIES: Final = frozenset(
    {
        "__future__",
        "base64",
        "binascii",
        "bisect",
        "codecs",
        "collections",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "email",
        "enum",
        "functools",
        "hashlib",
        "hmac",
        "html",
        "io",
        "itertools",
        "json",
        "math",
        "operator",
        "orjson",
        "pydantic",
        "re",
        "string",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "zoneinfo",
    }
)

#: Which connectors take a file of the shared samples, by the beginning of its name without ``DERIVED.``; all that are there must understand
#: it. Files of none are what no connector is for.
SAMPLES: Final = (
    ("amazon-connect.agent-event", ("amazon-connect-agent-events",)),
    ("amazon-connect.case-event", ("amazon-connect-contact-events",)),
    ("amazon-connect.contact-event", ("amazon-connect-contact-events",)),
    ("amazon-connect.ctr", ("amazon-connect-contact-records",)),
    ("asterisk.ami", ("asterisk-ami",)),
    ("asterisk.queue_log", ("asterisk-queue-log",)),
    ("chatwoot", ("chatwoot",)),
    ("customerly.rest", ("customerly",)),
    ("customerly.webhook", ("customerly", "customerly-webhook")),
    ("delighted", ("delighted",)),
    ("dialogflow-cx", ("dialogflow-cx",)),
    ("freeswitch", ("freeswitch-callcenter",)),
    ("freshdesk", ("freshdesk", "freshdesk-webhook")),
    ("genesys-cloud.eventbridge", ("genesys-cloud",)),
    ("genesys-cloud.notification", ("genesys-cloud", "genesys-cloud-notifications")),
    ("google-forms", ("google-forms",)),
    ("intercom", ("intercom",)),
    ("line", ("line",)),
    ("maildealer", ("maildealer",)),
    ("microsoft-forms", ("microsoft-forms",)),
    ("next-engine", ("next-engine",)),
    ("oracle-service-cloud", ("oracle-b2c-service",)),
    ("qualtrics", ("qualtrics",)),
    ("rasa", ("rasa",)),
    ("salesforce", ("salesforce", "salesforce-service-cloud")),
    ("surveymonkey", ("surveymonkey",)),
    ("tempostar", ("tempostar",)),
    ("twilio-taskrouter.event-streams", ("twilio-event-streams",)),
    ("twilio-taskrouter", ("twilio-taskrouter",)),
    ("typeform", ("typeform",)),
    ("zendesk.incremental", ("zendesk", "zendesk-export", "zendesk-tickets")),
    ("zendesk.satisfaction-ratings", ("zendesk", "zendesk-export", "zendesk-satisfaction-ratings")),
    ("zendesk.talk", ("zendesk-talk",)),
    ("zendesk", ("zendesk", "zendesk-webhook")),
)
NO_SAMPLES: Final = frozenset({"INDEX.md", "expected.md", "expected.three-calls.canonical.jsonl", "expected.two-tickets.canonical.jsonl"})


def fixtures(name: str) -> list[tuple[str, bytes, dict[str, Any]]]:
    """Return name, bytes and settings of the fixtures of a connector."""
    folder = FIXTURES / name
    common = _json(folder / "settings.json")
    found = [path for path in sorted(folder.glob("*")) if path.is_file() and not path.name.endswith(("settings.json", "ours.json"))]
    return [(path.name, path.read_bytes(), common | _json(folder / f"{path.name}.settings.json")) for path in found]


def _json(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes()) if path.exists() else {}


def records(connector: Connector, name: str) -> list[tuple[Record, dict[str, Any]]]:
    """Return the records of a connector's fixtures, each with its settings."""
    return [(record, there) for file, body, there in fixtures(name) for record in connector.read(body, file)]


def translated(connector: Connector, bodies: Iterable[tuple[str, bytes]], **how: Any) -> Translated:
    """Return what deliveries become, received in 2027."""
    return support.translated(connector, bodies, live=True, **how)


def all_of(connector: Connector, name: str, **how: Any) -> Translated:
    """Return what all fixtures of a connector become."""
    found = fixtures(name)
    assert found, f"{name}: no fixtures in {FIXTURES / name}; write at least one in the platform's shape"
    done = Translated()
    for file, body, there in found:
        done.add(translated(connector, [(file, body)], settings=there, **how))
    return done


def decoded(event: Event) -> object:
    """Return an event as a worker reads it."""
    if isinstance(event, AgentModel):
        return decode_agent_event(encode(event))
    return decode_customer_event(encode(event)) if isinstance(event, CustomerModel | ForecastSet) else decode_contact_event(encode(event))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of each connector."""
    return str(request.param)


@pytest.fixture
def connector(name: str) -> Connector:
    """Return it."""
    return platforms.connector(name)


# ---- Its description ---------------------------------------------------------------------------------------------------------------------


def test_it_describes_itself(name: str, connector: Connector) -> None:
    """Name, family, ways, kinds, parts, settings: each in the words that there are."""
    assert connector.name == name, f"platforms/{name.replace('-', '_')}.py holds {connector.name}: name the file after it, with _ for -"
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert connector.title.strip()
    assert connector.family in get_args(Family)
    assert set(connector.ways) <= set(get_args(Way)), f"ways: {get_args(Way)}"
    assert connector.ways
    both = set(connector.kinds) & set(connector.ignored)
    assert not both, f"a kind is counted or ignored, not both: {both}"
    assert connector.kinds, "a connector of which nothing counts is none"
    for kind, what in {**connector.kinds, **connector.ignored}.items():
        assert kind.strip(), "a kind has a name"
        assert what.strip(), f"{kind}: state what it becomes, or why nothing is counted of it"
    assert set(connector.reports) <= set(get_args(Part)), f"parts: {get_args(Part)}"
    assert len({each.name for each in connector.settings}) == len(connector.settings)
    for setting in connector.settings:
        assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", setting.name), f"setting {setting.name}: lower case, joined by _"
        assert setting.meaning.strip(), f"setting {setting.name}: state what it means"
        assert not (setting.required and setting.default is not None), f"setting {setting.name}: what is required has no default"


def test_it_can_be_verified(connector: Connector) -> None:
    """A webhook's scheme names what it needs; one without a scheme is verified by a token of ours."""
    scheme = connector.verification
    if scheme is None:
        return
    assert "webhook" in connector.ways, "verification is of webhooks: add `webhook` to `ways`, or leave it out"
    assert scheme.kind != "hmac" or scheme.header, "name the header that has the signature"
    timed = scheme.signed in {"timestamp+body", "timestamp.body", "timestamp:body", "id.timestamp.body"}
    assert timed == bool(scheme.timestamp_header) == bool(scheme.tolerance_seconds), "a signed time needs its header and a tolerance"
    assert (scheme.signed == "id.timestamp.body") == bool(scheme.id_header)
    assert 0 < connector.answers.within_seconds <= 60


def test_a_webhook_needs_no_state(connector: Connector) -> None:
    """The gateway serves connectors that translate; what compares with what was seen is read in order, by one process."""
    if connector.ways == ("webhook",):
        assert connector.translate is not None, "nothing could run this: translate, or add the way that reads it"


def test_it_has_a_page(name: str, connector: Connector) -> None:
    """With what becomes of each kind and what the platform reports, from the code."""
    path = docs.page_of(name)
    assert path is not None, (
        f"write docs/connectors/{name}.md: set-up on the platform's side, settings, what it cannot report, what is guessed; "
        f"or add <!-- connector: {name} --> and <!-- end --> to a page of several"
    )
    text = path.read_text(encoding="utf-8")
    place = "<!-- connector -->" if path.stem == name else f"<!-- connector: {name} -->"
    assert text.count(f"{place}\n") == 1, f"{path.name}: write the lines {place} and <!-- end -->, then `make docs`"
    assert docs.of_connector(connector) in text, f"{path.name} is not current: `make docs`"
    for setting in connector.settings:
        assert f"`{setting.name}`" in text or f"{setting.name}:" in text, f"{path.name}: state what the setting {setting.name} does"


def test_the_pages_are_current() -> None:
    """The table of all, and the part of each page that is made from its connector."""
    assert docs.main(["--check"]) == 0
    assert set(FAMILY_LABELS) == set(get_args(Family))


def test_it_does_no_input_or_output(name: str) -> None:
    """A platform's file and the kit read nothing, wait for nothing and ask no clock: extras are needed to run, not to read."""
    for path in [
        ROOT / "streams" / "connectors" / "platforms" / f"{name.replace('-', '_')}.py",
        *Path(str(model.__file__)).parent.glob("*.py"),
    ]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found: Iterable[str] = ()
            if isinstance(node, ast.Import):
                found = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                found = [node.module or ""]
            line = getattr(node, "lineno", 0)
            for module in found:
                ours = module.split(".")[0] in {"streams", "schemas"}
                pure = module in PURE_LIBRARIES or module.split(".")[0] in PURE_LIBRARIES
                assert ours or pure, f"{path.name}:{line} imports {module}: a live way belongs in streams/connectors/live"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
                asked = f"{node.func.value.id}.{node.func.attr}"
                assert asked not in {"datetime.now", "datetime.utcnow", "date.today"}, f"{path.name}:{line} asks the clock"


# ---- Its fixtures ------------------------------------------------------------------------------------------------------------------------


def test_every_record_of_a_fixture_is_translated_ignored_or_rejected(name: str, connector: Connector) -> None:
    """Rejected ones for a known reason; something is translated, and events are what the workers read."""
    done = all_of(connector, name)

    assert done.records
    assert done.events, "no fixture becomes an event; if they need settings, write settings.json beside them"
    wrong = [each for each in done.rejected if each.reason not in KNOWN_REASONS]
    assert not wrong, f"a record was not understood, which is a fault of the connector: {wrong[:3]}"
    unknown = set(done.ignored) - set(connector.ignored)
    assert not unknown
    for event in done.events:
        decoded(event)
        assert len(encode(event)) <= MAX_RECORD_BYTES


def published(done: Translated) -> set[tuple[str, bytes]]:
    """Return the events by id, with their bytes."""
    return {(event.event_id, encode(event)) for event in done.events}


@pytest.mark.parametrize("seed", [1, 2])
def test_repeated_and_shuffled_deliveries_give_the_same_events(name: str, connector: Connector, seed: int) -> None:
    """The same ids with the same bytes. A connector that compares is read in order, and gets what it read before again."""
    once = published(all_of(connector, name))
    if connector.translate is not None:
        assert published(all_of(connector, name, seed=seed)) == once, "an event's id or content depends on the order or the delivery"
        return
    for file, body, there in fixtures(name):
        first = published(translated(connector, [(file, body)], settings=there))
        again = published(translated(connector, [(file, body), (file, body)], settings=there))
        assert again == first, f"{file}: read twice, it becomes other events"


def test_the_ids_of_two_sources_differ_by_their_source_alone(name: str, connector: Connector) -> None:
    """An event's id is the platform's: the poll, the delivery, the file and the name of the source are not in it."""
    for file, body, there in fixtures(name):
        here, elsewhere = (translated(connector, [(origin, body)], settings=there, source=file) for origin in ("one", "two"))
        assert published(here) == published(elsewhere), f"{file}: where it was read is in its events"


# ---- What is personal --------------------------------------------------------------------------------------------------------------------

_MAIL: Final = re.compile(rb"[A-Za-z0-9._+-]+@[A-Za-z0-9-]+\.[A-Za-z.]+")
_NUMBER: Final = re.compile(rb"\+[0-9]{8,15}")
#: Shorter texts are found by chance; those that are shorter than the second only as a whole value.
_MIN_PERSONAL, _MIN_WITHIN = 6, 12
#: What is of no person: a word of the platform's own such as TELEPHONE_NUMBER, a time, a random id.
_NOT_PERSONAL: Final = re.compile(
    r"[A-Z_]+|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[+-][0-9:]+)?|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
)
#: And what looks like an id or a word of the platform's, where the record has it at another place too.
_ID: Final = re.compile(r"[0-9-]+|[a-z_]+|[A-Z]_\w+")


def personal_values(content: Any, path: list[str]) -> Iterator[str]:
    """Yield the texts and numbers at a personal path."""
    if not path:
        if isinstance(content, dict | list):
            for value in content.values() if isinstance(content, dict) else content:
                yield from personal_values(value, [])
        elif isinstance(content, str | int | float) and not isinstance(content, bool):
            yield str(content)
        return
    step, rest = path[0], path[1:]
    if isinstance(content, dict):
        for key, value in content.items():
            if step in {"*", key}:
                yield from personal_values(value, rest)
    elif isinstance(content, list) and step == "*":
        for value in content:
            yield from personal_values(value, rest)


def personal_of(connector: Connector, content: dict[str, Any], ours: frozenset[str], *, events: bool) -> set[str]:
    """Return what is personal in a record: values at personal paths, mail addresses and numbers.

    Where all of a record is masked (``*``), the connector decides what an event may hold.
    """
    paths = [path.split(".") for path in connector.personal if not events or path != "*"]
    values = {value for path in paths for value in personal_values(content, path)}
    elsewhere = scalars(orjson.loads(redacted(content, connector.personal)))
    found = {
        value
        for value in values
        if len(value) >= _MIN_PERSONAL and not _NOT_PERSONAL.fullmatch(value) and not (_ID.fullmatch(value) and value in elsewhere)
    }
    raw = orjson.dumps(content)
    return (found | {each.decode() for each in (*_MAIL.findall(raw), *_NUMBER.findall(raw))}) - ours


def scalars(content: Any) -> set[str]:
    """Return all texts and numbers in a document."""
    return set(personal_values(content, []))


def holds(texts: set[str], value: str) -> bool:
    """Return whether a value is among others, or within one of them."""
    return value in texts or (len(value) >= _MIN_WITHIN and any(value in each for each in texts))


def test_no_personal_value_passes(name: str, connector: Connector, caplog: pytest.LogCaptureFixture) -> None:
    """No event holds a value of a personal path, a mail address or a number; no dead letter, detail or log does, whatever goes wrong.

    ``ours.json`` beside the fixtures lists the center's own numbers and addresses, which are not personal.
    """
    ours = frozenset(_json(FIXTURES / name / "ours.json") or ())

    def broken(*_: Any) -> Any:
        raise RuntimeError(orjson.dumps(content).decode())

    caplog.set_level(logging.DEBUG)
    for record, there in records(connector, name):
        content = record.content
        alone = replace(connector, read=lambda _body, _origin, record=record: [record])  # type: ignore[misc]
        done = translated(alone, [("record", b"")], settings=there)
        shown = set[str]().union(*(scalars(orjson.loads(encode(event))) for event in done.events))
        for value in personal_of(connector, content, ours, events=True):
            assert not holds(shown, value), f"an event holds a personal value of {record.origin}: {value!r}"
        unknown = replace(alone, kind=lambda _: "a kind that is not known")
        dead_letters = [*done.rejected]
        for each in (unknown, _failing(alone, broken)):
            dead_letters += translated(each, [("record", b"")], settings=there).rejected
        assert len(dead_letters) >= 2
        texts = set[str]().union(*(scalars(orjson.loads(each.raw)) | {each.detail, each.origin} for each in dead_letters), {caplog.text})
        for value in personal_of(connector, content, ours, events=False):
            assert not holds(texts, value), (
                f"a dead letter or the log holds {value!r} of {record.origin}: add its path to `personal`, or the value to ours.json"
            )


def _failing(connector: Connector, broken: Callable[..., Any]) -> Connector:
    """Return a connector that raises at every record."""
    of_known_kind = replace(connector, kind=lambda _: next(iter(connector.kinds)))
    return replace(of_known_kind, **{"translate" if connector.translate is not None else "compare": broken})  # type: ignore[arg-type]


# ---- What no platform should send --------------------------------------------------------------------------------------------------------


def test_mutated_records_never_raise_and_give_sound_events(name: str, connector: Connector) -> None:
    """Values of other kinds, left out, absurd: known reasons, and events that the workers read."""
    there = records(connector, name)
    assert there
    contents = [record.content for record, _ in there]
    settings_of = there[0][1]
    # Forms, tables and blocks hold texts alone.
    all_text = all(isinstance(value, str) for content in contents for value in content.values())

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutated(contents))
    def check(content: dict[str, Any]) -> None:
        if all_text:
            content = {name: value if isinstance(value, str) else str(value) for name, value in content.items()}
        record = replace(there[0][0], content=content, raw=b"")
        done = translated(replace(connector, read=lambda _body, _origin: [record]), [("record", b"")], settings=settings_of)
        assert {each.reason for each in done.rejected} <= KNOWN_REASONS, f"the connector raised: {content}"
        for event in done.events:
            decoded(event)

    check()


def test_mutated_bytes_never_raise(name: str, connector: Connector) -> None:
    """A file that is cut, overwritten, of another encoding or empty: a known reason."""
    bodies = [(body, there) for _, body, there in fixtures(name)]

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(bodies), st.randoms(use_true_random=False), st.binary(max_size=20))
    def check(chosen: tuple[bytes, dict[str, Any]], chance: Random, junk: bytes) -> None:
        body, there = chosen
        body = body[:20_000]
        at = chance.randrange(len(body) + 1)
        for each in (body[:at], body[:at] + junk + body[at + len(junk) :], body.decode("utf-8", "replace").encode("utf-16"), junk, b""):
            done = translated(connector, [("file", each)], settings=there)
            assert {found.reason for found in done.rejected} <= KNOWN_REASONS

    check()


def test_settings_of_nonsense_reject_and_never_raise(name: str, connector: Connector) -> None:
    """A setting is of the kind of its default: the file is refused otherwise. A nonsense value has a reason, and is no internal error."""
    for file, body, there in fixtures(name):
        for setting in connector.settings:
            kind = type(setting.default)
            for nonsense in (0, "", "nonsense", [], ["a"], {}, {"a": "b"}, {"a": ["b"]}, True, False, -1):
                if setting.default is None or isinstance(nonsense, list if kind is tuple else kind):
                    done = translated(connector, [(file, body[:20_000])], settings={**there, setting.name: nonsense})
                    assert {found.reason for found in done.rejected} <= KNOWN_REASONS, f"{setting.name}: {nonsense!r}"


# ---- The shared samples ------------------------------------------------------------------------------------------------------------------


def samples() -> Iterator[tuple[str, str]]:
    """Yield each shared sample with each connector that takes it."""
    for path in sorted(SHARED.glob("*")):
        plain = path.name.removeprefix("DERIVED.")
        takers: tuple[str, ...] = next((takers for begin, takers in SAMPLES if plain.startswith(begin)), ())
        yield from ((path.name, taker) for taker in takers if taker in NAMES)


@pytest.mark.parametrize(("file", "taker"), list(samples()), ids=str)
def test_every_shared_sample_is_translated_ignored_or_rejected(file: str, taker: str) -> None:
    """Also what is no valid JSON as published: for a stated reason."""
    connector = platforms.connector(taker)
    done = translated(connector, [(file, (SHARED / file).read_bytes())], settings=_json(FIXTURES / taker / "settings.json"))

    assert done.records or done.rejected
    assert {each.reason for each in done.rejected} <= KNOWN_REASONS
    assert set(done.ignored) <= set(connector.ignored)
    for event in done.events:
        decoded(event)


def test_every_shared_sample_has_a_taker() -> None:
    """Each sample belongs to a connector."""
    files = [path.name for path in SHARED.glob("*")]
    require(files, f"the shared samples are not there: {SHARED}")
    plain = [name.removeprefix("DERIVED.") for name in files if name not in NO_SAMPLES]

    assert not [name for name in plain if not any(name.startswith(begin) for begin, _ in SAMPLES)]


def test_there_are_connectors() -> None:
    """The suite runs over something, and each begins a name of its own."""
    assert "line" in NAMES
    titles = Counter(platforms.connector(name).title for name in NAMES)
    assert max(titles.values()) == 1, f"two connectors have one title: {titles.most_common(2)}"


def test_an_unusable_record_has_a_reason_without_its_content() -> None:
    """The reason is one word that is counted by, the detail a sentence."""
    error = UnusableError("bad_time", "at: no time")
    assert (error.reason, str(error)) == ("bad_time", "at: no time")
