"""What the functions write for CloudWatch, and that nobody else writes it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.aws.home import AwsHome, open_home
from tests.flow.aws_worlds import AwsWorld, a_request, aws_account, messages


@pytest.fixture
def world():
    with aws_account() as world:
        yield world


def home_of(world: AwsWorld, *, in_lambda: bool) -> AwsHome:
    settings = world.settings.model_copy(update={"in_lambda": in_lambda})
    return open_home(settings, world.clients, lambda: world.now)


def written(capsys) -> list[dict[str, Any]]:
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"_aws"')]


def test_a_function_writes_what_becomes_of_runs(world, capsys):
    home = home_of(world, in_lambda=True)
    home.on_submissions(messages(a_request("e1")))
    told = written(capsys)
    assert {line["service"] for line in told} == {"falsework"}
    states = [line["state"] for line in told if "Runs" in line]
    assert states[-1] == "RUNNING"
    assert sum(sum(line.get("Submissions", [])) for line in told) == 1


def test_a_function_counts_what_it_refuses(world, capsys):
    home_of(world, in_lambda=True).on_submissions(messages("{"))
    assert [line["DeadLetters"] for line in written(capsys)] == [[1]]


def test_a_sweep_tells_how_much_it_has_looked_at(world, capsys):
    home_of(world, in_lambda=True).sweep()
    assert [line["SweptRuns"] for line in written(capsys)] == [[0]]


def test_elsewhere_nothing_is_written(world, capsys):
    home = home_of(world, in_lambda=False)
    home.on_submissions(messages(a_request("e1"), "{"))
    home.sweep()
    assert written(capsys) == []
