"""Tokens as they are made, shown, listed and revoked."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import pytest

from chalicelib import tokens
from chalicelib.core.errors import NotFound, Unauthenticated, Unavailable
from chalicelib.core.grants import Wanted
from chalicelib.core.principals import LOCAL, Caller, Scope
from chalicelib.document_ports import StaleDocument
from tests.contract.openers import NOON, LocalOpener

HOUR = timedelta(hours=1)


@dataclass
class Clock:
    """A clock that the test moves."""

    now = NOON

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ports(tmp_path, clock):
    opener = LocalOpener(tmp_path / "root")
    return opener.open()._replace(
        documents=opener.documents(clock), clock=clock, caller=Caller(LOCAL, "here")
    )


def made(ports, name="alice", lifetime=24 * HOUR, groups=frozenset({"lab"})):
    return tokens.create(Wanted(name, frozenset({Scope.READ}), groups, lifetime), ports)


def shown(text, ports):
    return tokens.principal_of(text, ports.documents, ports.clock())


def test_who_shows_a_token_is_who_it_was_made_for(ports):
    token, text = made(ports)
    principal = shown(text, ports)
    assert principal.name == f"alice ({token.id})"
    assert (principal.scopes, principal.groups) == ({Scope.READ}, {"lab"})
    assert (token.created_by, token.expires_at) == ("local", NOON + 24 * HOUR)


def test_what_is_kept_does_not_hold_the_secret(ports):
    token, text = made(ports)
    secret = text.rpartition(f"{token.id}_")[2]
    (kept,) = ports.documents.list(tokens.PARTITION)
    assert len(secret) == 43
    assert secret not in repr(kept)
    assert made(ports).token.salt != token.salt


@pytest.mark.parametrize("what", ["wrong", "unknown", "nonsense", "empty", "expired", "revoked"])
def test_a_token_that_is_not_good_is_refused_in_the_same_words(ports, clock, what):
    token, text = made(ports)
    another = made(ports).text
    match what:
        case "wrong":
            text = text[:24] + another[24:]
        case "unknown":
            text = "fw_" + "a" * 20 + text[23:]
        case "nonsense":
            text = "fw_nonsense"
        case "empty":
            text = ""
        case "expired":
            clock.now += 24 * HOUR
        case "revoked":
            tokens.revoke(token.id, ports)
    with pytest.raises(Unauthenticated, match="unknown, revoked or expired"):
        shown(text, ports)


def test_its_last_use_is_known_to_the_hour(ports, clock):
    _, text = made(ports)
    seen = []
    for minutes in (1, 30, 60, 61, 121):
        clock.now = NOON + timedelta(minutes=minutes)
        shown(text, ports)
        (token,) = tokens.list_tokens(ports.documents)
        seen.append((token.last_used_at - NOON) // timedelta(minutes=1))
    assert seen == [1, 1, 1, 61, 121]


class Unsaving:
    """Documents that can be read but not written."""

    def __init__(self, documents, error):
        self._documents = documents
        self._error = error

    def __getattr__(self, name):
        return getattr(self._documents, name)

    def save(self, *args, **kwargs):
        raise self._error


@pytest.mark.parametrize("error", [StaleDocument("x"), Unavailable("x")], ids=repr)
def test_a_token_is_good_though_its_use_cannot_be_noted(ports, error):
    token, text = made(ports)
    documents = Unsaving(ports.documents, error)
    assert tokens.principal_of(text, documents, NOON).name == f"alice ({token.id})"


def test_a_use_that_is_noted_while_it_is_revoked_does_not_bring_it_back(ports):
    token, text = made(ports)
    real = ports.documents

    class Revoking(Unsaving):
        def save(self, *args, **kwargs):
            tokens.revoke(token.id, ports)
            return real.save(*args, **kwargs)

    tokens.principal_of(text, Revoking(real, None), NOON)
    with pytest.raises(Unauthenticated):
        shown(text, ports)


def test_tokens_are_listed_in_pages_by_id(ports):
    ids = sorted(made(ports).token.id for _ in range(5))
    first = tokens.list_tokens(ports.documents, limit=3)
    rest = tokens.list_tokens(ports.documents, after=first[-1].id, limit=3)
    assert [token.id for token in first + rest] == ids


@pytest.mark.parametrize(
    ("lifetime", "kept"),
    [(HOUR, 2 * HOUR), (timedelta(days=90), timedelta(days=120))],
    ids=["short", "long"],
)
def test_one_that_has_expired_is_listed_for_a_while(ports, clock, lifetime, kept):
    made(ports, lifetime=lifetime)
    clock.now = NOON + kept - timedelta(seconds=1)
    assert len(tokens.list_tokens(ports.documents)) == 1
    clock.now = NOON + kept
    assert not tokens.list_tokens(ports.documents)


@pytest.mark.parametrize("token_id", ["a" * 20, "nope", "", "a" * 5000, "\ud800"], ids=repr)
def test_what_is_not_there_cannot_be_revoked(ports, token_id):
    with pytest.raises(NotFound):
        tokens.revoke(token_id, ports)


def test_the_log_tells_who_and_what_and_no_secret(ports, caplog):
    caplog.set_level(logging.DEBUG)
    token, text = made(ports)
    shown(text, ports)
    tokens.revoke(token.id, ports)
    assert caplog.messages == [
        f"token {token.id} (alice) was made by local",
        f"token {token.id} was revoked by local",
    ]
    assert text[24:] not in caplog.text
