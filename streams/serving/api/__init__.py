"""The HTTP side of serving, by subject."""

from streams.serving.api.app import create_app
from streams.serving.api.serving import Serving

__all__ = ["Serving", "create_app"]
