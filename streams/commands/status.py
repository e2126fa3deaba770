"""``contact-streams status``: show in one sentence what is broken, since when, what still works, and whom to call."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from streams.catalogue import LANGUAGES, WORDS
from streams.client import ApiError, Client, UnexpectedAnswerError, UnreachableError
from streams.commands.common import fail, write_json
from streams.configuration import ConfigurationError, load_configuration
from streams.serving.status import OK, sentence, unreached

if TYPE_CHECKING:
    import argparse

    from schemas.api import StandingAnswer

__all__ = ["TOKEN_VARIABLE", "add_parser", "run"]

TOKEN_VARIABLE: Final = "CONTACT_STREAMS_TOKEN"  # noqa: S105 - its name
_BROKEN: Final = 1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command and its options."""
    parser = subparsers.add_parser(
        "status",
        description=f"{__doc__} Asks a running serve; with a token of its access file in {TOKEN_VARIABLE}. "
        "Exits with 0 if nothing is broken, else with 1.",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="address of serve (default: %(default)s)")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="authorities to trust (PEM), if not those of this machine")
    parser.add_argument("--config", type=Path, help="configuration file (YAML): whom to call when serve itself is not reached")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON, as /api/v1/standing does")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask, and print the answer."""
    try:
        on_call = None if args.config is None else load_configuration(args.config).on_call
        trusted = None if args.ca is None else ssl.create_default_context(cafile=args.ca)
        answer = asyncio.run(_standing(args.url, trusted))
    except ConfigurationError as error:
        return fail(error)
    except (ssl.SSLError, OSError) as error:
        return fail(f"status: {args.ca}: {error}")
    except ValueError as error:
        return fail(f"status: {error}")
    except UnreachableError:
        fault = unreached(args.url)
        call = None if on_call is None else on_call.of(fault.part)
        texts = sentence(fault, None, ZoneInfo("UTC"), call)
        if args.json:
            entry = {"code": fault.code, "part": fault.part, "since": None, "names": list(fault.names), "call": call, **texts}
            write_json({**entry, "as_of": None, "server_time": None, "faults": [entry]})
        else:
            sys.stdout.write(f"{texts[f'text_{args.lang}']}\n")
            if call is None:
                sys.stdout.write(f"{WORDS[args.lang]['call.none' if args.config else 'call.ask']}\n")
        return _BROKEN
    except ApiError as error:
        return fail(f"status: {args.url} answers {error}; a token of its access file goes into {TOKEN_VARIABLE}", code=_BROKEN)
    except UnexpectedAnswerError as error:
        return fail(f"status: {args.url} is no serve of this version: {error}", code=_BROKEN)
    if args.json:
        write_json(answer.model_dump(mode="json"))
    else:
        for part in answer.faults or (answer,):
            sys.stdout.write(f"{getattr(part, f'text_{args.lang}')}\n")
        if answer.call_missing:
            sys.stdout.write(f"{WORDS[args.lang]['call.none']}\n")
    return 0 if answer.code == OK else _BROKEN


async def _standing(url: str, trusted: ssl.SSLContext | None) -> StandingAnswer:
    async with Client(url, token=os.environ.get(TOKEN_VARIABLE) or None, ssl_context=trusted) as client:
        return await client.standing()
