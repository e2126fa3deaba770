"""``contact-streams alerts``: list alerts, acknowledge one, silence some."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import yaml

from schemas.times import format_ms, to_ms
from streams.columns import aligned
from streams.commands.account import account, record_action
from streams.commands.common import add_kafka_options, add_log_option, fail, instant, label, write_json
from streams.commands.kafka_security import kafka_client_options
from streams.commands.kafka_work import guarded
from streams.configuration import ConfigurationError, load_configuration
from streams.configuration.base import nearest
from streams.serving.alerting.action_log import KafkaActionLog
from streams.serving.alerting.action_records import about_alert, about_silence, acknowledgement_of, silence_of, too_many_silences
from streams.serving.alerting.actions import Actions, actions_topic, key_of
from streams.serving.alerting.messages import test_message
from streams.serving.alerting.prometheus_rules import prometheus_rules
from streams.serving.alerting.senders import SettingError, send
from streams.serving.alerts import Alerts
from streams.serving.reader import Reader, alerts_topic
from streams.serving.topic_writer import NotWrittenError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from schemas.alert_actions import ActionRecord

__all__ = ["add_parser", "run_acknowledge", "run_list", "run_rules", "run_silence", "run_test", "run_unsilence"]

_PATIENCE_SECONDS: Final = 15.0
_UNITS: Final = {"m": 60, "h": 3600, "d": 86_400}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser("alerts", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list firing alerts and silences", description="Lists the firing alerts and the silences.")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(run=run_list)
    acknowledge = actions.add_parser(
        "acknowledge", help="take responsibility for an alert", description="Acknowledges an alert: it is no longer escalated."
    )
    acknowledge.add_argument("alert_id", metavar="ALERT_ID", help="as `list` names it")
    acknowledge.add_argument("--note", type=_reason, help="measures taken; stored with the acknowledgement")
    acknowledge.set_defaults(run=run_acknowledge)
    silence = actions.add_parser(
        "silence", help="suppress notifications of some alerts", description="Silences alerts of a rule, about a scope, or both."
    )
    silence.add_argument("--rule", type=label, help="name of the rule")
    silence.add_argument("--scope", type=_scope, metavar="KIND:NAME", help="such as queue:sales")
    when = silence.add_mutually_exclusive_group(required=True)
    when.add_argument("--until", type=instant, metavar="TIME", help="RFC 3339 time, at most 30 days ahead")
    when.add_argument("--for", type=_span, dest="seconds", metavar="SPAN", help="such as 30m, 8h or 2d")
    silence.add_argument("--reason", type=_reason, required=True, help="shown beside the alerts")
    silence.set_defaults(run=run_silence)
    test = actions.add_parser(
        "test", help="send a test message to a receiver", description="Sends a test message to a configured receiver."
    )
    test.add_argument("receiver", metavar="RECEIVER", help="its name in `alerting.receivers`")
    test.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration file (YAML)")
    test.set_defaults(run=run_test)
    rules = actions.add_parser(
        "rules",
        help="print the rules of the configuration as rules of Prometheus",
        description="Prints the alert rules of a configuration as a rule file of Prometheus, which then evaluates the same conditions.",
    )
    rules.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration file (YAML)")
    rules.set_defaults(run=run_rules)
    unsilence = actions.add_parser("unsilence", help="end a silence", description="Ends a silence before its time.")
    unsilence.add_argument("silence_id", metavar="SILENCE_ID", help="as `list` names it")
    unsilence.set_defaults(run=run_unsilence)
    for action in (listing, acknowledge, silence, unsilence):
        add_kafka_options(action)
        add_log_option(action, default="WARNING")


def run_list(args: argparse.Namespace) -> int:
    """Print the firing alerts and the silences."""
    return guarded(args, _list)


def run_acknowledge(args: argparse.Namespace) -> int:
    """Acknowledge an alert."""
    return guarded(args, _acknowledge)


def run_silence(args: argparse.Namespace) -> int:
    """Silence alerts."""
    return guarded(args, _silence)


def run_test(args: argparse.Namespace) -> int:
    """Send a test message, with the environment of this process."""
    try:
        configuration = load_configuration(args.config)
    except ConfigurationError as error:
        return fail(error)
    receiver = configuration.alerting.receivers.get(args.receiver)
    if receiver is None:
        known = configuration.alerting.receivers
        return fail(f"{args.receiver!r} is no receiver{nearest(args.receiver, known)}; configured: {', '.join(known) or 'none'}")
    message = test_message(configuration.alerting.board_url)
    try:
        answer = asyncio.run(send(receiver, message, os.environ, time.time()))
    except SettingError as error:
        return fail(error)
    if not answer.accepted:
        return fail(f"receiver {args.receiver} has not accepted the message: {answer.text}", code=1)
    sys.stdout.write(f"Receiver {args.receiver} has accepted the message: {answer.text}.\n")
    return 0


def run_rules(args: argparse.Namespace) -> int:
    """Print the rule file, and on stderr the rules that Prometheus cannot evaluate."""
    try:
        configuration = load_configuration(args.config)
    except ConfigurationError as error:
        return fail(error)
    document, left_out = prometheus_rules(configuration.alerts)
    sys.stdout.write(f"# Generated by contact-streams alerts rules from {args.config.name}: change that file.\n")
    sys.stdout.write(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=200))
    for reason in left_out:
        sys.stderr.write(f"contact-streams: left out: {reason}\n")
    return 0


def run_unsilence(args: argparse.Namespace) -> int:
    """End a silence."""
    return guarded(args, _unsilence)


class _Tables(NamedTuple):
    alerts: Alerts
    actions: Actions
    options: Mapping[str, Any]

    async def write(self, args: argparse.Namespace, record: ActionRecord | None = None, *, without: Iterable[str] = ()) -> None:
        """Write; raise TimeoutError where Kafka does not accept it."""
        log = KafkaActionLog(self.actions, bootstrap=args.bootstrap, topic_prefix=args.prefix, client_options=self.options)
        try:
            await log.write(record, without=without)
        except NotWrittenError:
            raise TimeoutError from None


@asynccontextmanager
async def _tables(args: argparse.Namespace) -> AsyncIterator[_Tables]:
    """Read both topics, and follow them; raise ValueError where one is missing, TimeoutError where Kafka is slow."""
    tables = _Tables(Alerts(), Actions(), kafka_client_options())
    kafka: dict[str, Any] = {"bootstrap": args.bootstrap, "client_options": tables.options}
    readers = [
        Reader(tables.alerts, topic_name=alerts_topic(args.prefix), **kafka),
        Reader(tables.actions, topic_name=actions_topic(args.prefix), **kafka),
    ]
    tasks = []
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for reader in readers:
                # One after the other: a client canceled while it connects leaves its socket open.
                tasks.append(asyncio.create_task(reader.run()))
                while not (reader.ready or reader.missing):  # noqa: ASYNC110 - a reader has no event
                    await asyncio.sleep(0.02)
                if reader.missing:
                    msg = f"{args.bootstrap} has no {actions_topic(args.prefix)}: the worker of this version creates it"
                    raise ValueError(msg)
        yield tables
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _list(args: argparse.Namespace) -> int:
    async with _tables(args) as tables:
        now_ms = int(time.time() * 1000)
        firing = [entry.record for entry in tables.alerts.chosen({"firing"})]
        silences = tables.actions.silences(now_ms)
        if args.json:
            alerts = [{**alert.model_dump(mode="json"), **tables.actions.beside(alert, now_ms)} for alert in firing]
            write_json({"alerts": alerts, "silences": [silence.model_dump(mode="json") for silence in silences]})
            return 0
        rows = [("alert_id", "severity", "rule", "scope", "fired", "status")]
        for alert in firing:
            acknowledged, silenced = tables.actions.acknowledgement(alert.alert_id), tables.actions.silenced(alert, now_ms)
            status = "" if acknowledged is None else f"acknowledged by {acknowledged.by.name or acknowledged.by.kind}"
            if silenced is not None:
                status += f"{', ' if status else ''}silenced until {format_ms(to_ms(silenced.until))}"
            rows.append((alert.alert_id, alert.severity, alert.rule, f"{alert.scope_kind}:{alert.scope}", alert.fired_at or "", status))
        sys.stdout.write(aligned(rows, left=6) + "\n" if firing else "No alert fires.\n")
        if silences:
            rows = [("silence_id", "rule", "scope", "until", "by", "reason")]
            for silence in silences:
                until, by = format_ms(to_ms(silence.until)), silence.by.name or silence.by.kind
                rows.append((silence.silence_id, silence.rule or "*", silence.scope or "*", until, by, silence.reason))
            sys.stdout.write("\n" + aligned(rows, left=6) + "\n")
    return 0


async def _acknowledge(args: argparse.Namespace) -> int:
    async with _tables(args) as tables:
        alert = next((entry.record for entry in tables.alerts.chosen({"firing"}) if entry.record.alert_id == args.alert_id), None)
        if alert is None:
            return fail("no firing alert has this id: see `contact-streams alerts list`", code=1)
        before = tables.actions.acknowledgement(alert.alert_id)
        if before is None:
            await record_action(args, "alert_acknowledged", tables.options, about=about_alert(alert), reason=args.note)
            await tables.write(args, acknowledgement_of(alert, account(), int(time.time() * 1000), args.note))
            sys.stdout.write("Acknowledged.\n")
        else:
            sys.stdout.write(f"Acknowledged already, by {before.by.name or before.by.kind} at {format_ms(to_ms(before.at))}.\n")
    return 0


async def _silence(args: argparse.Namespace) -> int:
    now_ms = int(time.time() * 1000)
    until_ms = args.until if args.until is not None else now_ms + 1000 * args.seconds
    silence = silence_of(args.rule, args.scope, until_ms, args.reason, account(), now_ms)
    async with _tables(args) as tables:
        if (refused := too_many_silences(tables.actions.silences(now_ms), silence.by)) is not None:
            return fail(refused, code=1)
        await record_action(args, "silence_made", tables.options, about=about_silence(silence), reason=args.reason)
        await tables.write(args, silence)
    sys.stdout.write(f"Silenced until {format_ms(until_ms)}: {silence.silence_id}\n")
    return 0


async def _unsilence(args: argparse.Namespace) -> int:
    async with _tables(args) as tables:
        silence = tables.actions.silence(args.silence_id)
        if silence is None:
            return fail("there is no such silence: see `contact-streams alerts list`", code=1)
        await record_action(args, "silence_ended", tables.options, about=about_silence(silence))
        await tables.write(args, without=[key_of(silence)])
    sys.stdout.write("Ended.\n")
    return 0


def _scope(text: str) -> str:
    if re.fullmatch(r"(queue|department|business|site|team|total):.+", text) is None:
        message = f"{text!r} is no scope; permitted: KIND:NAME, such as queue:sales"
        raise argparse.ArgumentTypeError(message)
    return text


def _span(text: str) -> int:
    """Read a span as seconds."""
    if re.fullmatch(r"[1-9][0-9]{0,5}[mhd]", text) is None:
        message = f"{text!r} is no span; permitted: such as 30m, 8h or 2d"
        raise argparse.ArgumentTypeError(message)
    return int(text[:-1]) * _UNITS[text[-1]]


def _reason(text: str) -> str:
    if not text or len(text) > 300 or not text.isprintable():  # noqa: PLR2004 - schemas.alert_actions
        message = "1 to 300 printable characters"
        raise argparse.ArgumentTypeError(message)
    return text
