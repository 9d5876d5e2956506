"""What goes to Lambda: ``build/<stage>/``, a Chalice project with everything in it, for one place.

::

    requirements.txt ─▶ vendor/       wheels for Lambda; a missing one fails the build (Chalice
                                      only warns), compiled
    chalicelib/      ─▶ chalicelib/   without what a Lambda never imports, compiled
    .chalice/        ─▶ .chalice/     names, addresses and ARNs of the stage's own foundation

``chalice deploy`` and ``chalice package`` work in there as they are; with an empty
``requirements.txt`` Chalice installs nothing more. The compiled files are not checked against
their sources, whose times a zip rounds; importing without them takes twice as long. Nothing in
the folder depends on when it was built, so the same sources make the same package.
"""

from __future__ import annotations

import compileall
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Final

from infra import administrators, mounts, policies, site_files
from infra.failures import Failed
from infra.lambda_python import CHECKOUT, VERSIONS
from infra.outputs import Place

BUILD: Final = CHECKOUT / "build"
NOT_IN_LAMBDA: Final = ("cli", "local", "simulation", "worker")
"""Parts of ``chalicelib`` that no handler imports; a test imports ``app.py`` without them."""
PLATFORMS: Final = {
    "x86_64": ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux2014_x86_64"),
    "arm64": ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64"),
}
"""What the images of Python 3.12 and later run: Amazon Linux 2023, glibc 2.34."""
TRACING: Final = CHECKOUT / "infra" / "tracing.txt"
"""What X-Ray's SDK needs beside what Lambda has: only a stage that traces carries it."""
_EPOCH: Final = 1_000_000_000
"""When every file of a build was last changed; a zip's times begin in 1980."""


class BuildFailed(Failed):
    """There is no package, and why."""


def build(
    stage: str, place: Place | None = None, *, source: Path = CHECKOUT, into: Path | None = None
) -> Path:
    """Build the stage and return the folder. Without a place the names are the checkout's own."""
    _check_python()
    check_stage(stage, source)
    target = into or BUILD / stage
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    _configure(stage, source / ".chalice", target / ".chalice", place)
    _vendor(source / "requirements.txt", target / "vendor", _architecture(source))
    if _is_traced(target / ".chalice", stage):
        _vendor(TRACING, target / "vendor", _architecture(source), "--no-deps")
    admitted = administrators.identities(place.outputs) if place else {}
    if problem := site_files.pack(source, target, stage, admitted):
        raise BuildFailed(problem)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(source / "chalicelib", target / "chalicelib", ignore=ignored)
    for name in NOT_IN_LAMBDA:
        shutil.rmtree(target / "chalicelib" / name)
    shutil.copy(source / "app.py", target)
    (target / "requirements.txt").touch()
    _compile(target)
    _forget_times(target)
    return target


def check_stage(stage: str, source: Path = CHECKOUT) -> None:
    """Refuse a stage that is not configured. Raises BuildFailed."""
    told = json.loads((source / ".chalice" / "config.json").read_text(encoding="utf-8"))
    if stage not in told["stages"]:
        known = ", ".join(told["stages"])
        raise BuildFailed(
            f"stage {stage!r} is not in .chalice/config.json: it has {known}; copy one of them"
            " under the new name, with the names in it, add it to STAGES in infra/policies.py,"
            " and `make policies`"
        )


def _check_python() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in VERSIONS:
        raise BuildFailed(
            f"this is Python {version}, and Lambda would run it: build with one of"
            f" {', '.join(VERSIONS)} (`make deploy` does)"
        )


def _architecture(source: Path) -> str:
    told = json.loads((source / ".chalice" / "config.json").read_text(encoding="utf-8"))
    return str(told.get("lambda_architecture", "x86_64"))


def _is_traced(configured: Path, stage: str) -> bool:
    told = json.loads((configured / "config.json").read_text(encoding="utf-8"))
    own = told["stages"][stage].get("environment_variables", {})
    variables = {**told.get("environment_variables", {}), **own}
    return str(variables.get("FALSEWORK_TRACER", "false")).lower() in {"1", "true", "yes", "on"}


def _vendor(requirements: Path, folder: Path, architecture: str, *how: str) -> None:
    """Install wheels that Lambda can import, and nothing that had to be compiled here."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    told = ["--target", str(folder), "--only-binary=:all:", "--no-compile", "--no-cache-dir"]
    fitting = [f"--platform={each}" for each in PLATFORMS[architecture]]
    command = [*pip, *told, *fitting, *how, "--requirement", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"{requirements} has no wheels for Lambda:\n{done.stderr.strip()}")
    for scripts in folder.glob("bin"):
        shutil.rmtree(scripts)


def _configure(stage: str, source: Path, target: Path, place: Place | None) -> None:
    told = json.loads((source / "config.json").read_text(encoding="utf-8"))
    own: dict[str, Any] = told["stages"][stage]
    if place:
        own["environment_variables"] |= place.variables
        for name in mounts.MOUNTING:
            own["lambda_functions"][name] |= mounts.configuration(place.outputs)
    told["stages"] = {stage: own}
    target.mkdir(exist_ok=True)
    (target / "config.json").write_text(json.dumps(told, indent=2) + "\n")
    for name in own["lambda_functions"]:
        path = source / policies.path(name, stage).name
        policy = json.loads(path.read_text(encoding="utf-8"))
        (target / path.name).write_text(
            policies.text(place.pin(policy, name) if place else policy)
        )


def _compile(target: Path) -> None:
    """Compile all of it, and Chalice's two modules, which Chalice itself puts in as sources."""
    for folder in (target / "vendor", target / "chalicelib"):
        _compiled(compileall.compile_dir(folder, quiet=1, **_how(folder)))
    _compiled(compileall.compile_file(target / "app.py", quiet=1, **_how(target)))
    for path in (target / "__pycache__").iterdir():
        shutil.move(path, target / "vendor" / "__pycache__")
    (target / "__pycache__").rmdir()
    for name, path in _chalice_sources():
        cache = target / "vendor" / "chalice" / "__pycache__"
        copied = target / "vendor" / "chalice" / name
        cache.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copied)
        _compiled(compileall.compile_file(copied, quiet=1, **_how(target / "vendor")))
        copied.unlink()


def _how(folder: Path) -> Mapping[str, Any]:
    return {
        "force": True,
        "invalidation_mode": PycInvalidationMode.UNCHECKED_HASH,
        "stripdir": str(folder),
        "prependdir": "/var/task",
    }


def _compiled(is_done: object) -> None:
    if not is_done:
        raise BuildFailed("what was built does not compile; see above")


def _chalice_sources() -> Iterator[tuple[str, Path]]:
    spec = importlib.util.find_spec("chalice")
    if spec is None or spec.origin is None:
        raise BuildFailed("chalice is not installed here: use .venv-lambda")
    for name in ("__init__.py", "app.py"):
        yield name, Path(spec.origin).with_name(name)


def _forget_times(target: Path) -> None:
    for path in target.rglob("*"):
        os.utime(path, (_EPOCH, _EPOCH))
