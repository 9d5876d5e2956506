"""moto answers with our serializer what it answers with its own, and an item at a time."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from moto.core.responses import XFormedAttributePicker
from moto.core.serialize import JSONSerializer
from moto.core.utils import get_service_model
from moto.dynamodb.models.dynamo_type import DynamoType

from tests.clouds.moto_dynamodb import WireSerializer, is_plain

PLAIN = {
    "text": {"S": "é\u2028"},
    "no text": {"S": ""},
    "number": {"N": "1e3"},
    "true": {"BOOL": True},
    "null": {"NULL": True},
    "map": {"M": {"type": {"S": "x"}, "S": {"L": [{"N": "1"}, {"M": {}}]}}},
    "nothing in it": {"L": []},
}
OTHERS = {
    "bytes": {"B": b"\xff"},
    "set": {"SS": ["a", "b"]},
    "bytes deep down": {"L": [{"M": {"a": {"B": b"x"}}}]},
    "a number as one": {"N": 1},
    "moto's own": DynamoType({"S": "x"}),
    "moto's own deep down": {"L": [DynamoType({"N": "1"})]},
}


def answer(serializer: type[JSONSerializer], value: object) -> object:
    """The body of a GetItem that found one attribute."""
    model = get_service_model("dynamodb").operation_model("GetItem")
    picker = XFormedAttributePicker(response_transformers=None)
    made = serializer(operation_model=model, pretty_print=False, value_picker=picker)
    return json.loads(made.serialize({"Item": {"a": value}, "Secret": 1})["body"])


@pytest.mark.parametrize("value", [*PLAIN.values(), *OTHERS.values()], ids=[*PLAIN, *OTHERS])
def test_an_item_is_answered_as_moto_answers_it(value):
    assert answer(WireSerializer, value) == answer(JSONSerializer, value)


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_what_is_kept_as_on_the_wire_is_answered_as_it_is(value):
    assert is_plain(value)
    assert answer(WireSerializer, value) == {"Item": {"a": value}}


@pytest.mark.parametrize("value", OTHERS.values(), ids=OTHERS)
def test_moto_itself_is_asked_of_anything_else(value):
    assert not is_plain(value)
    assert not is_plain(SimpleNamespace(S="x"))
