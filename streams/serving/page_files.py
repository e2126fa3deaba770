"""The files of the page and their media types."""

from __future__ import annotations

__all__ = ["PAGE_FILES"]

PAGE_FILES = {
    "index.html": "text/html",
    "alerts.css": "text/css",
    "alerts.js": "text/javascript",
    "docs.css": "text/css",
    "kiosk.js": "text/javascript",
    "login.css": "text/css",
    "login.js": "text/javascript",
    "map.css": "text/css",
    "map.js": "text/javascript",
    "names.js": "text/javascript",
    "narrow.css": "text/css",
    "options.js": "text/javascript",
    "paging.js": "text/javascript",
    "rows.js": "text/javascript",
    "session.css": "text/css",
    "session.js": "text/javascript",
    "summary.js": "text/javascript",
    "tables.js": "text/javascript",
    "targets.css": "text/css",
    "targets.js": "text/javascript",
    "text.js": "text/javascript",
    "trends.js": "text/javascript",
    "wall.css": "text/css",
    "wallboard.css": "text/css",
    "wallboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
