"""``falsework export --asl``: a state machine on standard output, or in a file."""

from __future__ import annotations

import json

import pytest

from tests.flow.doors import falsework

PIPELINE = {"stages": [{"name": "v", "kind": "value", "value": 1}]}


def test_the_state_machine_is_printed(tmp_path):
    done = falsework("export", "--asl", "-", stdin=PIPELINE, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["States"]["v"]["Type"] == "Pass"
    assert list(tmp_path.iterdir()) == []


def test_the_state_machine_is_written_with_the_sites_facts(tmp_path):
    request = {"kind": "batch-job", "image": "i"}
    (tmp_path / "site.json").write_text('{"default_job_queue": "big"}')
    done = falsework(
        "export", "--asl", "-", "--output", "m.json", "--site", "site.json",
        stdin=request, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")
    assert '"JobQueue": "big"' in (tmp_path / "m.json").read_text()


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"stages": [{"name": "v", "kind": "nothing"}]}, "stages.0.kind"),
        ({"kind": "nothing"}, "there is no kind 'nothing'"),
        ("[1]", "falsework:"),
        ("not JSON", "falsework:"),
    ],
    ids=["a stage's kind", "a kind", "a list", "no JSON"],
)
def test_what_cannot_be_exported_is_told_in_a_block(tmp_path, document, told):
    done = falsework("export", "--asl", "-", stdin=document, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "mend:" in done.stderr
    assert "Traceback" not in done.stderr
