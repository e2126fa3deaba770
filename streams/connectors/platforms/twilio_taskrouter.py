"""Twilio TaskRouter: the event callbacks of a workspace, and its events by the REST API, which fill gaps."""

from __future__ import annotations

from typing import Final

from streams.connectors.kit import twilio_taskrouter as taskrouter
from streams.connectors.kit.answers import Answers
from streams.connectors.kit.model import Connector
from streams.connectors.kit.verification import Verification

__all__ = ["CONNECTOR"]

CONNECTOR: Final = Connector(
    name="twilio-taskrouter",
    title="Twilio TaskRouter",
    family="telephone",
    delivery="live",
    ways=("webhook", "pull", "file"),
    kinds=taskrouter.KINDS,
    ignored=taskrouter.IGNORED,
    read=taskrouter.read,
    kind=taskrouter.kind,
    translate=taskrouter.translate,
    reports=taskrouter.REPORTS,
    personal=taskrouter.PERSONAL,
    verification=Verification(
        header="X-Twilio-Signature",
        algorithm="sha1",
        algorithm_header="X-Twilio-Webhooks-Signature-Settings",
        encoding="base64",
        signed="url+form",
    ),
    answers=Answers(accepted=204, within_seconds=12.0),
    settings=taskrouter.SETTINGS,
    credentials=taskrouter.CREDENTIALS,
    guessed=taskrouter.GUESSED,
)
