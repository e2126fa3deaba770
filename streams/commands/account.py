"""Audit records of commands, with the account of the operating system that runs the command."""

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

__all__ = ["account", "record_action", "record_and_order"]


def account() -> Actor:
    """Return the account of this process, ignoring its environment; without a name, its number."""
    number = os.getuid()
    try:
        return Actor(kind="account", name=pwd.getpwuid(number).pw_name)
    except KeyError:
        return Actor(kind="account", name=str(number))


async def record_action(
    args: argparse.Namespace,
    action: Action,
    client_options: Mapping[str, Any],
    outcome: Outcome = "done",
    *,
    about: AuditObject = NOTHING,
    reason: str | None = None,
) -> None:
    """Record an action before it is done.

    Where Kafka refuses the record, stderr shows a warning and the action continues: an account that reaches Kafka could act without this
    command, and an emergency must not wait.
    """
    record = audit_record(
        action, outcome, actor=account(), instance=instance_of("contact-streams"), at=time.time(), about=about, reason=reason
    )
    try:
        await write_now(args.bootstrap, args.prefix, [record], client_options)
    except (TopicError, KafkaError, OSError, TimeoutError) as error:
        why = error if isinstance(error, TopicError) else kafka_trouble(args.bootstrap, error)
        sys.stderr.write(f"contact-streams: this is not in the audit: {why}\n")


async def record_and_order(
    args: argparse.Namespace, order: OperatorModel, client_options: Mapping[str, Any], action: Action, about: AuditObject
) -> int:
    """Record an order to the workers and publish it; return the number of partitions.

    Raises:
        NoTopicError, TimeoutError, KafkaError, OSError: as ``give_order``; the failure is recorded too, where possible.
    """
    await record_action(args, action, client_options, "ordered", about=about, reason=order.why)
    try:
        return await give_order(args.bootstrap, args.prefix, order, client_options)
    except Exception:
        await record_action(args, action, client_options, "failed", about=about, reason=order.why)
        raise
