"""Asterisk's queue_log: its kinds of lines (`kinds`), times (`clock`), open calls (`calls`), and what a line becomes (`parsing`)."""

from __future__ import annotations

from streams.connectors.customer_keys import hashed_customer
from streams.connectors.queue_log.kinds import EVENT_KINDS, INFORMATIONAL, KindTable, KindTableError
from streams.connectors.queue_log.parsing import QueueLogParser

__all__ = ["EVENT_KINDS", "INFORMATIONAL", "KindTable", "KindTableError", "QueueLogParser", "hashed_customer"]
