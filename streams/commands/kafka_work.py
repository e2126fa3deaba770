"""Shared code of subcommands that work on topics: confirmation before they write, and messages when Kafka fails."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError

from streams.commands.common import fail, start_logging
from streams.commands.kafka_security import KafkaSecurityError
from streams.connectors.dead_letters import NoTopicError
from streams.connectors.publishing import kafka_trouble

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine

__all__ = ["confirmed", "guarded"]


def guarded(
    args: argparse.Namespace,
    work: Callable[[argparse.Namespace], Coroutine[Any, Any, int]],
    *,
    late: str = "the same command may be run again",
) -> int:
    """Run an action and return its exit code, or 1 or 2 after an error message; ``late`` is the text for when Kafka is too slow."""
    start_logging(args.log_level, reports_kafka=True)
    try:
        return asyncio.run(work(args))
    except (KafkaSecurityError, ValueError) as error:
        return fail(error)
    except NoTopicError as error:
        return fail(error, code=1)
    except TimeoutError:
        return fail(f"Kafka at {args.bootstrap} did not answer in time; {late}", code=1)
    except BrokenPipeError:  # stdout: the reader has closed it; streams.cli handles that
        raise
    except (KafkaError, OSError) as error:
        return fail(kafka_trouble(args.bootstrap, error), code=1)


def confirmed(question: str) -> bool:
    """Ask on the terminal; return whether the answer is yes."""
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
