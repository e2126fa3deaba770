"""The operator's configuration; no clock, no network."""

from __future__ import annotations

from streams.configuration.loading import ConfigurationError, load_configuration
from streams.configuration.models import Configuration

__all__ = ["Configuration", "ConfigurationError", "load_configuration"]
