"""What ``why`` says of images that cannot be pulled, and of functions that did not answer."""

from __future__ import annotations

import pytest

from chalicelib.core.events import CallEnded
from chalicelib.core.lifecycle import decide
from chalicelib.core.plans.operations import get_payload
from chalicelib.core.plans.plan import Plan
from chalicelib.core.states import responses
from chalicelib.core.why import why
from tests.unit.runs import at, requested
from tests.unit.test_why import failed

URI = "s3://b/scratch/r/t/response.json"


def told_of(error):
    run, _ = decide(None, requested(Plan(stages=(get_payload("read", URI),))))
    ended = CallEnded(
        run_id="r1", at=at(5), stage="read", attempt=1, error=str(error), cause=error.cause
    )
    return why(decide(run, ended).run, at(6))


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("CannotPullContainerError: pull access denied for x", "The image cannot be pulled"),
        ("CannotPullContainerError: manifest unknown", "The image cannot be pulled"),
        ("CannotPullECRContainerError: AccessDenied", "The image cannot be pulled"),
        ("CannotPullContainerError: i/o timeout", "The image could not be pulled this time"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_told_in_words(reason, told):
    sentences = why(failed(reason=reason), at(9))
    assert [each for each in sentences if "pulled" in each and each.startswith(told)]
    assert f"{reason}" in sentences[1]


def test_of_other_troubles_no_image_is_spoken():
    for reason in ("CannotStartContainerError: executable file not found", "Host EC2 terminated"):
        assert not [each for each in why(failed(reason=reason), at(9)) if "image cannot" in each]


def test_what_docker_says_at_home_has_a_sentence():
    assert any(each.startswith("125 is what docker") for each in why(failed(125), at(9)))


@pytest.mark.parametrize(
    ("error", "meaning", "message", "mend"),
    [
        (
            responses.missing(URI, "invoke"),
            "the job ended well and left no response",
            f"there is no object {URI}; the job of stage invoke ended well and did not write it",
            (
                "The program has to put its response, as JSON, where "
                "AWS_LAMBDA_EVENT_RESPONSE_LOCATION (an executor's --output-location) says. Does "
                "it, and may it write there? What it wrote to its log: falsework logs r1"
            ),
        ),
        (
            responses.raised("lab-count", "ValueError", "no n"),
            "the function was called, and raised an error",
            "function lab-count raised ValueError: no n",
            (
                "The message is its own; its log (on AWS: CloudWatch, /aws/lambda/<its name>) "
                "tells where it came from."
            ),
        ),
    ],
    ids=["no response", "it raised"],
)
def test_a_function_that_did_not_answer_is_told_in_words(error, meaning, message, mend):
    sentences = told_of(error)
    assert sentences[0] == f"The run failed in stage read: {meaning}."
    assert sentences[1] == f"The message is: {message}"
    assert sentences[2] == mend
    assert "resume it: falsework resume r1" in sentences[3]


def test_a_response_that_is_not_json_is_shown():
    with pytest.raises(responses.StepFailed) as found:
        responses.parsed(URI, b"<html>", is_json=True)
    sentences = told_of(found.value)
    assert sentences[0].endswith("what was left as the response cannot be taken as one.")
    assert "is not JSON" in sentences[1]
    assert "'<html>'" in sentences[1]
