"""Listening of every HTTP server of the product: a bounded number of connections, none of which a client holds for ever."""

from __future__ import annotations

from streams.listening.addresses import client_of
from streams.listening.connections import Connections
from streams.listening.limits import ConnectionLimits
from streams.listening.listening import Listening
from streams.listening.server import HttpServer

__all__ = ["ConnectionLimits", "Connections", "HttpServer", "Listening", "client_of"]
