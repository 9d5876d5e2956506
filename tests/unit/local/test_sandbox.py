"""How a job's command line is made, and which ways there are."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from chalicelib.core.errors import Misconfigured, Refused
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site
from chalicelib.local import bubblewrap
from chalicelib.local.bubblewrap import Bind, sandbox_argv
from chalicelib.local.folders import Folders, own_file_systems
from chalicelib.local.sandbox import Sandbox, choose
from chalicelib.settings import HostEnvironment, host_environment

SITE = Site()
END = ["--unshare-pid", "--proc", "/proc", "--die-with-parent", "--chdir", "/", "--"]


def a_program(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def a_host(*folders: Path) -> HostEnvironment:
    return HostEnvironment(path=":".join(map(str, folders)), home="/home/x", lang="C")


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path / "root", own_file_systems(SITE))


def a_definition(path: str, **fields: object) -> JobDefinition:
    volume = {
        "name": "v",
        "efsVolumeConfiguration": {
            "fileSystemId": "fs-0000000000000001",
            "authorizationConfig": {"accessPointId": "fsap-0000000000000001"},
        },
    }
    point = {"readOnly": True, "containerPath": path, "sourceVolume": "v"}
    told = {"name": "d", "image": "i:1", "mount_points": (point,), "volumes": (volume,), **fields}
    return JobDefinition.model_validate(told)


# --- which way


def test_auto_takes_bubblewrap_where_it_works_else_the_host(tmp_path):
    a_program(tmp_path / "good", "bwrap", "exit 0")
    a_program(tmp_path / "bad", "bwrap", "exit 1")
    assert choose("auto", a_host(tmp_path / "good")) == "bubblewrap"
    assert choose("auto", a_host(tmp_path / "bad")) == "host"
    assert choose("auto", a_host(tmp_path / "none")) == "host"


@pytest.mark.parametrize("runner", ["bubblewrap", "docker"])
def test_what_was_chosen_and_does_not_work_is_said(tmp_path, runner):
    a_program(tmp_path / "bad", "bwrap", "exit 1")
    a_program(tmp_path / "bad", "docker", "exit 1")
    for host in (a_host(tmp_path / "bad"), a_host(tmp_path / "none")):
        with pytest.raises(Misconfigured, match=f"runner {runner}"):
            choose(runner, host)


# --- host


def test_on_the_host_a_container_path_must_be_the_folder_itself(folders, tmp_path):
    sandbox = Sandbox(folders, SITE, "host", a_host())
    with pytest.raises(Refused, match="bubblewrap"):
        sandbox.check(a_definition("/opt/efs/scratch"))
    own = str(tmp_path / "root/efs/fs-0000000000000001/scratch")
    assert sandbox.container_paths(SITE)["scratch"] == own
    launch = sandbox.launch(a_definition(own), ("run", "a b"), {"A": "1"}, "id")
    assert launch.argv == ["run", "a b"]
    assert launch.environment == {"PATH": "", "HOME": "/home/x", "LANG": "C", "A": "1"}
    assert Path(own).is_dir()


def test_a_command_is_needed_without_an_image(folders):
    with pytest.raises(Refused, match="no command"):
        Sandbox(folders, SITE, "host", a_host()).launch(
            JobDefinition(name="d", image="i"), (), {}, "id"
        )


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"name": "v", "host": {"sourcePath": "/etc"}}, "not on EFS"),
        ({"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-00000000"}}, "fs-00000000"),
        (
            {
                "name": "v",
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0000000000000001",
                    "authorizationConfig": {"accessPointId": "fsap-00000000"},
                },
            },
            "fsap-00000000",
        ),
        (
            {
                "name": "v",
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-0000000000000001",
                    "rootDirectory": "/../..",
                },
            },
            "leaves",
        ),
        ({"name": "other"}, "mount point"),
    ],
)
def test_a_volume_that_is_not_here_is_refused(folders, volume, words):
    sandbox = Sandbox(folders, SITE, "host", a_host())
    with pytest.raises(Refused, match=words):
        sandbox.check(a_definition("/x", volumes=(volume,)))


# --- docker


@pytest.fixture
def docker(tmp_path, folders):
    """A sandbox that has docker, and no bubblewrap."""
    a_program(tmp_path / "bin", "docker", "exit 0")
    return Sandbox(folders, SITE, "docker", a_host(tmp_path / "bin"))


def test_docker_runs_the_image_with_its_folders(docker, tmp_path):
    own = tmp_path / "root/efs/fs-0000000000000001/scratch"
    launch = docker.launch(a_definition("/opt/in"), ("run", "$A"), {"A": "x y\nz"}, "id-1")
    program = str(tmp_path / "bin/docker")
    assert launch.argv == [
        program, "run", "--rm", "--name", "falsework-id-1", "-w", "/",
        "-v", f"{own}:/opt/in:ro", "-e", "A=x y\nz", "i:1", "run", "$A",
    ]  # fmt: skip
    assert launch.tidy_argv == [program, "rm", "--force", "falsework-id-1"]
    assert launch.environment["AWS_BATCH_JOB_ID"] == "id-1"
    assert not launch.is_sandboxed


def test_docker_is_not_for_our_own_worker(docker, tmp_path):
    worker = a_definition("/opt/in", image=SITE.worker_image)
    with pytest.raises(Refused, match="host"):
        docker.check(worker)
    own = docker.container_paths(SITE)["scratch"]
    launch = docker.launch(a_definition(own, image=SITE.worker_image), ("w",), {}, "id")
    assert launch.argv == ["w"]


def test_docker_with_bubblewrap_runs_the_worker_there_and_needs_no_host_paths(folders, tmp_path):
    a_program(tmp_path / "bin", "docker", "exit 0")
    bwrap = a_program(tmp_path / "bin", "bwrap", "exit 0")
    sandbox = Sandbox(folders, SITE, "docker", a_host(tmp_path / "bin"))
    assert sandbox.container_paths(SITE) == {}
    worker = a_definition("/opt/in", image=SITE.worker_image)
    assert sandbox.launch(worker, ("w",), {}, "id").argv[0] == str(bwrap)
    assert sandbox.launch(a_definition("/opt/in"), ("w",), {}, "id").argv[1] == "run"


@pytest.mark.parametrize("privileged", [False, True])
def test_docker_is_privileged_only_on_request(docker, privileged):
    launch = docker.launch(a_definition("/x", privileged=privileged), ("w",), {}, "id")
    assert ("--privileged" in launch.argv) is privileged


# --- bubblewrap


def test_a_path_that_exists_is_bound_over_and_nothing_is_mirrored(tmp_path):
    (tmp_path / "there").mkdir()
    argv = sandbox_argv("bwrap", [Bind(tmp_path / "h", tmp_path / "there", is_read_only=True)])
    bind = ["--ro-bind", str(tmp_path / "h"), str(tmp_path / "there")]
    assert argv == ["bwrap", "--dev-bind", "/", "/", *bind, *END]


def test_the_nearest_folder_above_a_missing_path_is_mirrored(tmp_path):
    (tmp_path / "opt/kept").mkdir(parents=True)
    (tmp_path / "opt/file").touch()
    (tmp_path / "opt/link").symlink_to("kept")
    binds = [
        Bind(tmp_path / "s", tmp_path / "opt/efs/scratch", is_read_only=False),
        Bind(tmp_path / "t", tmp_path / "opt/efs/shared", is_read_only=True),
    ]
    opt = str(tmp_path / "opt")
    assert sandbox_argv("bwrap", binds) == [
        "bwrap", "--dev-bind", "/", "/",
        "--tmpfs", opt,
        "--dev-bind-try", f"{opt}/file", f"{opt}/file",
        "--dev-bind-try", f"{opt}/kept", f"{opt}/kept",
        "--symlink", "kept", f"{opt}/link",
        "--bind", str(tmp_path / "s"), f"{opt}/efs/scratch",
        "--ro-bind", str(tmp_path / "t"), f"{opt}/efs/shared",
        *END,
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["/", "relative", "/a/../b", "/etc/passwd", "/etc/passwd/x"])
def test_a_path_that_cannot_be_bound_is_refused(tmp_path, path):
    with pytest.raises(Refused, match="container path"):
        sandbox_argv("bwrap", [Bind(tmp_path, Path(path), is_read_only=False)])


def test_the_probe_is_made_once_per_program(tmp_path):
    program = a_program(tmp_path / "bin", "bwrap", f"echo x >> {tmp_path}/probes")
    assert bubblewrap.works(str(program))
    assert bubblewrap.works(str(program))
    assert (tmp_path / "probes").read_text() == "x\n"


def test_this_pythons_programs_come_first():
    host = host_environment({"PATH": "/usr/bin", "SECRET": "s"})
    assert host.path.endswith("/bin:/usr/bin")
    assert (host.home, host.lang) == ("/", "C.UTF-8")
