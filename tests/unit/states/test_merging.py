"""``merge_defaults``, every aspect of its table, and ``enclose``."""

from __future__ import annotations

import pytest
from hypothesis import given

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states.intrinsics import Scope
from chalicelib.core.states.merging import enclose, merge_defaults, merged
from tests.unit.states.test_paths import OBJECTS, VALUES


class TestMergeDefaults:
    def test_the_worked_example(self):
        document = {"in": {"x": 5, "t": {"a": 9}}}
        found = merge_defaults(
            document, {"a": 1, "b": "$.x"}, input_path="$.in", target_path="$.t"
        )
        assert found == {"in": {"x": 5, "t": {"a": 9, "b": 5}}}
        assert document == {"in": {"x": 5, "t": {"a": 9}}}

    def test_without_paths_the_document_is_the_target(self):
        assert merge_defaults({"a": 9}, {"a": 1, "b": 2}) == {"a": 9, "b": 2}

    def test_the_defaults_may_be_preferred(self):
        found = merge_defaults({"a": 9, "c": 3}, {"a": 1}, order_of_preference="default")
        assert found == {"a": 1, "c": 3}

    def test_a_missing_target_is_an_error_or_with_the_check_empty(self):
        with pytest.raises(InvalidRequest) as refused:
            merge_defaults({}, {"a": 1}, target_path="$.t")
        assert refused.value.field == "$.t"
        found = merge_defaults({}, {"a": 1}, target_path="$.t", check_if_target_present=True)
        assert found == {"t": {"a": 1}}

    def test_a_missing_input_is_an_error_in_any_case(self):
        with pytest.raises(InvalidRequest):
            merge_defaults({}, {"a": 1}, input_path="$.in", check_if_target_present=True)

    def test_references_in_the_defaults_are_relative_to_the_input(self):
        scope = Scope({"x": "not this"}, {"Execution": {"Name": "r"}}, lambda: "u")
        defaults = {"b": {"c": ["$.x"]}, "n": "$$.Execution.Name", "u": "States.UUID()"}
        found = merge_defaults({"x": 0, "in": {"x": 5}}, defaults, input_path="$.in", scope=scope)
        assert found["in"] == {"x": 5, "b": {"c": [5]}, "n": "r", "u": "u"}

    def test_members_are_taken_whole(self):
        assert merge_defaults({"a": {"x": 1}}, {"a": {"y": 2}}) == {"a": {"x": 1}}

    def test_null_in_the_target_wins(self):
        assert merge_defaults({"a": None}, {"a": 1}) == {"a": None}

    def test_the_result_may_go_elsewhere(self):
        found = merge_defaults({"t": {"a": 1}}, {"b": 2}, target_path="$.t", result_path="$.r.s")
        assert found == {"t": {"a": 1}, "r": {"s": {"a": 1, "b": 2}}}

    @pytest.mark.parametrize("target", [None, 5, [1], "text"])
    def test_a_target_that_is_no_object_is_refused(self, target):
        with pytest.raises(InvalidRequest, match="an object only") as refused:
            merge_defaults({"t": target}, {}, target_path="$.t", check_if_target_present=True)
        assert refused.value.field == "$.t"

    def test_there_are_two_orders_of_preference(self):
        with pytest.raises(InvalidRequest, match="newest") as refused:
            merge_defaults({}, {}, order_of_preference="newest")
        assert refused.value.field == "order_of_preference"

    @given(OBJECTS, OBJECTS, OBJECTS)
    def test_merging_is_associative_for_every_key(self, a, b, c):
        assert merged(merged(a, b), c) == merged(a, merged(b, c))

    @given(OBJECTS, OBJECTS)
    def test_each_member_is_one_of_the_two_and_the_orders_mirror_each_other(self, a, b):
        found = merged(a, b)
        assert found.keys() == a.keys() | b.keys()
        assert all(found[key] == (b[key] if key in b else a[key]) for key in found)
        assert merged(a, b, "default") == merged(b, a)
        assert merged(found, found) == merged(a, found) == merged({}, found) == found


class TestEnclose:
    def test_the_worked_example(self):
        found = enclose({"a": 1, "z": 0}, lambda x: x, input_path="$.a", result_path="$.b")
        assert found == {"a": 1, "z": 0, "b": 1}

    def test_the_output_takes_the_inputs_place(self):
        assert enclose({"a": 1}, lambda x: [x], input_path="$.a") == {"a": [1]}
        assert enclose({"a": 1}, lambda _: 5) == 5

    def test_the_chain_sees_its_input_only(self):
        seen = []
        enclose({"a": {"b": 1}, "z": 0}, seen.append, input_path="$.a")
        assert seen == [{"b": 1}]

    def test_what_it_raises_passes_through(self):
        with pytest.raises(ZeroDivisionError):
            enclose({}, lambda _: 1 / 0)

    @given(OBJECTS, VALUES)
    def test_enclosing_nothing_changes_nothing(self, document, value):
        document = {**document, "a": value}
        assert enclose(document, lambda x: x, input_path="$.a") == document
