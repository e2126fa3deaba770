"""Limits of event streams: in total, and by owner."""

from __future__ import annotations

import asyncio

import pytest

from streams.listening import client_of
from streams.serving.clients import Clients


def test_one_address_cannot_use_all_streams() -> None:
    """Of four streams one address gets two; with all four open none is permitted, and a closed one is available again."""
    clients, streams = Clients(4, 2), [asyncio.Transport() for _ in range(4)]

    for stream, whose in zip(streams, "aabc", strict=True):
        assert clients.lacks(whose) is None
        clients.add(stream, whose)
    assert (len(clients), clients.lacks("a"), clients.lacks("d")) == (4, "own", "all")

    clients.discard(streams[0])
    clients.discard(streams[0])
    assert (len(clients), clients.lacks("a"), clients.lacks("d")) == (3, None, None)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_the_client_of_an_address(address: str, client: str) -> None:
    """Of IPv6 one client is an entire /64."""
    assert client_of(address) == client
