"""``falsework simulate``, through the command line's own entry."""

from __future__ import annotations

import json
import subprocess
import sys
from random import Random

import pytest

from chalicelib.cli import main
from chalicelib.simulation.requests import draw_request


@pytest.fixture
def request_file(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    document = draw_request(Random(1), "align-7") | {"options": {"fallback_job_queue_name": "od"}}
    path = tmp_path / "request.json"
    path.write_text(json.dumps(document))
    return path


def test_it_tells_outcomes_attempts_and_times(request_file, capsys):
    assert main(["simulate", str(request_file), "--seeds", "40"]) == 0
    told = capsys.readouterr().out
    for word in ("40 runs of align-7", "OUTCOME", "SUCCESS", "ATTEMPTS", "execute", "MEDIAN"):
        assert word in told


def test_its_figures_as_json_add_up(request_file, capsys):
    assert main(["simulate", str(request_file), "--seeds", "40", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == sum(told["outcomes"].values()) == 40
    assert sum(told["attempts"]["execute"].values()) <= 40
    times = told["seconds"]
    assert 0 < times["min"] <= times["median"] <= times["p95"] <= times["max"]
    assert told["faults"] == []


def test_the_same_seeds_tell_the_same(request_file, capsys):
    told = []
    for _ in range(2):
        main(["simulate", str(request_file), "--seeds", "25", "--json"])
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]


def test_a_longer_command_takes_longer(request_file, capsys):
    medians = []
    for minutes in ("5", "300"):
        main(["simulate", str(request_file), "--seeds", "20", "--json", "--minutes", minutes])
        medians.append(json.loads(capsys.readouterr().out)["seconds"]["median"])
    assert medians[1] > 2 * medians[0]


def test_nothing_is_written(request_file):
    main(["simulate", str(request_file), "--seeds", "5"])
    assert list((request_file.parent / "empty").iterdir()) == []


BAD = {
    "no JSON": "{",
    "no demand": "{}",
    "an unknown option": json.dumps(draw_request(Random(1), "a") | {"options": {"retries": 3}}),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_bad_request_is_refused_as_by_validate(text, request_file, capsys):
    request_file.write_text(text)
    assert main(["simulate", str(request_file), "--seeds", "5"]) == 2
    assert "falsework:" in capsys.readouterr().err


def test_the_installed_program_knows_it(request_file):
    command = [sys.executable, "-m", "chalicelib.cli", "simulate", str(request_file)]
    done = subprocess.run([*command, "--seeds", "8"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "8 runs of align-7" in done.stdout
