"""The Site's words for pushed works, their plan, and the message to Slack. Values only."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from chalicelib.core.errors import Misconfigured, Refused
from chalicelib.core.plans.plan import CleanUpPolicy, DefineJobs, JobAction, WorkCall
from chalicelib.core.plans.work_runs import request_work_run
from chalicelib.core.site import Site
from chalicelib.core.work.leases import Ending, leased, reported
from chalicelib.core.work.model import Work, WorkStatus
from chalicelib.core.work.slack_messages import SHOWN_CHARACTERS, slack_message, wants_message
from chalicelib.local.own_site import _check_pushing
from chalicelib.local.secrets import read_secret
from chalicelib.work_calls import NoWorkCalls
from chalicelib.works.slack import Slack, post

AT = datetime(2026, 5, 1, tzinfo=UTC)
UID = "a" * 20
PLACE = {"queue": "spot", "image": "ghcr.io/somebody/analysis:1"}


def a_site(**place):
    return Site.model_validate({"work_sites": {"batch": {**PLACE, **place}}, "works_group": "frb"})


def a_work(**told):
    base = {"pipeline": "p", "site": "batch", "user": "u", "id": "b" * 24, "status": "queued"}
    return Work.model_validate({**base, **told})


def requested(work, **place):
    site = a_site(**place)
    return request_work_run(work, site.work_sites["batch"], site, UID, AT)


def test_an_attempt_has_one_run_id_and_one_digest_wherever_it_is_made():
    one, other = requested(a_work()), requested(a_work(tags=["x"]), queue="other")
    assert one.run_id == other.run_id == f"work-{'b' * 24}-1"
    assert one.plan.request_digest == other.plan.request_digest
    later = requested(a_work(attempt=1))
    assert later.run_id != one.run_id
    assert later.plan.request_digest != one.plan.request_digest


def test_a_plan_takes_runs_and_always_reports():
    told = {"vcpus": 0.5, "memory_mib": 512, "gpus": 1}
    event = requested(a_work(timeout=60), resources=told, job_role_arn="arn:role")
    assert (event.kind, event.group) == ("work", "frb")
    take, define, work, report = event.plan.stages
    assert isinstance(take.action, WorkCall)
    assert isinstance(report.action, WorkCall)
    assert (take.action.step, report.action.step, report.is_closing) == ("take", "report", True)
    assert event.plan.clean_up is CleanUpPolicy.ALWAYS
    assert isinstance(define.action, DefineJobs)
    assert define.action.definitions["work"].job_role_arn == "arn:role"
    assert isinstance(work.action, JobAction)
    assert (work.action.queue, work.action.is_worker) == ("spot", True)
    assert {each["type"]: each["value"] for each in work.action.resource_requirements} == {
        "VCPU": "0.5",
        "MEMORY": "512",
        "GPU": "1",
    }
    lease = take.action.lease
    assert lease.seconds > event.plan.timeout_seconds > 60


def test_files_go_where_the_site_says():
    event = requested(a_work(), files="s3://survey/products/")
    action = event.plan.stage("take").action
    assert isinstance(action, WorkCall)
    assert action.lease.files == f"s3://survey/products/{event.run_id}/"


BAD = {
    "no queue": {"work_sites": {"batch": {"image": "i"}}},
    "an unknown key": {"work_sites": {"batch": {**PLACE, "pipeline": "p"}}},
    "no memory": {"work_sites": {"batch": {**PLACE, "resources": {"memory_mib": 0}}}},
    "files that are no prefix": {"work_sites": {"batch": {**PLACE, "files": "s3://b/x"}}},
    "a group with blanks": {"work_sites": {"batch": {**PLACE, "group": "a b"}}},
    "a webhook's own address": {"slack_webhooks": {"default": "https://hooks/T0/hidden"}},
}


@pytest.mark.parametrize("told", BAD.values(), ids=BAD)
def test_a_site_that_makes_no_sense_is_refused_and_shows_no_secret(told):
    with pytest.raises(ValidationError) as caught:
        Site.model_validate(told)
    assert "hidden" not in str(caught.value)


def test_a_client_cannot_set_the_end_of_a_lease():
    work = a_work(status="running", start=1.0, timeout=10, lease_ends_at=1e9)
    assert work.deadline == 11.0


def taken(**told):
    """A work as its run has taken it, and the lease."""
    action = requested(a_work(**told)).plan.stage("take").action
    assert isinstance(action, WorkCall)
    work = leased(a_work(**told), action.lease)
    assert work is not None
    return work, action.lease


def test_a_report_of_another_lease_changes_nothing():
    work, lease = taken()
    other = lease.model_copy(update={"start": lease.start + 1})
    assert reported(work, other, None) is None  # type: ignore[arg-type]


def test_a_success_without_results_shows_no_error_of_an_earlier_attempt():
    work, lease = taken(results={"error": "ImportError"}, products=["s3://b/kept"])
    done = reported(work, lease, Ending(status=WorkStatus.SUCCESS, stop=2.0))
    assert done is not None
    assert (done.status, done.results) == ("success", None)
    assert done.products == ("s3://b/kept",)


def told(slack, **more):
    return a_work(notify={"slack": slack}, status="success", **more)


def test_a_work_that_says_nothing_of_slack_is_not_told():
    assert not wants_message(a_work())
    assert wants_message(told({"results": False}))


def test_a_message_has_its_owners_words_and_what_he_wants_to_be_shown():
    slack = {"message": "done", "member_ids": ["U1", "U2"], "plots": True, "results": True}
    message = slack_message(told(slack, results={"n": "<&>"}, plots=["s3://b/p.png"]))
    words, results, plots = message["text"].split("\n*")
    assert words == "<@U1> <@U2> done"
    assert "&lt;&amp;&gt;" in results
    assert "s3://b/p.png" in plots
    assert "blocks" not in message


def test_a_message_without_words_tells_what_became_of_the_work():
    message = slack_message(told({"channel_id": "C"}))
    assert message["text"] == f"Work {'b' * 24} of p for u: success"


BLOCK = {"type": "divider"}


@pytest.mark.parametrize("blocks", [BLOCK, {"blocks": [BLOCK]}], ids=["one", "a list"])
def test_blocks_are_sent_as_they_are(blocks):
    assert slack_message(told({"blocks": blocks}))["blocks"] == [BLOCK]


def test_long_results_are_shortened():
    message = slack_message(told({"results": True}, results={"x": "y" * 10_000}))
    assert len(message["text"]) < SHOWN_CHARACTERS + 200


@pytest.fixture
def posted():
    return []


def a_slack(posted, webhooks, status=200):
    def keep(address, body):
        posted.append(address)
        return status

    return Slack(webhooks, lambda reference: f"https://{reference}", keep)


@pytest.mark.parametrize(
    ("webhooks", "expected"),
    [
        ({"C": "env:A", "default": "env:B"}, ["https://env:A"]),
        ({"default": "env:B"}, ["https://env:B"]),
        ({"D": "env:A"}, []),
    ],
    ids=["the channel's own", "the default one", "none"],
)
def test_the_channels_webhook_is_taken_or_the_default_one(posted, webhooks, expected):
    a_slack(posted, webhooks).tell(told({"channel_id": "C"}))
    assert posted == expected


@pytest.mark.parametrize("address", ["http://example.org/x", "file:///etc/passwd", "ftp://x"])
def test_an_address_that_is_not_https_is_never_asked(address):
    with pytest.raises(ValueError, match="https"):
        post(address, b"{}")


def test_a_secret_that_is_not_there_is_a_fault_in_the_settings_and_told_without_it(
    caplog, monkeypatch
):
    monkeypatch.delenv("NO_SUCH", raising=False)
    with pytest.raises(Misconfigured, match="NO_SUCH"):
        read_secret("env:NO_SUCH")
    with pytest.raises(Refused):
        read_secret("arn:aws:secretsmanager:us-east-1:123456789012:secret:x")
    Slack({"default": "env:NO_SUCH"}, read_secret).tell(told({"message": "m"}))
    assert "Misconfigured" in caplog.text


def test_a_process_without_a_work_queue_refuses_its_calls():
    action = requested(a_work()).plan.stage("take").action
    assert isinstance(action, WorkCall)
    with pytest.raises(Refused, match="no work queue"):
        NoWorkCalls().perform(action, AT)


class InDocker:
    """A sandbox as far as its mode is looked at."""

    mode = "docker"


def test_a_home_whose_jobs_run_in_docker_does_not_push():
    with pytest.raises(Misconfigured, match="runner docker"):
        _check_pushing(a_site(), InDocker())  # type: ignore[arg-type]
    _check_pushing(Site(), InDocker())  # type: ignore[arg-type]
