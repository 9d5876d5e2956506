"""A new token is never more than whoever asks for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chalicelib.core.errors import Forbidden, InvalidRequest
from chalicelib.core.grants import LONGEST, SHORT, TokenRequest, Wanted, wanted_by
from chalicelib.core.principals import Principal, Scope

SCOPES = st.frozensets(st.sampled_from(list(Scope)), min_size=1)
GROUPS = st.none() | st.frozensets(st.sampled_from(["a", "b", "c"]))


@st.composite
def askers(draw):
    return Principal(name="asker", scopes=draw(SCOPES), groups=draw(GROUPS))


@st.composite
def requests(draw):
    fields = {
        "name": st.sampled_from(["asker", "other"]),
        "scopes": SCOPES,
        "groups": GROUPS,
        "lifetime_seconds": st.integers(1, int(LONGEST.total_seconds())),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(fields))))
    return TokenRequest(**{name: draw(fields[name]) for name in chosen})


def an_asker(*scopes, groups=frozenset({"a", "b"})):
    return Principal(name="asker", scopes=frozenset(scopes), groups=groups)


@given(askers(), requests())
def test_no_token_may_or_sees_what_its_asker_does_not(asker, request):
    try:
        wanted = wanted_by(asker, request)
    except Forbidden:
        return
    assert all(asker.may(scope) for scope in wanted.scopes)
    assert asker.groups is None or (wanted.groups is not None and wanted.groups <= asker.groups)
    assert timedelta(0) < wanted.lifetime <= LONGEST
    assert asker.may(Scope.ADMIN) or (wanted.lifetime <= SHORT and wanted.name == "asker")


@given(askers())
def test_who_says_nothing_gets_a_short_lived_token_that_is_what_they_are(asker):
    assert wanted_by(asker, TokenRequest()) == Wanted("asker", asker.scopes, asker.groups, SHORT)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"scopes": ["admin"]}, "scopes"),
        ({"scopes": ["read", "submit"]}, "scopes"),
        ({"groups": None}, "groups"),
        ({"groups": ["a", "c"]}, "groups"),
        ({"lifetime_seconds": 3601}, "lifetime_seconds"),
        ({"name": "somebody else"}, "name"),
    ],
    ids=str,
)
def test_what_is_too_much_is_named_with_its_mend(asked, field):
    with pytest.raises(Forbidden) as caught:
        wanted_by(an_asker(Scope.READ), TokenRequest.model_validate(asked))
    assert (caught.value.field, bool(caught.value.mend)) == (field, True)


@pytest.mark.parametrize(
    "asked",
    [
        {"scopes": ["submit"], "groups": ["b"]},
        {"groups": []},
        {"name": "somebody else", "lifetime_seconds": 86_400},
    ],
    ids=str,
)
def test_an_admin_may_give_what_they_have(asked):
    wanted = wanted_by(an_asker(Scope.ADMIN), TokenRequest.model_validate(asked))
    assert wanted.name == asked.get("name", "asker")
    assert wanted.groups == frozenset(asked.get("groups", ["a", "b"]))


def test_an_admin_of_some_groups_makes_no_token_of_all():
    for groups in (None, {"c"}):
        with pytest.raises(Forbidden):
            wanted_by(an_asker(Scope.ADMIN), TokenRequest(groups=groups))


def test_nobody_makes_a_token_for_ever():
    asker = an_asker(Scope.ADMIN, groups=None)
    seconds = int(LONGEST.total_seconds())
    assert wanted_by(asker, TokenRequest(lifetime_seconds=seconds)).lifetime == LONGEST
    with pytest.raises(InvalidRequest, match="at most") as caught:
        wanted_by(asker, TokenRequest(lifetime_seconds=seconds + 1))
    assert caught.value.field == "lifetime_seconds"


@pytest.mark.parametrize(
    "asked",
    [
        {"scopes": []},
        {"scopes": ["write"]},
        {"groups": ["a b"]},
        {"groups": [""]},
        {"lifetime_seconds": 0},
        {"lifetime_seconds": True},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 171},
        {"days": 3},
    ],
    ids=lambda asked: str(asked)[:40],
)
def test_what_is_no_request_is_refused(asked):
    with pytest.raises(ValidationError):
        TokenRequest.model_validate(asked)
