"""Twilio Event Streams with TaskRouter's events: CloudEvents, by webhook or Kinesis. The events of callbacks, with another signature."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from streams.connectors.kit.amazon_connect import ASKED, CREDENTIALS, STREAM
from streams.connectors.kit.verification import Verification
from streams.connectors.platforms.twilio_taskrouter import CONNECTOR as CALLBACKS

__all__ = ["CONNECTOR"]

CONNECTOR: Final = replace(
    CALLBACKS,
    name="twilio-event-streams",
    title="Twilio Event Streams",
    ways=("webhook", "pull", "file"),
    settings=(STREAM, *ASKED),
    credentials=CREDENTIALS,
    extra="amazon",
    verification=Verification(
        header="X-Twilio-Signature",
        algorithm="sha1",
        algorithm_header="X-Twilio-Webhooks-Signature-Settings",
        encoding="base64",
        signed="url+body_sha256",
    ),
)
