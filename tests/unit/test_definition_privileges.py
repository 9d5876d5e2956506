"""Privilege and secrets of a job definition, whoever made it: only what the site allows."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from chalicelib.core.definition_rights import check_rights
from chalicelib.core.errors import Forbidden
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site

SECRETS = "arn:aws:secretsmanager:us-east-1:123456789012:secret:"
TEAM = (f"{SECRETS}team/",)


def a_definition(**told):
    return JobDefinition(name="d", image="i", **told)


@pytest.mark.parametrize(
    ("is_asked", "is_allowed", "is_refused"),
    [(True, False, True), (True, True, False), (False, False, False)],
    ids=["where it is not", "where it is", "who asks for none"],
)
def test_privilege_is_had_only_where_it_is_allowed(is_asked, is_allowed, is_refused):
    refused = pytest.raises(Forbidden) if is_refused else nullcontext()
    with refused as caught:
        check_rights(a_definition(privileged=is_asked), Site(allow_privileged=is_allowed))
    assert not is_refused or caught.value.field == "privileged"


@pytest.mark.parametrize(
    ("allowed", "secret", "is_refused"),
    [
        (TEAM, "team/key", False),
        (TEAM, "others/key", True),
        ((), "team/key", True),
    ],
    ids=["below one that is", "elsewhere", "where none is"],
)
def test_secrets_are_had_only_below_those_that_are_allowed(allowed, secret, is_refused):
    definition = a_definition(secrets={"KEY": SECRETS + secret})
    refused = pytest.raises(Forbidden) if is_refused else nullcontext()
    with refused as caught:
        check_rights(definition, Site(allowed_secrets=allowed))
    if is_refused:
        assert str(caught.value).startswith("the site does not allow the secret of KEY")
        assert (caught.value.field, caught.value.value) == ("job_definition", SECRETS + secret)
        assert "allowed_secrets" in caught.value.mend


def test_the_refusal_names_the_field_that_the_caller_says_names_the_secrets():
    with pytest.raises(Forbidden) as caught:
        check_rights(a_definition(secrets={"K": "x"}), Site(), secrets="options.secrets")
    assert caught.value.field == "options.secrets"
