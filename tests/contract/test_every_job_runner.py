"""What every JobRunner does, here and on Batch; what only this home does is beside it.

Moto ends a job while it is submitted and knows no attempts, so nothing here asks how a job is.
"""

from __future__ import annotations

import json

import pytest

from chalicelib.core.errors import Refused
from chalicelib.core.job_state import JobStatus
from tests.contract import aws_places
from tests.contract.openers import LocalOpener
from tests.contract.sample_jobs import a_definition, a_job


@pytest.fixture(params=["local", "aws"])
def jobs(request, tmp_path):
    if request.param == "local":
        yield LocalOpener(tmp_path / "root").open().jobs
        return
    with aws_places.moto_account():
        yield aws_places.job_runner()


@pytest.fixture
def arn(jobs):
    return jobs.define(a_definition())


# --- definitions


def test_the_same_content_is_found_again(jobs):
    arn = jobs.define(a_definition())
    assert arn.endswith(":job-definition/dev-x:1")
    assert jobs.define(a_definition()) == arn


def test_another_content_is_another_revision_and_the_old_one_stays(jobs):
    first = jobs.define(a_definition())
    second = jobs.define(a_definition(command=("false",)))
    assert second.endswith("/dev-x:2")
    assert jobs.define(a_definition(name="other")).endswith("/other:1")
    assert jobs.define(a_definition()) == first
    assert jobs.define(a_definition(command=("false",))) == second


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"name": "-x"}, "name", id="sign first"),
        pytest.param({"name": "a.b"}, "name", id="dot"),
        pytest.param({"name": "a" * 129}, "name", id="long name"),
        pytest.param({"name": "a\n"}, "name", id="line break"),
        pytest.param({"command": ("x" * 25_000,)}, "larger", id="size"),
    ],
)
def test_a_definition_that_batch_would_not_take_is_refused(jobs, fields, words):
    with pytest.raises(Refused, match=words):
        jobs.define(a_definition(**fields))


# --- submissions


def test_a_submitted_job_is_seen_by_id_and_by_name(jobs, arn):
    job_id = jobs.submit(a_job(arn, environment={"FALSEWORK_RUN_ID": "r1"}))
    (seen,) = jobs.describe([job_id])
    assert (seen.job_id, seen.name, seen.run_id) == (job_id, "falsework-job-1", "r1")
    assert seen.queue.rpartition("/")[2] == "default"
    assert jobs.find("default", "falsework-job-1") == (seen,)


def test_two_jobs_may_bear_one_name(jobs, arn):
    ids = [jobs.submit(a_job(arn)) for _ in range(3)]
    assert len(set(ids)) == 3
    found = jobs.find("default", "falsework-job-1")
    assert sorted(seen.job_id for seen in found) == sorted(ids)


@pytest.mark.parametrize(
    "name", ["falsework-job", "falsework-job-11", "Falsework-Job-1", "falsework*", "%", ""]
)
def test_only_the_exact_name_is_found(jobs, arn, name):
    jobs.submit(a_job(arn))
    assert jobs.find("default", name) == ()


def test_an_unknown_queue_holds_nothing(jobs, arn):
    jobs.submit(a_job(arn))
    assert jobs.find("other", "falsework-job-1") == ()


def test_unknown_ids_are_left_out(jobs, arn):
    job_id = jobs.submit(a_job(arn))
    assert [seen.job_id for seen in jobs.describe(["no", job_id, "nor this"])] == [job_id]
    assert jobs.describe([]) == ()
    assert jobs.describe(["x"] * 100) == ()


def exact_environment(total: int) -> dict[str, str]:
    """Return one variable with which the overrides have that many bytes as JSON."""
    overrides = {"environment": [{"name": "A", "value": ""}], "resourceRequirements": []}
    return {"A": "x" * (total - len(json.dumps(overrides, separators=(",", ":"))))}


def test_overrides_of_8192_bytes_are_taken(jobs, arn):
    assert jobs.submit(a_job(arn, environment=exact_environment(8192)))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"queue": "other"}, "queue", id="queue"),
        pytest.param({"definition_arn": "dev-y"}, "definition", id="definition"),
        pytest.param({"name": "a.b"}, "name", id="dot"),
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": "a" * 129}, "name", id="long name"),
        pytest.param({"environment": exact_environment(8193)}, "8192", id="overrides"),
        pytest.param({"command": ("é" * 4096,)}, "8192", id="bytes, not characters"),
        pytest.param({"environment": {"AWS_BATCH_X": "1"}}, "AWS_BATCH", id="reserved"),
        pytest.param({"environment": {"A": "\0"}}, "NUL", id="NUL"),
        pytest.param({"environment": {"A=B": ""}}, "=", id="equals sign"),
    ],
)
def test_a_job_that_batch_would_not_take_is_refused_and_is_not_there(jobs, arn, fields, words):
    with pytest.raises(Refused, match=words):
        jobs.submit(a_job(arn, **fields))
    assert jobs.find("default", a_job(arn, **fields).name) == ()


# --- stopping and reading


def test_stopping_what_is_unknown_or_ended_changes_nothing(jobs, arn):
    job_id = jobs.submit(a_job(arn))
    jobs.stop(job_id, "first")
    before = jobs.describe([job_id])
    assert before[0].status in {JobStatus.SUCCEEDED, JobStatus.FAILED}
    jobs.stop("nobody", "third")
    jobs.stop(job_id, "first")
    assert jobs.describe([job_id]) == before


@pytest.mark.parametrize(
    "stream",
    ["", "unknown", "../../falsework.db", "00000000-0000-4000-8000-000000000000", "a:b*"],
)
def test_an_unknown_log_is_empty(jobs, arn, stream):
    assert jobs.log(stream, 100) == b""
