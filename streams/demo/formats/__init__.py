"""The simulated center's calls in formats of platforms: each writer turns canonical events into its platform's messages.

Written from the platforms' documentation, not from the connectors: where the two misread each other, figures differ.
"""

from __future__ import annotations

from streams.demo.formats.amazon import AmazonContactEvents
from streams.demo.formats.calls import Writer
from streams.demo.formats.genesys import GenesysDetailEvents
from streams.demo.formats.queue_log import QueueLog
from streams.demo.formats.twilio import TwilioCallbacks

__all__ = ["WRITERS", "Writer"]

#: Connector → writer of its platform's messages.
WRITERS: dict[str, type[Writer]] = {
    "amazon-connect-contact-events": AmazonContactEvents,
    "asterisk-queue-log": QueueLog,
    "genesys-cloud": GenesysDetailEvents,
    "twilio-taskrouter": TwilioCallbacks,
}
