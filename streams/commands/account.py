"""What a command says to the audit: that the account of the operating system that gave it did something."""

from __future__ import annotations

import os
import pwd
import sys
import time
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from schemas.audit import NOTHING, Actor
from streams.connectors.operator import give_order
from streams.connectors.publishing import kafka_trouble
from streams.serving.audit.auditor import audit_record, instance_of
from streams.serving.audit.writer import write_now
from streams.serving.broker import TopicError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from schemas.audit import Action, AuditObject, Outcome
    from schemas.operator import OperatorModel

__all__ = ["account", "noted", "ordered"]


def account() -> Actor:
    """Return the account that this process runs as, whatever its environment says; without a name, its number."""
    number = os.getuid()
    try:
        return Actor(kind="account", name=pwd.getpwuid(number).pw_name)
    except KeyError:
        return Actor(kind="account", name=str(number))


async def noted(
    args: argparse.Namespace,
    action: Action,
    client_options: Mapping[str, Any],
    outcome: Outcome = "done",
    *,
    about: AuditObject = NOTHING,
    reason: str | None = None,
) -> None:
    """Record an action before it is done.

    Where Kafka does not take the record, it is said on stderr and the action goes on: an account that reaches Kafka needs no command of
    ours, and one that must act in an emergency must not be held up.
    """
    record = audit_record(
        action, outcome, actor=account(), instance=instance_of("contact-streams"), at=time.time(), about=about, reason=reason
    )
    try:
        await write_now(args.bootstrap, args.prefix, [record], client_options)
    except (TopicError, KafkaError, OSError, TimeoutError) as error:
        why = error if isinstance(error, TopicError) else kafka_trouble(args.bootstrap, error)
        sys.stderr.write(f"contact-streams: this is not in the audit: {why}\n")


async def ordered(
    args: argparse.Namespace, order: OperatorModel, client_options: Mapping[str, Any], action: Action, about: AuditObject
) -> int:
    """Record an order to the workers and give it; return to how many partitions.

    Raises:
        NoTopicError, TimeoutError, KafkaError, OSError: as ``give_order``; that is recorded too, where it can be.
    """
    await noted(args, action, client_options, "ordered", about=about, reason=order.why)
    try:
        return await give_order(args.bootstrap, args.prefix, order, client_options)
    except Exception:
        await noted(args, action, client_options, "failed", about=about, reason=order.why)
        raise
