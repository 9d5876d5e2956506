"""How a job's command is started: one of three ways, chosen once.

::

    bubblewrap   the container paths of the definition, on the host's own programs
    host         the command as it is; its container paths must be the host folders themselves
    docker       the definition's image, where a daemon answers; the user's jobs only

Our own worker (``image`` is the site's worker image) never runs in Docker here: its programs are
this installation. No shell has a part in any of this; the command is an argument vector.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from chalicelib.core.errors import Misconfigured, Refused
from chalicelib.core.plans.plan import JobDefinition
from chalicelib.core.site import Site
from chalicelib.local import bubblewrap
from chalicelib.local.bubblewrap import Bind
from chalicelib.local.folders import Folders
from chalicelib.local.probe import succeeds
from chalicelib.settings import HostEnvironment, Runner

Mode = Literal["bubblewrap", "host", "docker"]

_DAEMON_SECONDS = 20


class Launch(NamedTuple):
    """A process to start, and what to run when it had to be killed."""

    argv: list[str]
    environment: dict[str, str]
    is_sandboxed: bool = False
    tidy_argv: list[str] | None = None


def choose(runner: Runner, host: HostEnvironment) -> Mode:
    """Return the way that ``runner`` means here. Raises Misconfigured if it does not work."""
    match runner:
        case "auto":
            return "bubblewrap" if _has_bubblewrap(host) else "host"
        case "bubblewrap" if not _has_bubblewrap(host):
            raise Misconfigured(
                "runner bubblewrap: there is no bwrap on the PATH, or it cannot make a sandbox"
                " here; install bubblewrap, allow user namespaces, or choose the runner host"
            )
        case "docker" if not _has_docker(host):
            raise Misconfigured(
                "runner docker: no daemon answers to 'docker version'; start one, or choose"
                " another runner"
            )
        case _:
            return runner


class Sandbox:
    """Turns a job into a process to start, in the chosen way."""

    def __init__(
        self, folders: Folders, site: Site, runner: Runner, host: HostEnvironment
    ) -> None:
        self._folders = folders
        self._worker_image = site.worker_image
        self._host = host
        self.mode = choose(runner, host)
        """The way of the user's jobs."""
        self.host_mode: Mode = "bubblewrap" if self.mode == "bubblewrap" else "host"
        """The way of our own worker's jobs."""
        if self.mode == "docker" and _has_bubblewrap(host):
            self.host_mode = "bubblewrap"

    def container_paths(self, site: Site) -> dict[str, str]:
        """Return what ``Site.default_container_paths`` must be: host folders where no sandbox
        can give a worker other ones, else nothing."""
        return self._folders.container_paths(site) if self.host_mode == "host" else {}

    def check(self, definition: JobDefinition) -> None:
        """Raise Refused, in words, where a job of that definition could not be started."""
        self.launch(definition, ("true",), {}, "check")

    def launch(
        self,
        definition: JobDefinition,
        command: Sequence[str],
        environment: Mapping[str, str],
        job_id: str,
    ) -> Launch:
        """Return the process to start. ``environment`` is the job's own; ours is added."""
        binds = self._binds(definition)
        mode = self.host_mode if definition.image == self._worker_image else self.mode
        basic = {"PATH": self._host.path, "HOME": self._host.home, "LANG": self._host.lang}
        if mode == "docker":
            return self._docker(definition, command, dict(environment), binds, job_id)
        if not command:
            raise Refused(f"job definition {definition.name!r}: there is no command to run")
        if mode == "host":
            _check_host(binds)
            return Launch([*command], {**basic, **environment})
        before = bubblewrap.sandbox_argv(_which("bwrap", self._host), binds)
        return Launch([*before, *command], {**basic, **environment}, is_sandboxed=True)

    def _binds(self, definition: JobDefinition) -> list[Bind]:
        """Return where the folders go; they are made if they do not exist yet."""
        volumes = {volume.get("name"): volume for volume in definition.volumes}
        binds = []
        for point in definition.mount_points:
            volume = volumes.get(point.get("sourceVolume"))
            if volume is None or not point.get("containerPath"):
                raise Refused(f"job definition {definition.name!r}: mount point {point} is wrong")
            folder = self._folders.volume(volume)
            folder.mkdir(parents=True, exist_ok=True)
            is_read_only = bool(point.get("readOnly"))
            binds.append(Bind(folder, Path(str(point["containerPath"])), is_read_only))
        return binds

    def _docker(
        self,
        definition: JobDefinition,
        command: Sequence[str],
        environment: dict[str, str],
        binds: Sequence[Bind],
        job_id: str,
    ) -> Launch:
        program, name = _which("docker", self._host), f"falsework-{job_id}"
        argv = [program, "run", "--rm", "--name", name, "-w", "/"]
        for bind in binds:
            suffix = ":ro" if bind.is_read_only else ""
            argv += ["-v", f"{bind.host}:{bind.container}{suffix}"]
        for key, value in environment.items():
            argv += ["-e", f"{key}={value}"]
        argv += ["--privileged"] if definition.privileged else []
        mark = {"AWS_BATCH_JOB_ID": job_id}
        basic = {"PATH": self._host.path, "HOME": self._host.home, "LANG": self._host.lang}
        return Launch(
            [*argv, definition.image, *command],
            {**basic, **mark},
            tidy_argv=[program, "rm", "--force", name],
        )


def _check_host(binds: Sequence[Bind]) -> None:
    for bind in binds:
        if bind.container != bind.host:
            raise Refused(
                f"container path {bind.container} cannot be shown to a job that runs on the host"
                f" itself: install bubblewrap, or let the container path be {bind.host}"
            )


def _which(program: str, host: HostEnvironment) -> str:
    found = shutil.which(program, path=host.path)
    if found is None:
        raise Refused(f"{program} is not on the PATH any more")
    return found


def _has_bubblewrap(host: HostEnvironment) -> bool:
    program = shutil.which("bwrap", path=host.path)
    return program is not None and bubblewrap.works(program)


def _has_docker(host: HostEnvironment) -> bool:
    program = shutil.which("docker", path=host.path)
    return program is not None and _answers(program)


@cache
def _answers(program: str) -> bool:
    return succeeds([program, "version", "--format", "{{.Server.Version}}"], _DAEMON_SECONDS)
