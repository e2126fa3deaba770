"""After the contact: surveys of served customers, and callbacks, by a partner company, to customers who do not want to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.demo.simulator.emission import time_text

if TYPE_CHECKING:
    from random import Random

    from streams.demo.simulator.floor import Contact, Floor

__all__ = ["Afterwards"]

_ASKED: Final = 0.6
_ANSWERED: Final = 0.4
#: The share of satisfaction surveys; the others ask for the recommendation.
_SATISFACTION: Final = 0.7
#: How often each score is given: 1 to 5, and 0 to 10.
_SCORES: Final = {"csat": (4, 5, 11, 36, 44), "nps": (2, 1, 1, 2, 2, 5, 6, 14, 22, 21, 24)}
_LOWEST: Final = {"csat": 1, "nps": 0}
_SCALES: Final = {"csat": "1-5", "nps": "0-10"}

_WANTS_CALLBACK: Final = 0.3
_DUE_MS: Final = 600_000
_REACHED: Final = 0.5
_ATTEMPTS: Final = 3


class Afterwards:
    """Surveys and callbacks, with a separate random generator: they do not affect the floor."""

    def __init__(self, floor: Floor, random: Random) -> None:
        self._floor = floor
        self._agenda = floor.agenda
        self._random = random

    def survey(self, contact: Contact) -> None:
        """Send a survey to the customer of an ended contact, with some probability; some answer within two minutes."""
        random = self._random
        if random.random() >= _ASKED:
            return
        kind = "csat" if random.random() < _SATISFACTION else "nps"
        about = {"kind": kind, "scale": _SCALES[kind]}
        delay = random.uniform(2, 10)
        self._agenda.after(delay, self._floor.emit, contact, "survey.invited", about)
        if random.random() < _ANSWERED:
            weights = _SCORES[kind]
            [score] = random.choices(range(_LOWEST[kind], _LOWEST[kind] + len(weights)), weights)
            self._agenda.after(delay + random.uniform(8, 110), self._floor.emit, contact, "survey.answered", {**about, "score": score})

    def wants_callback(self) -> bool:
        """Return whether a customer who stops waiting requests a callback."""
        return self._random.random() < _WANTS_CALLBACK

    def call_back(self, contact: Contact) -> None:
        """Plan the callback that a customer requests now."""
        self._floor.emit(contact, "contact.callback_requested", {"due": time_text(self._agenda.now_ms + _DUE_MS)})
        self._agenda.after(self._random.uniform(120, 540), self._attempt, contact, 1)

    def _attempt(self, contact: Contact, number: int) -> None:
        if self._random.random() < _REACHED:
            self._floor.emit(contact, "contact.callback_attempted", {"outcome": "reached"})
            self._floor.emit(contact, "contact.callback_ended", {"outcome": "reached"})
        elif number < _ATTEMPTS:
            due = time_text(self._agenda.now_ms + _DUE_MS)
            self._floor.emit(contact, "contact.callback_attempted", {"outcome": "no_answer", "due": due})
            self._agenda.after(self._random.uniform(120, 540), self._attempt, contact, number + 1)
        else:
            self._floor.emit(contact, "contact.callback_attempted", {"outcome": "no_answer"})
            self._floor.emit(contact, "contact.callback_ended", {"outcome": "no_answer"})
