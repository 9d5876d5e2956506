"""What a job sees of its volumes: in bubblewrap, and in a docker that is a recording fake."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from chalicelib.core.job_state import JobStatus
from chalicelib.local import bubblewrap
from tests.contract.openers import until
from tests.flow.local.workshop import workshop

EFS = "efs/fs-0000000000000001"


@pytest.fixture
def shop(tmp_path):
    if not bubblewrap.works("bwrap"):
        pytest.skip("bubblewrap does not work here")
    with workshop(tmp_path / "root", runner="bubblewrap") as shop:
        yield shop


def test_a_job_finds_its_folders_at_its_container_paths(shop):
    paths = {"scratch": "/opt/efs/scratch", "shared": "/opt/efs/shared"}
    before = sorted(Path("/opt").iterdir())
    (shop.root / EFS / "shared").mkdir(parents=True)
    (shop.root / EFS / "shared/input").write_text("from outside\n")
    seen = shop.run(
        "cat /opt/efs/shared/input; echo from inside > /opt/efs/scratch/output; ls -1 /opt",
        arn=shop.define(paths),
    )
    first, *listed = shop.output(seen).splitlines()
    assert (seen.exit_code, first) == (0, "from outside")
    assert (shop.root / EFS / "scratch/output").read_text() == "from inside\n"
    assert listed == sorted({*(path.name for path in before), "efs"})
    assert sorted(Path("/opt").iterdir()) == before


def test_the_shared_volume_is_read_only(shop):
    arn = shop.define({"shared": "/opt/efs/shared"})
    seen = shop.run("touch /opt/efs/shared/x", arn=arn)
    assert seen.status is JobStatus.FAILED
    assert "Read-only" in shop.output(seen)
    assert list((shop.root / EFS / "shared").iterdir()) == []


def test_a_path_right_below_the_root_works_and_leaves_nothing_on_the_host(shop):
    path = f"/falsework-test-{os.getpid()}"
    script = f"echo x > {path}/deep/er/f; test -x /bin/sh && test -c /dev/null && ls -d /usr /tmp"
    seen = shop.run(script, arn=shop.define({"scratch": f"{path}/deep/er"}))
    assert (seen.exit_code, shop.output(seen)) == (0, "/tmp\n/usr\n")
    assert (shop.root / EFS / "scratch/f").read_text() == "x\n"
    assert not Path(path).exists()


def test_the_root_itself_stays_in_sight(shop):
    """Our worker finds the objects and the claims there."""
    arn = shop.define({"scratch": str(shop.root.parent / "mirrored/scratch")})
    seen = shop.run("test -e $FALSEWORK_ROOT/falsework.db && ls $FALSEWORK_ROOT", arn=arn)
    assert seen.exit_code == 0, shop.output(seen)


def test_jobs_do_not_see_each_others_processes(shop):
    seen = shop.run("", command=("sh", "-c", "ls -d /proc/[0-9]* | wc -l"))
    assert int(shop.output(seen)) < 6


# --- docker

FAKE = """#!{python}
import json, os, subprocess, sys
with open("{record}", "a") as record:
    record.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "run":
    sys.exit(subprocess.call(sys.argv[sys.argv.index("{image}") + 1:]))
"""


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Put a docker on the PATH that records its arguments and runs the command."""
    record, program = tmp_path / "record", tmp_path / "bin/docker"
    program.parent.mkdir()
    program.write_text(
        FAKE.format(python=sys.executable, record=record, image="ghcr.io/somebody/tool:1")
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: [json.loads(line) for line in record.read_text().splitlines()]


def test_docker_gets_the_users_job_and_its_end_counts(tmp_path, recorded):
    with workshop(tmp_path / "root", runner="docker") as shop:
        seen = shop.run(
            "echo in the image; exit 6",
            arn=shop.define({"shared": "/opt/efs/shared"}),
            environment={"A": "x y"},
        )
        assert (seen.exit_code, shop.output(seen)) == (6, "in the image\n")
    version, run = recorded()
    assert version[0] == "version"
    assert run[:6] == ["run", "--rm", "--name", f"falsework-{seen.job_id}", "-w", "/"]
    assert run[6:8] == ["-v", f"{tmp_path}/root/{EFS}/shared:/opt/efs/shared:ro"]
    values = [run[i + 1] for i, word in enumerate(run) if word == "-e"]
    assert {"A=x y", f"AWS_BATCH_JOB_ID={seen.job_id}"} <= set(values)
    assert not [value for value in values if value.startswith(("PATH=", "HOME="))]


def test_a_container_is_removed_when_its_job_is_stopped(tmp_path, recorded):
    with workshop(tmp_path / "root", runner="docker") as shop:
        job_id = shop.submit("echo ready; sleep 1000")
        until(lambda: shop.started(job_id) and "ready" in shop.output(shop.seen(job_id)))
        shop.jobs.stop(job_id, "stop")
        assert shop.ended(job_id).reason == "stop"
    assert recorded()[-1] == ["rm", "--force", f"falsework-{job_id}"]
