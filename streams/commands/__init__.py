"""One module a subcommand: ``add_parser(subparsers)`` declares its options, ``run(args)`` does it and returns the exit code."""

from __future__ import annotations

__all__: list[str] = []
