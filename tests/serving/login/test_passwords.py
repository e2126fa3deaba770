"""Passwords: which may be chosen, what is kept, and that an unknown name takes as long as a known one."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher

from streams.serving.login import passwords as module
from streams.serving.login.passwords import BusyError, Passwords, hashed, is_outdated, problem_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

#: Cheap, where it is not the cost that is looked at.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "seven blue herons"


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check for a minute at most."""
    asyncio.run(asyncio.wait_for(check, 60))


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("elevenchars", "fewer than 12 characters"),
        ("x" * 1001, "more than 1000"),
        ("ababababababab", "different characters"),
        ("seven blue\therons", "control character"),
        ("Password1234", "guessed"),
        ("Contact-Streams-1", "guessed"),
        ("yuki.tanaka-2026", "guessed"),
        ("abcdefghijkl", "guessed"),
        ("0987654321098", "guessed"),
        (GOOD, None),
        ("十二文字以上の合言葉です。", None),
        ("twelve chars", None),
        ("x7" * 6 + "y!z", None),
        ("password of the seven herons", None),
    ],
)
def test_which_passwords_may_be_chosen(password: str, problem: str | None) -> None:
    """By length and by what is guessed first; no rule about kinds of characters."""
    found = problem_of(password, "yukitanaka")
    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert problem in found


def test_what_is_kept_is_argon2id() -> None:
    """With the parameters that RFC 9106 recommends for little memory, another salt each time; older ones are recognized."""
    first, second = hashed(GOOD), hashed(GOOD)
    assert re.fullmatch(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}", first)
    assert first != second
    assert not is_outdated(first)
    assert is_outdated(CHEAP.hash(GOOD))


def test_a_password_is_verified() -> None:
    """The right one of a known name, however its letters are composed, and nothing else."""

    async def check() -> None:
        passwords = Passwords()
        entry = CHEAP.hash("H\u00e9rons bleus, sept")
        assert await passwords.verify(entry, "H\u00e9rons bleus, sept")
        assert await passwords.verify(entry, "He\u0301rons bleus, sept")
        assert not await passwords.verify(entry, "herons bleus, sept")
        assert not await passwords.verify(entry, "")
        assert not await passwords.verify(entry, "x" * 1_000_000)
        assert not await passwords.verify(None, "H\u00e9rons bleus, sept", [entry])
        assert not await passwords.verify("no hash at all", "no hash at all")
        passwords.close()
        with pytest.raises(BusyError):
            await passwords.verify(entry, GOOD)

    run(check())


def test_an_unknown_name_takes_as_long_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes as much of a processor as most users' hashes do, cheap or dear: the dear one here takes eight times as much."""
    took: list[float] = []
    is_right = module._is_right

    def measured(entry: str, password: str) -> bool:
        began = time.thread_time()
        try:
            return is_right(entry, password)
        finally:
            took.append(time.thread_time() - began)

    monkeypatch.setattr(module, "_is_right", measured)

    async def check() -> None:
        passwords = Passwords(at_a_time=1)
        for rounds in (1, 8):
            hasher = PasswordHasher(time_cost=rounds, memory_cost=8192, parallelism=1)
            entries = [hasher.hash(GOOD) for _ in range(3)]
            others = [*entries, CHEAP.hash(GOOD)]
            took.clear()
            for turn in range(20):
                assert not await passwords.verify(entries[0] if turn % 2 == 0 else None, "wrong", others)
            assert 0.5 < min(took[1::2]) / min(took[::2]) < 2
        passwords.close()

    run(check())


def test_few_are_verified_at_a_time_and_few_wait() -> None:
    """No more than two take their memory at once; attempts beyond the queue are refused at once, and slots become free again."""

    async def check() -> None:
        passwords = Passwords(at_a_time=2, max_waiting=5, for_known=2)
        entry = PasswordHasher(time_cost=3, memory_cost=16384, parallelism=1).hash(GOOD)
        results = await asyncio.gather(*[passwords.verify(entry, GOOD) for _ in range(8)], return_exceptions=True)
        assert results[:5] == [True] * 5
        assert [type(each) for each in results[5:]] == [BusyError] * 3
        assert await passwords.verify(entry, GOOD)
        # While others fill their five places, two are left for browsers that are known.
        filling = [asyncio.ensure_future(passwords.verify(entry, "wrong")) for _ in range(6)]
        known = [asyncio.ensure_future(passwords.verify(entry, GOOD, known=True)) for _ in range(3)]
        results = await asyncio.gather(*filling, *known, return_exceptions=True)
        assert [type(each) for each in results] == [bool] * 5 + [BusyError] + [bool] * 2 + [BusyError]
        assert results[6:8] == [True, True]
        # Clients that go away while they wait do not make room before the work is done.
        waiting = [asyncio.ensure_future(passwords.verify(entry, GOOD)) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(BusyError):
            await passwords.verify(entry, GOOD)
        passwords.close()

    run(check())


def test_verifying_a_password_does_not_block_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification is in a thread: the loop turns many times before it is done."""

    async def check() -> None:
        passwords = Passwords()
        entry = hashed(GOOD)
        turns = 0
        verifying = asyncio.ensure_future(passwords.verify(entry, GOOD))
        while not verifying.done():
            await asyncio.sleep(0)
            turns += 1
        assert verifying.result()
        assert turns > 10
        passwords.close()

    run(check())
    assert module._AT_A_TIME == 2
