"""Prints the alerts that the Alertmanager sends: a stand-in for the receiver that you already have."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["AlertLog", "lines"]

#: An alert is some hundred bytes; what claims more is none.
MAX_BYTES = 1024 * 1024


def lines(notification: dict[str, Any]) -> list[str]:
    """Return a line for each alert of a notification: state, severity, summary and runbook."""
    found = []
    for alert in notification["alerts"]:
        labels, annotations = alert["labels"], alert["annotations"]
        words = (alert["status"], labels.get("severity", "-"), annotations.get("summary", labels["alertname"]))
        found.append(" ".join((*words, f"({labels['alertname']}, {annotations.get('runbook_url', 'no runbook')})")))
    return found


class AlertLog(BaseHTTPRequestHandler):
    """Takes notifications at any path; ``GET`` answers to health checks."""

    timeout = 10

    def do_GET(self) -> None:
        """Say that this is alive."""
        self._answer(200)

    def do_POST(self) -> None:
        """Print the alerts of the body."""
        length = int(self.headers.get("Content-Length", 0))
        if not 0 < length <= MAX_BYTES:
            self._answer(413)
            return
        try:
            told = lines(json.loads(self.rfile.read(length)))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._answer(400)
            return
        for line in told:
            # One line an alert, whatever a label holds.
            sys.stdout.write(line.replace("\n", " ").replace("\r", " ") + "\n")
        sys.stdout.flush()
        self._answer(200)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the class above
        """Keep requests out of the output: it is for alerts."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    host, port = (sys.argv[1:] + ["127.0.0.1", "8094"][len(sys.argv) - 1 :])[:2]
    ThreadingHTTPServer((host, int(port)), AlertLog).serve_forever()
