"""What the embedded home's JobRunner does besides: see ``test_every_job_runner``."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.core.errors import Refused
from chalicelib.core.job_state import JobStatus
from tests.contract.openers import nimble_threads
from tests.contract.sample_jobs import a_definition, a_job

ARN = "arn:aws:batch:us-east-1:000000000000:job-definition/"


@pytest.fixture
def jobs(ports):
    return ports.jobs


@pytest.fixture
def arn(jobs):
    return jobs.define(a_definition())


# --- definitions


def test_another_content_is_the_next_revision_and_the_old_one_stays(jobs):
    first = jobs.define(a_definition())
    assert jobs.define(a_definition(command=("false",))) == f"{ARN}dev-x:2"
    assert jobs.define(a_definition(name="other")) == f"{ARN}other:1"
    assert jobs.define(a_definition()) == first


def test_several_that_define_at_once_get_a_revision_per_content(opener):
    gate = threading.Barrier(6)

    def define(number):
        jobs = opener.open().jobs
        gate.wait()
        return [jobs.define(a_definition(image=f"{number // 2}-{n}")) for n in range(40)]

    with nimble_threads(), ThreadPoolExecutor(6) as pool:
        told = list(pool.map(define, range(6)))
    assert told[0::2] == told[1::2]
    revisions = {int(arn.rpartition(":")[2]) for arns in told for arn in arns}
    assert revisions == set(range(1, 121))


# --- submissions


def test_a_submitted_job_is_seen_by_id_and_by_name(jobs, arn):
    job_id = jobs.submit(a_job(arn, environment={"FALSEWORK_RUN_ID": "r1"}))
    (seen,) = jobs.describe([job_id])
    assert (seen.job_id, seen.name, seen.queue) == (job_id, "falsework-job-1", "default")
    assert seen.status not in {JobStatus.SUCCEEDED, JobStatus.FAILED}
    assert (seen.run_id, seen.ended_attempts, seen.exit_code) == ("r1", 0, None)
    assert jobs.find("default", "falsework-job-1") == (seen,)


def test_two_jobs_may_bear_one_name_and_are_found_newest_first(jobs, arn):
    ids = [jobs.submit(a_job(arn)) for _ in range(3)]
    assert len(set(ids)) == 3
    found = jobs.find("default", "falsework-job-1")
    assert [seen.job_id for seen in found] == ids[::-1]


def test_a_queue_is_found_by_its_arn_too_and_an_unknown_one_holds_nothing(jobs, arn):
    queue = "arn:aws:batch:us-east-1:000000000000:job-queue/default"
    job_id = jobs.submit(a_job(arn, queue=queue))
    assert [seen.job_id for seen in jobs.find(queue, "falsework-job-1")] == [job_id]
    assert jobs.find("other", "falsework-job-1") == ()


def exact_environment(total: int) -> dict[str, str]:
    """Return one variable with which the overrides have that many bytes as JSON."""
    overrides = {"environment": [{"name": "A", "value": ""}], "resourceRequirements": []}
    return {"A": "x" * (total - len(json.dumps(overrides, separators=(",", ":"))))}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"queue": "other"}, "queue", id="queue"),
        pytest.param({"definition_arn": f"{ARN}dev-x:2"}, "definition", id="revision"),
        pytest.param({"definition_arn": "dev-x"}, "definition", id="definition"),
        pytest.param({"name": "a.b"}, "name", id="dot"),
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"name": "a" * 129}, "name", id="long name"),
        pytest.param({"environment": exact_environment(8193)}, "8192", id="overrides"),
        pytest.param({"command": ("é" * 4096,)}, "8192", id="bytes, not characters"),
        pytest.param({"environment": {"AWS_BATCH_X": "1"}}, "AWS_BATCH", id="reserved"),
        pytest.param({"environment": {"A": "\0"}}, "NUL", id="NUL"),
        pytest.param(
            {"resource_requirements": ({"type": "VCPU", "value": "many"},)}, "many", id="cores"
        ),
    ],
)
def test_a_job_that_batch_would_not_take_is_refused_and_is_not_there(jobs, arn, fields, words):
    with pytest.raises(Refused, match=words):
        jobs.submit(a_job(arn, **fields))
    assert jobs.find("default", a_job(arn, **fields).name) == ()


# --- stopping and reading


def test_a_waiting_job_that_is_stopped_has_failed_with_the_reason(jobs, arn):
    job_id = jobs.submit(a_job(arn))
    jobs.stop(job_id, "not wanted any more")
    (seen,) = jobs.describe([job_id])
    assert (seen.status, seen.reason) == (JobStatus.FAILED, "not wanted any more")
    assert (seen.ended_attempts, seen.exit_code) == (1, None)


def test_stopping_what_is_unknown_or_ended_changes_nothing(jobs, arn):
    job_id = jobs.submit(a_job(arn))
    jobs.stop(job_id, "first")
    before = jobs.describe([job_id])
    jobs.stop(job_id, "second")
    jobs.stop("nobody", "third")
    assert jobs.describe([job_id]) == before
