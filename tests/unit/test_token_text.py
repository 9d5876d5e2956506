"""A token's text, and what is kept of it."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.principals import Principal, Scope
from chalicelib.core.tokens import (
    Shown,
    Token,
    digest_of,
    is_ours,
    is_token_id,
    read_token,
    token_text,
)

AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ID, SECRET, SALT = "abcdefghij234567abcd", "S" * 43, "salt"
IDS = st.text(alphabet=string.ascii_lowercase + "234567", min_size=20, max_size=20)
SECRETS = st.text(alphabet=string.ascii_letters + string.digits + "-_", min_size=43, max_size=43)


def a_token(**changes):
    return Token.model_validate(
        {
            "id": ID,
            "name": "alice",
            "salt": SALT,
            "digest": digest_of(SALT, SECRET),
            "scopes": [Scope.READ],
            "groups": ["b", "a"],
            "created_at": AT,
            "created_by": "local",
            "expires_at": AT + timedelta(days=1),
            **changes,
        }
    )


@given(IDS, SECRETS)
def test_the_parts_of_a_text_come_back(token_id, secret):
    text = token_text(token_id, secret)
    assert read_token(text) == Shown(token_id, secret)
    assert is_ours(text)
    assert is_token_id(token_id)


@given(st.text())
def test_any_other_text_is_no_token(text):
    shown = read_token(text)
    assert shown is None or token_text(*shown) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fw_",
        token_text(ID, SECRET) + "\n",
        " " + token_text(ID, SECRET),
        token_text(ID, SECRET)[:-1],
        token_text(ID, SECRET) + "x",
        token_text(ID.upper(), SECRET),
        token_text(ID, SECRET[:-1] + "é"),
        token_text(ID, SECRET).replace("fw_", "gh_", 1),
    ],
    ids=repr,
)
def test_what_is_nearly_a_token_is_none(text):
    assert read_token(text) is None


@pytest.mark.parametrize("text", ["", "nope", ID + "\n", ID[:-1], "../x", ID.upper()], ids=repr)
def test_what_no_token_is_called_is_no_id(text):
    assert not is_token_id(text)


@given(SECRETS)
def test_no_other_secret_shows_the_token(secret):
    assert a_token().is_shown_by(secret, AT) is (secret == SECRET)


def test_a_digest_depends_on_the_salt():
    assert digest_of("a", SECRET) != digest_of("b", SECRET)


@pytest.mark.parametrize(
    ("seconds", "is_good"), [(86_399, True), (86_400, False), (86_401, False)], ids=str
)
def test_a_token_is_good_until_it_expires(seconds, is_good):
    assert a_token().is_shown_by(SECRET, AT + timedelta(seconds=seconds)) is is_good


@pytest.mark.parametrize(
    ("last", "is_news"), [(None, True), (3599, False), (3600, True)], ids=["never", "1 h ago", "x"]
)
def test_its_use_is_noted_once_an_hour(last, is_news):
    used_at = None if last is None else AT - timedelta(seconds=last)
    assert a_token(last_used_at=used_at).is_use_news(AT) is is_news


def test_whoever_shows_it_has_its_scopes_and_groups_and_its_id_in_the_name():
    assert a_token().principal == Principal(
        name=f"alice ({ID})",
        user="alice",
        scopes=frozenset({Scope.READ}),
        groups=frozenset({"a", "b"}),
    )


def test_what_is_shown_of_it_holds_neither_salt_nor_digest():
    assert a_token().view() == {
        "id": ID,
        "name": "alice",
        "scopes": ["read"],
        "groups": ["a", "b"],
        "created_at": "2026-05-01T12:00:00Z",
        "created_by": "local",
        "expires_at": "2026-05-02T12:00:00Z",
        "last_used_at": None,
    }
    assert a_token(groups=None).view()["groups"] is None
