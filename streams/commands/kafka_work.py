"""What subcommands that work on topics share: asking before they write, and what is said when Kafka does not go along."""

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
    late: str = "the same command may be given again",
) -> int:
    """Run an action and return its exit code, or 1 or 2 once it is said what is wrong; ``late`` says what holds when Kafka is too slow."""
    start_logging(args.log_level, says_of_kafka=True)
    try:
        return asyncio.run(work(args))
    except (KafkaSecurityError, ValueError) as error:
        return fail(error)
    except NoTopicError as error:
        return fail(error, code=1)
    except TimeoutError:
        return fail(f"Kafka at {args.bootstrap} did not answer in time; {late}", code=1)
    except BrokenPipeError:  # stdout: what read it has enough, and the frame of all commands knows what to do
        raise
    except (KafkaError, OSError) as error:
        return fail(kafka_trouble(args.bootstrap, error), code=1)


def confirmed(question: str) -> bool:
    """Ask on the terminal; only a yes is one."""
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
