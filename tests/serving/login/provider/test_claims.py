"""What is kept of a token's claims, and how a login that is under way is known again."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from streams.serving.login.provider.attempts import ATTEMPT_SECONDS, Attempts
from streams.serving.login.provider.claims import groups_of, name_of, subject_of
from streams.serving.login.provider.problems import TokenError


@pytest.mark.parametrize(
    ("claims", "claim", "groups"),
    [
        ({"groups": ["tokyo", "osaka"]}, "groups", {"tokyo", "osaka"}),
        ({"realm_access": {"roles": ["viewer"]}}, "realm_access.roles", {"viewer"}),
        ({"https://example.com/groups": ["viewer"]}, "https://example.com/groups", {"viewer"}),
        ({"groups": "tokyo osaka"}, "groups", {"tokyo osaka"}),
        ({"groups": []}, "groups", set()),
        ({"groups": ["tokyo", 7, None, "", " ", "a\nb", "g" * 201]}, "groups", {"tokyo"}),
        ({}, "groups", None),
        ({"groups": None}, "groups", None),
        ({"realm_access": ["roles"]}, "realm_access.roles", None),
        ({"realm_access": {"roles": ["viewer"]}}, "realm_access.roles.more", None),
    ],
)
def test_groups_come_from_the_configured_claim(claims: dict[str, Any], claim: str, groups: set[str] | None) -> None:
    """A name, a path or an address leads to the groups; what is no name is left out; a claim that is not there is no empty list."""
    assert groups_of(claims, claim) == groups


@pytest.mark.parametrize("found", [{"roles": 1}, 7, True, ["g"] * 1001])
def test_groups_in_no_list_are_refused(found: object) -> None:
    """What cannot be groups is refused, and is not taken for none."""
    with pytest.raises(TokenError, match="groups is no list"):
        groups_of({"groups": found}, "groups")


def test_names_are_for_people_and_subjects_stay() -> None:
    """The configured claim names a person; where it cannot be shown, the subject does."""
    assert name_of({"sub": "f3c1", "preferred_username": "tanaka"}, "preferred_username") == "tanaka"
    for unfit in (None, "", " ", 7, "a\nb", "t" * 201, "\u202e"):
        assert name_of({"sub": "f3c1", "preferred_username": unfit}, "preferred_username") == "f3c1"
    for unfit in (None, "", 7, "s" * 256, "a\x00b"):
        with pytest.raises(TokenError, match="sub"):
            subject_of({"sub": unfit})


def test_an_attempt_is_known_by_its_cookie_for_ten_minutes() -> None:
    """The cookie leads to the same secrets and target as long as a login may take, in the process that made it alone."""
    now = [1000.0]
    attempts = Attempts(lambda: now[0])
    cookie, attempt = attempts.begin("/?queue=営業")
    assert attempts.of(cookie) == attempt
    assert attempt.target == "/?queue=営業"
    now[0] += ATTEMPT_SECONDS - 1
    assert attempts.of(cookie) == attempt
    now[0] += 1
    assert attempts.of(cookie) is None
    now[0] = 999.0
    assert attempts.of(cookie) is None
    assert Attempts(lambda: 1000.0).of(cookie) is None


def test_attempts_share_nothing() -> None:
    """Two attempts of one moment have nothing in common; state, nonce and verifier of one differ, and none is in its cookie."""
    attempts = Attempts(lambda: 1000.0)
    (cookie, one), (_, two) = attempts.begin("/"), attempts.begin("/")
    values = [one.state, one.nonce, one.verifier, two.state, two.nonce, two.verifier]
    assert len(set(values)) == 6
    assert all(len(value) == 43 and value not in cookie for value in values)
    assert one.verifier not in repr(one)
    # RFC 7636, 4.2
    assert one.challenge == base64.urlsafe_b64encode(hashlib.sha256(one.verifier.encode()).digest()).decode().rstrip("=")


def test_a_changed_cookie_is_no_attempt() -> None:
    """A cookie of which any part was changed, such as where the login leads, is refused."""
    attempts = Attempts(lambda: 1000.0)
    cookie, _ = attempts.begin("/")
    began, made, target, code = cookie.split(".")
    for changed in (
        "",
        "a.b.c.d",
        cookie + "x",
        f"{began}1.{made}.{target}.{code}",
        f"{began}.{made[::-1]}.{target}.{code}",
        f"{began}.{made}.{base64.urlsafe_b64encode(b'//evil.example').decode().rstrip('=')}.{code}",
        f"{began}.{made}.{target}.{code[::-1]}",
        f"{began}.{made}.{target}",
        cookie.replace(".", "．"),
    ):
        assert attempts.of(changed) is None
