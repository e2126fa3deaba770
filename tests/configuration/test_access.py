"""The access file: its content, a line for each problem, no secret in a message, and the principals of identities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.access.principals import Grant, Identity, Principal
from streams.configuration import docs
from streams.configuration.access import AccessError, access_schema, load_access
from streams.configuration.definitions import effective_ms

if TYPE_CHECKING:
    from pathlib import Path

HASH, OTHER, TICKET = (f"sha256:{two * 32}" for two in ("a1", "b2", "c3"))
PASSWORD = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21l$RdescudvJCsgt3ub+b1dWRWJTmaaJObGRdescudvJCs"
SECRET = "a-secret-that-no-message-shows"

RIGHT = f"""\
tokens:
  prometheus:
    hashes: [{HASH}, {OTHER}]
    expires: 2026-12-01T00:00:00+09:00
    roles: [{{role: viewer}}]
users:
  abe:
    password: {PASSWORD}
    roles: [{{role: supervisor, sites: [tokyo]}}, {{role: viewer, queues: [1001], departments: [care]}}]
provider: {{issuer: https://id.example/realms/center, client_id: streams, groups_claim: realm_access.roles}}
groups:
  leads: [{{role: supervisor, teams: [t-a]}}]
  all: [{{role: viewer}}]
kiosks:
  wall: {{ticket: {TICKET}, roles: [{{role: viewer, sites: [tokyo]}}]}}
certificates:
  scraper.example: {{roles: [{{role: operator}}]}}
hosts: [board.example]
public_url: https://board.example
smallest_group: 6
session: {{idle_minutes: 30, hours: 8}}
"""
BEFORE, AFTER = effective_ms("2026-11-30T14:59:59Z"), effective_ms("2026-11-30T15:00:00Z")


def written(tmp_path: Path, text: str) -> Path:
    """Write an access file."""
    path = tmp_path / "access.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """Return the problems of a text, without the name of the file."""
    path = written(tmp_path, text)
    with pytest.raises(AccessError) as caught:
        load_access(path)
    return str(caught.value).replace(f"{path}:", "").splitlines()


def test_whom_it_knows(tmp_path: Path) -> None:
    """Each kind is looked for under its own key; a number is a queue's name; groups add up, and unknown ones give nothing."""
    file = load_access(written(tmp_path, RIGHT))

    def grants(identity: Identity) -> tuple[Grant, ...]:
        found = file.principal(identity, BEFORE)
        assert found is not None
        assert (found.name, found.kind) == (identity.name, identity.kind)
        return found.grants

    assert grants(Identity("token", "prometheus")) == (Grant("viewer"),)
    assert grants(Identity("user", "abe")) == (
        Grant("supervisor", sites=frozenset({"tokyo"})),
        Grant("viewer", queues=frozenset({"1001"}), departments=frozenset({"care"})),
    )
    assert grants(Identity("provider", "s-1", ("all", "leads", "unknown", "all"))) == (
        Grant("viewer"),
        Grant("supervisor", teams=frozenset({"t-a"})),
    )
    assert grants(Identity("provider", "s-2", ("unknown",))) == ()
    assert grants(Identity("kiosk", "wall")) == (Grant("viewer", sites=frozenset({"tokyo"})),)
    assert grants(Identity("certificate", "scraper.example")) == (Grant("operator"),)
    assert file.principal(Identity("user", "prometheus"), BEFORE) is None
    assert file.principal(Identity("token", "abe"), BEFORE) is None
    assert (file.smallest_group, file.session.idle_minutes, file.session.hours) == (6, 30, 8)


def test_a_right_ends_on_time_and_with_its_entry(tmp_path: Path) -> None:
    """At the instant of ``expires``, which is 15:00 in UTC, it has ended; without the entry there is no principal."""
    file = load_access(written(tmp_path, RIGHT))

    assert file.principal(Identity("token", "prometheus"), BEFORE) == Principal("prometheus", "token", (Grant("viewer"),))
    assert file.principal(Identity("token", "prometheus"), AFTER) is None
    empty = load_access(written(tmp_path, "{}"))
    for kind in ("token", "user", "provider", "kiosk", "certificate", "anyone"):
        assert empty.principal(Identity(kind, "prometheus", ("all",)), BEFORE) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("token: {}\n", "1: token: unknown key, did you mean tokens?"),
        ("tokens:\n  a b: {hashes: [], roles: []}\n", "2: tokens.a b: "),
        ("tokens:\n  a:\n    roles: []\n", "2: tokens.a.hashes: required"),
        (f"tokens:\n  a:\n    hashes: [{SECRET}]\n    roles: []\n", "3: tokens.a.hashes.0: not permitted; permitted: sha256:"),
        (f"tokens:\n  a:\n    hashes: {SECRET}\n    roles: []\n", "3: tokens.a.hashes: not permitted; permitted: a list"),
        (f"tokens:\n  a: {SECRET}\n", "2: tokens.a: not permitted; permitted: keys and values"),
        (f"tokens: {SECRET}\n", "1: tokens: not permitted; permitted: keys and values"),
        (f"users:\n  a:\n    password: {SECRET}\n    roles: []\n", "3: users.a.password: not permitted; permitted: the output"),
        (f"kiosks:\n  a:\n    ticket: {SECRET}\n    roles: []\n", "3: kiosks.a.ticket: not permitted; permitted: sha256:"),
        (f"tokens: {{a: {{hashes: [{HASH}], roles: []}}, b: {{hashes: [{HASH}], roles: []}}}}\n", "1: a hash of token b is one of"),
        (f"tokens: {{a: {{hashes: [{HASH}], roles: []}}}}\nkiosks: {{k: {{ticket: {HASH}, roles: []}}}}\n", "1: a hash of kiosk k is"),
        ("certificates:\n  a:\n    roles: [{role: watcher}]\n", '3: certificates.a.roles.0.role: found "watcher"; permitted: viewer'),
        ("certificates:\n  a:\n    roles: [{role: viewer, site: x}]\n", "3: certificates.a.roles.0.site: unknown key, did you mean sites?"),
        # A list left empty by mistake would mean everywhere.
        ("certificates:\n  a:\n    roles: [{role: viewer, sites: []}]\n", "3: certificates.a.roles.0.sites: is empty; permitted: at least"),
        ("certificates:\n  a:\n    roles: [viewer]\n", "3: certificates.a.roles.0: "),
        ("groups: {all: []}\n", "1: groups needs a provider"),
        ("provider: {issuer: id.example, client_id: x}\n", '1: provider.issuer: found "id.example"; permitted: an address'),
        ("provider: {issuer: https://id.example, client_id: x, scopes: [profile]}\n", "1: provider: scopes lacks openid"),
        ("provider: {issuer: http://id.example, client_id: x}\n", "1: provider: issuer is not by TLS"),
        ("provider: {issuer: http://localhost.example, client_id: x}\n", "1: provider: issuer is not by TLS"),
        ("provider: {issuer: https://id.example, client_id: x}\n", "1: provider needs public_url"),
        ("provider: {issuer: https://id.example, client_id: x}\npublic_url: http://board.example\n", "1: public_url is not by TLS"),
        ("smallest_group: 0\n", "1: smallest_group: found 0; permitted: a whole number, 1 to 1000"),
        (f"tokens:\n  a: {{hashes: [{HASH}], roles: [], expires: soon}}\n", "2: tokens.a.expires: no instant"),
        ("session: {hours: 0}\n", "1: session.hours: found 0; permitted: a whole number, 1 to 720"),
        ("- a\n", "1: "),
    ],
)  # fmt: skip
def test_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    """One line states location, problem and what is permitted; a value in place of a secret is never shown."""
    found = problems_of(tmp_path, text)

    assert len(found) == 1, found
    assert found[0].startswith(message), found
    assert SECRET not in found[0]


def test_the_schema_is_current() -> None:
    """The committed schema is that of the models."""
    assert docs.ACCESS_SCHEMA.read_text(encoding="utf-8") == docs.schema("access", access_schema)
