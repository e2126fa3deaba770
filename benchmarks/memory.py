"""How much memory a process has resident."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["peak_mib", "resident_mib"]


def resident_mib(pid: int | None = None) -> float | None:
    """Return what a process has resident, in MiB, this one's without a pid; None if it is gone."""
    return _mib("VmRSS", pid)


def peak_mib(pid: int | None = None) -> float | None:
    """Return the most a process has had resident, in MiB, this one's without a pid; None if it is gone."""
    return _mib("VmHWM", pid)


def _mib(name: str, pid: int | None) -> float | None:
    try:
        lines = Path(f"/proc/{os.getpid() if pid is None else pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(name)), None)
