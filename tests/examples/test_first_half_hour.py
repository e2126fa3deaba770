"""A newcomer's first half hour: every command of ``docs/first-half-hour.md``, in a fresh clone with an environment of its own."""

# ruff: noqa: T201 - what the script said is what a failure is understood by.

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from streams.demo.processes import free_port
from tests.support.require import require, require_embedded_broker

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-half-hour.md").read_text(encoding="utf-8")

#: Most of it is the new environment; without a network there is none.
_PATIENCE_SECONDS = 600


def commands(page: str, repository: str, port: int) -> str:
    """Return the page's shell blocks as one script; only the repository's address and the port are not the page's."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    script = "set -euo pipefail\n" + "\n".join(f"echo '=== part {number}'\n{block}" for number, block in enumerate(blocks, 1))
    assert "<this repository>" in script
    return script.replace("<this repository>", repository).replace("8080", str(port))


@pytest.mark.nightly
def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    """Clone, demo, own export by a new mapping, own queue, own alert: the script ends well, and the figures are those of the page."""
    for program in ("git", "make", "curl"):
        require(shutil.which(program) is not None, f"{program} is not installed")
    require_embedded_broker()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONTACT_STREAMS_", "VIRTUAL_ENV", "PYTHON"))}
    process = subprocess.Popen(
        ["bash", "-c", commands(PAGE, str(ROOT), free_port())],
        cwd=tmp_path,
        env=clean,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        pytest.fail(f"did not end within {_PATIENCE_SECONDS} s")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)
    print(said)

    assert process.returncode == 0
    assert "every served figure equals the recount" in said
    # Six calls: 5, 12, 50 and 8 s to answer; two gave up.
    assert re.search(r"Helpdesk.*\b6\b.*\b4\b.*\b2\b", said)
    assert re.search(r"18\.7|18\.8", said)
    # 80 is no ratio.
    assert "wrong.yaml:5" in said
    served = re.findall(r"^contact_center_service_level_live_ratio\{.*scope=\"Helpdesk\".*window=\"15m\"\} (\S+)$", said, re.MULTILINE)
    assert served == ["0.5"]
    assert '"helpdesk-breached"' in said
