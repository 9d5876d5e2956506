"""Keys, names, retry rows, and what Batch is sent: section by section."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.batch_rules import is_batch_name
from chalicelib.core.errors import InvalidRequest, StepFailed
from chalicelib.core.states import batch_forms, objects, responses
from chalicelib.core.states.retries import BATCH_RETRY, LAMBDA_RETRY, S3_RETRY

FS, POINT = "fs-0a1000000000000a", "fsap-0a1000000000000a"


class TestRetries:
    @pytest.mark.parametrize(
        ("row", "longest"),
        [
            (S3_RETRY, [3, 6, 12, 24, 48]),
            (BATCH_RETRY, [3, 6, 12, 24, 48, 96, 192]),
            (LAMBDA_RETRY, [2, 4, 8, 16, 32, 64]),
        ],
        ids=["S3", "Batch", "Lambda"],
    )
    def test_the_rows_are_those_of_the_table(self, row, longest):
        waits = [row.longest_wait_seconds(tried) for tried in range(1, row.tries + 1)]
        assert waits == longest

    def test_full_jitter_draws_from_nothing_on_and_lambda_does_not_draw(self):
        assert [S3_RETRY.wait_seconds(2, lot) for lot in (0, 0.5, 1)] == [0, 3, 6]
        assert {LAMBDA_RETRY.wait_seconds(2, lot) for lot in (0, 0.5, 1)} == {4}


class TestObjects:
    def test_request_and_response_lie_beside_each_other(self):
        place = objects.exchange("b", "scratch/", "run-1", "t")
        assert place.request == "s3://b/scratch/run-1/t/request.json"
        assert place.response == "s3://b/scratch/run-1/t/response.json"

    def test_a_task_has_a_uuid_of_its_own(self):
        mine = objects.task_id("u", "invoke")
        assert str(uuid.UUID(mine)) == mine == objects.task_id("u", "invoke")
        assert mine not in (objects.task_id("v", "invoke"), objects.task_id("u", "other"))

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("get data/stats", "get-data-stats"),
            ("-_a", "a"),
            ("äöü", "x"),
            ("", "x"),
            ("a_b", "a_b"),
        ],
    )
    def test_a_name_is_made_safe(self, text, name):
        assert objects.safe_name(text) == name

    @given(st.text(max_size=200))
    def test_making_safe_is_idempotent_and_makes_names(self, text):
        name = objects.safe_name(text)
        assert is_batch_name(name)
        assert objects.safe_name(name) == name

    @given(st.text(max_size=200), st.from_regex(r"[a-z2-7]{20}", fullmatch=True))
    def test_a_definition_keeps_its_mark_however_long_the_name(self, text, mark):
        name = objects.definition_name("dev", text, mark)
        assert is_batch_name(name)
        assert name.endswith(f"-{mark}")
        assert name.startswith("dev-")
        assert objects.definition_name("dev", f"dev-{mark}", mark) == f"dev-{mark}-{mark}"


class TestBatch:
    def test_variables_are_a_sorted_list_and_back(self):
        pairs = batch_forms.environment_pairs({"B": "2", "A": "1"})
        assert pairs == [{"Name": "A", "Value": "1"}, {"Name": "B", "Value": "2"}]
        assert batch_forms.environment_of(pairs) == {"A": "1", "B": "2"}
        assert batch_forms.environment_of([{"value": "1", "name": "A"}]) == {"A": "1"}
        assert batch_forms.environment_of({"A": "1"}) == {"A": "1"}

    @pytest.mark.parametrize(
        ("given_", "field"),
        [
            (5, ""),
            ([{"Name": "A"}], "0"),
            (["A=1"], "0"),
            ({"A": 1}, "A"),
            ([{"Name": "A", "Value": 1}], "A"),
            ([{"Name": 1, "Value": "A"}], "1"),
        ],
    )
    def test_what_is_no_environment_names_its_place(self, given_, field):
        with pytest.raises(InvalidRequest) as refused:
            batch_forms.environment_of(given_)
        assert refused.value.field == field
        assert refused.value.mend

    @given(st.dictionaries(st.text(min_size=1), st.text()))
    def test_an_environment_is_the_same_in_either_form(self, environment):
        pairs = batch_forms.environment_pairs(environment)
        assert batch_forms.environment_of(pairs) == environment

    @pytest.mark.parametrize(
        ("asked", "kinds"),
        [
            (("1024", "1", None), ["MEMORY", "VCPU"]),
            (("1024", "1", "0"), ["MEMORY", "VCPU"]),
            (("0", "0.0", "2"), ["GPU"]),
            (("0", None, None), []),
        ],
    )
    def test_zeros_ask_for_nothing_with_a_gpu_or_without(self, asked, kinds):
        assert [each["type"] for each in batch_forms.requirements(*asked)] == kinds

    def test_an_access_point_has_no_root_directory(self):
        config = batch_forms.MountPointConfig(
            file_system=FS, access_point=POINT, container_path="/opt/efs"
        )
        plain = batch_forms.MountPointConfig(file_system=FS, container_path="/data")
        points, volumes = batch_forms.mounted([config, plain])
        assert batch_forms.pascal(volumes) == [
            {"Name": "efs-vol0", "EfsVolumeConfiguration": {
                "FileSystemId": FS, "TransitEncryption": "ENABLED",
                "AuthorizationConfig": {"AccessPointId": POINT, "Iam": "DISABLED"}}},
            {"Name": "efs-vol1",
             "EfsVolumeConfiguration": {"FileSystemId": FS, "RootDirectory": "/"}},
        ]  # fmt: skip
        assert batch_forms.pascal(points)[0] == {
            "ContainerPath": "/opt/efs", "SourceVolume": "efs-vol0", "ReadOnly": False,
        }  # fmt: skip
        assert batch_forms.camel(batch_forms.pascal(volumes)) == list(volumes)

    @pytest.mark.parametrize(
        ("efs", "told"),
        [
            ({"fileSystemId": FS}, "ENABLED"),
            ({"fileSystemId": FS, "transitEncryption": "ENABLED"}, "ENABLED"),
            ({"fileSystemId": FS, "transitEncryption": "DISABLED"}, "DISABLED"),
        ],
        ids=["nothing said", "said", "another one said"],
    )
    def test_batch_is_told_to_encrypt_unless_the_volume_says_otherwise(self, efs, told):
        host = {"name": "h", "host": {"sourcePath": "/x"}}
        volume = {"name": "v", "efsVolumeConfiguration": efs}
        sent = batch_forms.encrypted([host, volume])
        assert sent == [
            host, {"name": "v", "efsVolumeConfiguration": {**efs, "transitEncryption": told}},
        ]  # fmt: skip

    @given(st.recursive(st.none(), lambda x: st.lists(x) | st.dictionaries(st.from_regex(
        r"[A-Za-z]{0,4}", fullmatch=True), x), max_leaves=5))  # fmt: skip
    def test_respelling_twice_is_respelling_once(self, tree):
        assert batch_forms.camel(batch_forms.camel(tree)) == batch_forms.camel(tree)
        assert batch_forms.pascal(batch_forms.camel(tree)) == batch_forms.pascal(tree)


class TestResponses:
    def test_a_response_is_any_json_and_a_text_object_is_told_as_such(self):
        assert responses.parsed("r", b'\xef\xbb\xbf{"a": null}', is_json=True) == {"a": None}
        assert responses.parsed("r", "ä".encode(), is_json=False) == {"Body": "ä"}

    @pytest.mark.parametrize(
        ("content", "is_json", "told"),
        [
            (b"", True, "is not JSON"),
            (b"{", True, "it begins '{'"),
            (b'{"a": NaN}', True, "is not JSON"),
            (b"\xff", True, "UTF-8"),
            (b"\xff", False, "is not text in UTF-8"),
            (b"[" * 100_000, True, "nested"),
        ],
    )
    def test_what_is_none_is_told_with_its_beginning(self, content, is_json, told):
        with pytest.raises(StepFailed) as failed:
            responses.parsed("r", content, is_json=is_json)
        assert told in str(failed.value)
        assert failed.value.cause == "bad_response"

    @given(st.from_regex(r"[A-Za-z_.]{1,20}", fullmatch=True), st.text())
    def test_the_name_of_what_a_function_raised_is_read_back(self, error, message):
        told = str(responses.raised("f", error, message))
        assert responses.error_of(told) == error
        assert responses.error_of("anything else") is None
