"""Identities of AWS, and the principals that the site makes of them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from chalicelib.core.errors import Forbidden
from chalicelib.core.identities import principal_of
from chalicelib.core.principals import Scope
from chalicelib.core.site import Site
from chalicelib.settings import load

IAM = "arn:aws:iam::123456789012"
STS = "arn:aws:sts::123456789012"
READ = {"scopes": ["read"], "groups": ["lab"]}
ADMIN = {"scopes": ["admin"], "groups": None}


def known(identities, arn):
    """The scopes that the site gives the identity; None if it is nobody."""
    try:
        return set(principal_of(arn, Site(identities=identities).identities).scopes)
    except Forbidden:
        return None


@pytest.mark.parametrize(
    ("pattern", "arn", "is_known"),
    [
        (f"{IAM}:user/alice", f"{IAM}:user/alice", True),
        (f"{IAM}:user/alice", f"{IAM}:user/alice2", False),
        (f"{IAM}:user/alice", "arn:aws:iam::999999999999:user/alice", False),
        (f"{IAM}:user/lab/*", f"{IAM}:user/lab/deep/bob", True),
        (f"{IAM}:user/lab/*", f"{IAM}:user/bob", False),
        (f"{IAM}:role/Worker", f"{STS}:assumed-role/Worker/i-0abc", True),
        (f"{IAM}:role/Worker", f"{STS}:assumed-role/Worker2/Worker", False),
        (f"{IAM}:role/Worker", f"{STS}:assumed-role/Other/role/Worker", False),
        (f"{IAM}:role/*Ops", f"{STS}:assumed-role/TeamOps/x", True),
        (f"{IAM}:role/*", f"{IAM}:user/alice", False),
        (f"{IAM}:*", f"{STS}:assumed-role/Any/x", True),
        (f"{STS}:federated-user/eve", f"{STS}:federated-user/eve", True),
        (f"{IAM}:root", f"{IAM}:root", True),
        (f"{IAM}:user/a.c", f"{IAM}:user/abc", False),
        ("arn:aws-cn:iam::123456789012:role/R", "arn:aws-cn:sts::123456789012:assumed-role/R/s",
         True),
        (f"{IAM}:role/R", "arn:aws-cn:sts::123456789012:assumed-role/R/s", False),
    ],
)  # fmt: skip
def test_a_pattern_matches_whole_arns_of_its_account(pattern, arn, is_known):
    assert (known({pattern: READ}, arn) is not None) is is_known


def test_without_identities_nobody_is_known():
    assert known({}, f"{IAM}:root") is None


@pytest.mark.parametrize(
    "identities",
    [
        {f"{IAM}:*": READ, f"{IAM}:role/Ops": ADMIN},
        {f"{IAM}:role/*p*": READ, f"{IAM}:role/Ops": ADMIN},
        {f"{IAM}:role/***Op***": READ, f"{IAM}:role/Op*": ADMIN},
        {f"{IAM}:role/*s": READ, f"{IAM}:role/Op*": ADMIN},
    ],
    ids=["account", "many stars", "stars do not count", "two of them"],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_the_closest_pattern_counts_alone(identities, is_reversed):
    ordered = dict(reversed(identities.items())) if is_reversed else identities
    assert known(ordered, f"{STS}:assumed-role/Ops/x") == {Scope.ADMIN}


def test_a_session_keeps_its_name_for_audits_and_nothing_else():
    identities = Site(identities={f"{IAM}:role/Worker": READ}).identities
    principal = principal_of(f"{STS}:assumed-role/Worker/alice@example.org", identities)
    assert principal.name == "123456789012:assumed-role/Worker/alice@example.org"
    assert (principal.scopes, principal.groups) == ({Scope.READ}, {"lab"})


def test_a_long_name_keeps_its_end():
    identities = Site(identities={f"{IAM}:*": READ}).identities
    name = principal_of(f"{IAM}:user/{'x' * 512}/alice", identities).name
    assert (len(name), name[-7:]) == (150, "x/alice")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("*", "no ARN"),
        ("arn:aws:iam::*:role/R", "no ARN"),
        ("arn:aws:s3:::bucket", "no ARN"),
        (f"{IAM}:role/a b", "no ARN"),
        (f"{IAM}:role/path/R", "name alone"),
        (f"{STS}:assumed-role/R/session", "name alone"),
        (f"{STS}:assumed-role/R/*", "name alone"),
    ],
)
def test_a_pattern_that_would_match_nobody_or_anybody_is_refused(pattern, said):
    with pytest.raises(ValidationError, match=said):
        Site(identities={pattern: READ})


@pytest.mark.parametrize(
    "grant",
    [{"scopes": ["read"]}, {"groups": None}, {"scopes": [], "groups": None},
     {"scopes": ["read"], "groups": ["a b"]}, {**READ, "group": "x"}],
    ids=str,
)  # fmt: skip
def test_a_grant_says_both_what_and_whose(grant):
    with pytest.raises(ValidationError):
        Site(identities={f"{IAM}:root": grant})


def test_they_come_from_the_environment():
    told = f'{{"{IAM}:role/R": {{"scopes": ["read"], "groups": ["lab"]}}}}'
    site = load({}, {"FALSEWORK_IDENTITIES": told}).site
    assert site.identities[f"{IAM}:role/R"].groups == {"lab"}
