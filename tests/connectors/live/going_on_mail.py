"""A mailbox on a real Dovecot that changes while it is polled."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.connectors.live.test_imap import DAY, DONE, SHOP, Desk
from tests.support.dovecot import dovecot

if TYPE_CHECKING:
    import random
    from contextlib import ExitStack
    from pathlib import Path

    from tests.connectors.live.going_on import Made
    from tests.support.polling import Clock

__all__ = ["mailbox"]


def mailbox(clock: Clock, chance: random.Random, _: Path, stack: ExitStack) -> Made:
    """Mails come, are answered, and stay where they are: when one was moved is known by when it was looked at."""
    clock.now = DAY
    desk = Desk(stack.enter_context(dovecot()))
    sent: list[int] = []

    def step() -> None:
        clock.now += timedelta(seconds=chance.randint(2, 40))
        minutes = _minutes(clock.now)
        for _number in range(chance.randint(1, 2)):
            sent.append(len(sent))
            desk.mail("INBOX", minutes, sent[-1])
        if chance.random() < 0.4:
            root = chance.choice(sent)
            sent.append(len(sent))
            desk.mail("Sent", minutes, sent[-1], root, SHOP)

    assert DONE in desk.settings["folders"]
    return lambda _: None, step, desk.settings


def _minutes(now: datetime) -> float:
    return (now - DAY) / timedelta(minutes=1)
