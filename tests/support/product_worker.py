"""The product's own command in a process that a test can have die at a crash point of one flow."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from streams import cli
from streams.engine.flush import TransactionWriter

if TYPE_CHECKING:
    from streams.engine.flush import Transaction

__all__ = ["main"]


def main(arguments: str) -> int:
    """Run ``contact-streams``; ``arguments`` is JSON with its ``arguments``.

    With ``crash_source``, the end of a topic's name, the crash points of a flush count only the flushes of that source.
    """
    given = json.loads(arguments)
    source = given.get("crash_source", "")
    write = TransactionWriter.write

    async def write_of_any_flow(self: TransactionWriter, transaction: Transaction) -> None:
        if not transaction.source.topic.endswith(source):
            for point in (self._after_rows, self._after_outputs, self._after_offsets, self._after_commit_sent):
                point._left = 0
        await write(self, transaction)

    if source:
        TransactionWriter.write = write_of_any_flow  # type: ignore[method-assign]
    return cli.main(given["arguments"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
