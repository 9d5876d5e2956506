"""The table that the code expects is the one that the template makes."""

from __future__ import annotations

import pytest

from chalicelib.aws.expressions import BASE
from chalicelib.aws.run_indexes import BY_CHECK_TIME, BY_DAY, BY_GROUP, BY_STATE
from chalicelib.aws.table import Key, Table
from infra.templates import read as template
from tests.clouds.clients import client
from tests.clouds.foundation import table_properties
from tests.contract.openers import NOON


def keys(schema):
    return [(key["AttributeName"], key["KeyType"]) for key in schema]


INDEXES = [BY_CHECK_TIME, BY_DAY, BY_GROUP, BY_STATE]


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: index.name)
def test_every_index_is_in_the_template(index):
    indexes = {each["IndexName"]: each for each in table_properties()["GlobalSecondaryIndexes"]}
    assert set(indexes) == {each.name for each in INDEXES}
    expected = [(index.partition, "HASH"), (index.sort, "RANGE")]
    assert keys(indexes[index.name]["KeySchema"]) == expected


def test_the_table_survives_its_stack_and_forgets_by_itself():
    table = template()["Resources"]["Table"]
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Retain", "Retain")
    told = table["Properties"]
    assert keys(told["KeySchema"]) == [(BASE.partition, "HASH"), (BASE.sort, "RANGE")]
    assert told["BillingMode"] == "PAY_PER_REQUEST"
    assert told["SSESpecification"] == {"SSEEnabled": True}
    assert told["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert told["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_every_parameter_has_a_default():
    assert all("Default" in parameter for parameter in template()["Parameters"].values())


def test_what_is_short_lived_says_when_it_may_go(opener):
    ports = opener.open()
    ports.claims.claim("job", 0, "id", 1)
    ports.pace.admit(NOON)
    table = Table(client("dynamodb", opener.endpoint), opener.table)
    claim = table.get(Key("claim#job", "0"))
    second = int(NOON.timestamp())
    turn = table.get(Key(f"pace#submit#{second}", "pace"))
    assert claim["expires_at"] == second + 30 * 24 * 3600
    assert (turn["n"], turn["expires_at"]) == (1, second + 3600)
