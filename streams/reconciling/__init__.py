"""Another system's report beside our figures: where they differ, and why; no broker, no clock."""

from __future__ import annotations

from streams.reconciling.causes import Gap, Worlds, compared
from streams.reconciling.layout import GENERIC, Layout, LayoutError, load_layout
from streams.reconciling.report import ReportError, Row, read_report

__all__ = ["GENERIC", "Gap", "Layout", "LayoutError", "ReportError", "Row", "Worlds", "compared", "load_layout", "read_report"]
