"""The page about the connectors agrees with the code."""

from __future__ import annotations

import re
from pathlib import Path

from schemas.limits import MAX_AHEAD_MS, MAX_RECORD_BYTES
from streams.connectors import gateway_metrics, queue_log
from streams.connectors.admission import MAX_EVENTS
from streams.connectors.gateway import MAX_REQUEST_BYTES, GatewaySettings
from streams.connectors.lines import MAX_LINE_BYTES
from streams.connectors.queue_log.kinds import MEANINGS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
QUEUE_LOG = (ROOT / "docs" / "connectors" / "asterisk-queue-log.md").read_text(encoding="utf-8")


def test_the_table_has_every_kind_of_line_and_no_other() -> None:
    """A kind that is added to the parser is added to the page."""
    table = QUEUE_LOG.split("## What a line becomes")[1].split("- `conversation_id`")[0]
    named = {word for row in table.splitlines() if row.startswith("| ") for word in re.findall(r"\b[A-Z]{3,}\b", row.split("|")[1])}

    assert named == queue_log.EVENT_KINDS | queue_log.INFORMATIONAL


def test_every_reason_of_a_bad_line_is_explained() -> None:
    """A reason an operator meets in a header is found on the page."""
    source = "".join(path.read_text(encoding="utf-8") for path in Path(queue_log.__file__).parent.glob("*.py"))
    reasons = set(re.findall(r'BadLineError\("(\w+)"', source)) | {"not_permitted"}
    rows = QUEUE_LOG.split("| reason | the line |")[1]

    assert {each for row in rows.splitlines() if row.startswith("| `") for each in re.findall(r"`(\w+)`", row.split("|")[1])} == reasons


def test_the_table_has_every_meaning_of_a_kind_and_no_other() -> None:
    """The page has each meaning of a site's own kinds."""
    table = QUEUE_LOG.split("| meaning | the line needs")[1].split("\n\n")[0]
    named: dict[str, set[str | None]] = {}
    for row in table.splitlines():
        becomes = ""
        for word in re.findall(r"`([\w:]+)`", row.split("|")[1]) if row.startswith("| `") else ():
            before, colon, argument = word.partition(":")
            becomes = before or becomes
            named.setdefault(becomes, set()).add(argument if colon else None)

    assert named == {becomes: set(arguments) for becomes, arguments in MEANINGS.items()}


def test_the_limits_are_those_of_the_code() -> None:
    """Each number on the page is the one that holds."""
    settings = GatewaySettings()
    for text in (
        f"({MAX_REQUEST_BYTES} bytes), {MAX_EVENTS} events",
        f"{MAX_RECORD_BYTES // 1024} KiB |",
        f"{settings.events_per_second} events a second",
        f"{settings.burst_events} at once",
        f"| {settings.max_in_flight}; the next",
        f"{settings.max_bytes_in_flight // 1024**2} MiB, shared",
        f"{settings.pace.grace_seconds:g} s to begin",
        f"{settings.pace.bytes_per_second:g} bytes a second",
        f"{settings.pace.body_seconds:g} s for all",
        f":{settings.port}/v1/events",
        f"at most {MAX_LINE_BYTES // 1024} KiB",
        f"more than {MAX_AHEAD_MS // 60_000} minutes after now",
    ):
        assert text in PAGE + QUEUE_LOG, text


def test_every_metric_of_the_gateway_is_named() -> None:
    """A metric that is added is documented."""
    source = Path(gateway_metrics.__file__).read_text(encoding="utf-8")
    names = re.findall(r'(Counter|Gauge|Histogram)\(\s*f"\{prefix\}_(\w+)"', source)

    assert len(names) == 9
    for kind, name in names:
        assert f"contact_center_gateway_{name}{'_total' if kind == 'Counter' else ''}" in PAGE
