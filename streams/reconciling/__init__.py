"""Comparison of another system's report with our figures: differences and their causes, without a broker or clock."""

from __future__ import annotations

from streams.reconciling.causes import Gap, Recounts, compared
from streams.reconciling.layout import GENERIC, Layout, LayoutError, load_layout
from streams.reconciling.report import ReportError, Row, read_report

__all__ = ["GENERIC", "Gap", "Layout", "LayoutError", "Recounts", "ReportError", "Row", "compared", "load_layout", "read_report"]
