"""Find the contacts behind a figure: the worker's tracker counts each conversation alone; no broker, no clock."""

from __future__ import annotations

from streams.explaining.answer import Answer, explain
from streams.explaining.contacts import Contact, contacts_behind, counted_by_label
from streams.explaining.conversation import explain_conversation
from streams.explaining.floor import Floor
from streams.explaining.linked_keys import LinkedKeys
from streams.explaining.log import PartitionLog
from streams.explaining.question import EXPLAINED, Question, QuestionError
from streams.explaining.recent_contacts import RecentContacts, works_of

__all__ = [
    "EXPLAINED",
    "Answer",
    "Contact",
    "Floor",
    "LinkedKeys",
    "PartitionLog",
    "Question",
    "QuestionError",
    "RecentContacts",
    "contacts_behind",
    "counted_by_label",
    "explain",
    "explain_conversation",
    "works_of",
]
