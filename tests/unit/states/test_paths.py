"""Reference paths and parameter trees: the page's own examples, and the laws behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.errors import InvalidRequest
from chalicelib.core.states import paths
from chalicelib.core.states.intrinsics import Scope
from chalicelib.core.states.templates import parameters, resolved

TEXTS = st.text(alphabet="$.ab[", max_size=12)
NAMES = st.lists(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), min_size=1, max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True), VALUES, max_size=4)


class TestText:
    @pytest.mark.parametrize(
        ("text", "bare"),
        [("$.a..b.", "a.b"), ("$", ""), ("", ""), ("$$.a", "a"), ("a", "a"), ("..$..", "")],
    )
    def test_signs_become_one_dot_and_none_at_the_ends(self, text, bare):
        assert paths.normalised(text) == bare

    @pytest.mark.parametrize(("left", "right", "both"), [("$.a", "$.b", "a.b"), ("$", "x", "x")])
    def test_paths_are_joined_with_one_dot(self, left, right, both):
        assert paths.joined(left, right) == both

    def test_a_path_is_a_key_and_a_reference(self):
        assert (paths.as_key("$.a.b"), paths.as_reference("a.b")) == ("a.b.$", "$.a.b")
        assert paths.as_reference("") == paths.as_reference("$") == "$"

    @given(TEXTS)
    def test_what_is_normal_stays_so(self, text):
        assert paths.normalised(paths.normalised(text)) == paths.normalised(text)
        assert paths.normalised(paths.as_reference(text)) == paths.normalised(text)

    @given(TEXTS, TEXTS, TEXTS)
    def test_joining_is_associative_and_the_root_is_nothing(self, a, b, c):
        assert paths.joined(paths.joined(a, b), c) == paths.joined(a, paths.joined(b, c))
        assert paths.joined("$", a) == paths.joined(a, "$") == paths.normalised(a)


class TestPlaces:
    DOCUMENT = {"a": {"b": [1, {"c": None}]}, "d e": 2, "r": [{"Value": 0}, {"Value": "1"}]}

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("$", DOCUMENT),
            ("$.a.b", [1, {"c": None}]),
            ("$.a.b[0]", 1),
            ("$.a.b[-1].c", None),
            ("$['d e']", 2),
            ("$['a'].b[1]['c']", None),
        ],
    )
    def test_a_value_is_read(self, path, value):
        assert paths.read(self.DOCUMENT, path) == value
        assert paths.is_present(self.DOCUMENT, path)

    @pytest.mark.parametrize("path", ["$.x", "$.a.b[2]", "$.a[0]", "$.a.b.c", "$.a.b[-3]"])
    def test_where_nothing_is_the_path_is_named(self, path):
        with pytest.raises(InvalidRequest, match="there is nothing at") as refused:
            paths.read(self.DOCUMENT, path)
        assert refused.value.field == path
        assert not paths.is_present(self.DOCUMENT, path)

    @pytest.mark.parametrize("path", ["", "a", "$a", "$.", "$..a", "$.a[", "$.a[x]", "$.a[?(x)]"])
    def test_what_is_no_path_is_refused_even_as_a_question(self, path):
        with pytest.raises(InvalidRequest, match="is not a path"):
            paths.is_present(self.DOCUMENT, path)

    def test_zeros_are_filtered_out_as_numbers_and_as_texts(self):
        values = [0, "0", 1, "1", None, False, 0.0]
        listed = {"r": [{"Type": "GPU", "Value": each} for each in values]}
        found = paths.read(listed, "$.r[?(@.Value != 0 && @.Value != '0')]")
        assert [each["Value"] for each in found] == [1, "1", None, False]

    def test_an_element_without_the_member_is_not_found(self):
        assert paths.read({"r": [{"a": 1}, 5, {"Value": 2}]}, "$.r[?(@.Value != 0)]") == [
            {"Value": 2}
        ]
        with pytest.raises(InvalidRequest, match="ends a path"):
            paths.read(self.DOCUMENT, "$.r[?(@.Value == 0)].Value")

    @given(OBJECTS, NAMES, VALUES)
    def test_what_was_put_is_read_again_and_nothing_else_changes(self, document, names, value):
        path = "$." + ".".join(names)
        try:
            changed = paths.put(document, path, value)
        except InvalidRequest:
            return
        assert paths.read(changed, path) == value
        assert {k: v for k, v in changed.items() if k != names[0]} == {
            k: v for k, v in document.items() if k != names[0]
        }

    def test_the_root_is_replaced_and_null_throws_away(self):
        assert paths.put({"a": 1}, "$", [2]) == [2]
        assert paths.put({"a": 1}, None, [2]) == {"a": 1}

    @pytest.mark.parametrize(("document", "path"), [({"a": 1}, "$.a.b"), ({"a": [1]}, "$.a[0]")])
    def test_values_are_put_at_members_of_objects_only(self, document, path):
        with pytest.raises(InvalidRequest):
            paths.put(document, path, 5)


class TestTrees:
    def test_references_move_under_keys_that_say_so(self):
        tree = {"a": "$.x", "b": "plain", "c": [{"d": "States.UUID()"}, 1], "e": {"f": "$"}}
        assert parameters(tree) == {
            "a.$": "$.x",
            "b": "plain",
            "c": [{"d.$": "States.UUID()"}, 1],
            "e": {"f.$": "$"},
        }

    def test_a_token_of_the_cdk_is_no_reference(self):
        assert parameters({"a": "${Token[TOKEN.5]}"}) == {"a": "${Token[TOKEN.5]}"}

    def test_a_list_may_hold_references(self):
        tree = {"a": ["$.x", "it's \\", 1, None, True]}
        assert parameters(tree) == {
            "a.$": "States.Array($.x, 'it\\'s \\\\', 1, null, true)",
        }
        assert resolved(parameters(tree), Scope({"x": 5})) == {"a": [5, "it's \\", 1, None, True]}
        with pytest.raises(InvalidRequest) as refused:
            parameters({"a": ["$.x", {}]})
        assert refused.value.field == "a"

    @given(VALUES)
    def test_moving_twice_is_moving_once(self, tree):
        try:
            once = parameters(tree)
        except InvalidRequest:
            return
        assert parameters(once) == once

    def test_both_notations_mean_the_same(self):
        scope = Scope({"x": {"y": 5}}, {"Execution": {"Name": "run"}})
        tree = {"a": "$.x.y", "b": [{"c": "$$.Execution.Name"}], "d": "States.Format('{}', 1)"}
        expected = {"a": 5, "b": [{"c": "run"}], "d": "1"}
        assert resolved(tree, scope) == resolved(parameters(tree), scope) == expected

    @pytest.mark.parametrize(
        ("tree", "field"),
        [
            ({"a": {"b": "$.none"}}, "a.b.$.none"),
            ({"a": [0, "$.none"]}, "a.1.$.none"),
            ({"a": 1, "a.$": "$"}, "a"),
            ({"a.$": "plain"}, "a"),
            ({"a.$": 5}, "a"),
        ],
    )
    def test_a_tree_that_cannot_be_filled_names_the_place(self, tree, field):
        with pytest.raises(InvalidRequest) as refused:
            resolved(tree, Scope({}))
        assert refused.value.field == field
        assert refused.value.mend
