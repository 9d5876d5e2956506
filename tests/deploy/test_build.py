"""What goes to Lambda: whole, compiled, small, quick to import, the same every time."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from infra.build import NOT_IN_LAMBDA
from infra.lambda_python import CHECKOUT, VERSIONS, NoPython, find
from tests.deploy.running import build_into, of_lambda

ZIP_MIB = 9
"""It has 6.6: half of it compiled, a third pydantic's core. A cold start fetches all of it."""
IMPORT_RATIO = {"app.on_wake": 2.3, "app.app": 2.7}
"""How many times as long as ``import boto3`` a function's ``import app`` may take: it took 1.8,
and 2.2 with the routes. What comes to more has begun to import what it should not."""
ONLY_ASKED = ("chalicelib.web.openapi", "chalicelib.core.asl")
"""What a route imports when it is asked for."""
ONLY_ROUTES = (
    "chalicelib.web.shapes", "chalicelib.web.api",
    "chalicelib.run_manager", "chalicelib.core.configs",
)  # fmt: skip
"""What only the function that answers requests imports as it starts."""
FORBIDDEN = {
    "boto3", "botocore", "obstore", "rich", "asyncio", "sqlite3", "multiprocessing", "yaml",
    "unittest", "chalice.cli", "chalice.deploy", "chalice.local",
    "aws_lambda_powertools.utilities.parser",
}  # fmt: skip
"""What a cold start must not pay for. boto3 comes with the first event."""


@pytest.fixture(scope="module")
def unpacked(packaged, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(packaged / "deployment.zip") as package:
        package.extractall(folder)
    return folder


def in_task(python, task, code, handler="app.on_wake"):
    """Run the code with what is in the zip, and nothing that is installed here."""
    return of_lambda(python, "-S", "-c", code, cwd=task, PYTHONPATH=str(task), _HANDLER=handler)


def a_project(folder: Path, requirements: str) -> Path:
    folder.mkdir()
    shutil.copytree(CHECKOUT / ".chalice", folder / ".chalice")
    shutil.copytree(
        CHECKOUT / "chalicelib", folder / "chalicelib",
        ignore=shutil.ignore_patterns("__pycache__"),
    )  # fmt: skip
    shutil.copy(CHECKOUT / "app.py", folder)
    (folder / "requirements.txt").write_text(requirements)
    return folder


def test_a_wheel_that_is_missing_fails_the_build(lambda_python, tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    project = a_project(tmp_path / "project", "simplejson==3.19.3\n")
    source_only = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    (wheels / "simplejson-3.19.3.tar.gz").write_bytes(b"")
    done = build_into(lambda_python, tmp_path / "out", project, **source_only)
    assert done.returncode == 1
    assert "build failed" in done.stderr
    assert "simplejson==3.19.3" in done.stderr
    assert not (tmp_path / "out" / "app.py").exists()


def test_a_stage_that_is_not_configured_fails_the_build(lambda_python, tmp_path):
    done = build_into(lambda_python, tmp_path / "out", stage="test")
    assert "stage 'test' is not in .chalice/config.json: it has dev, prod" in done.stderr


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python may build")
def test_a_python_that_lambda_should_not_run_builds_nothing(tmp_path):
    done = build_into(Path(sys.executable), tmp_path / "out")
    assert "build with one of 3.13, 3.12, 3.14" in done.stderr


def test_without_a_python_for_lambda_it_is_said_how_to_name_one():
    with pytest.raises(NoPython, match=r"LAMBDA_PYTHON=/path/to/python3\.13"):
        find({"LAMBDA_PYTHON": "/bin/false"})


def test_everything_in_the_zip_is_compiled(packaged):
    names = set(zipfile.ZipFile(packaged / "deployment.zip").namelist())
    sources = {Path(name) for name in names if name.endswith(".py")}
    (tag,) = {name.rsplit(".", 2)[1] for name in names if name.endswith(".pyc")}
    assert tag.removeprefix("cpython-3") in {each.removeprefix("3.") for each in VERSIONS}
    missing = {
        str(path)
        for path in sources
        if str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc") not in names
    }
    assert not missing


def test_what_is_compiled_is_used_whatever_the_times_say(packaged):
    """PEP 552: bit 0 is "hash-based", bit 1 "check the source"; neither time nor source count."""
    with zipfile.ZipFile(packaged / "deployment.zip") as package:
        for name in package.namelist():
            if name.endswith(".pyc"):
                assert package.read(name)[4:8] == b"\x01\x00\x00\x00", name


def test_the_zip_is_small(packaged):
    assert (packaged / "deployment.zip").stat().st_size <= ZIP_MIB * 1024**2


def test_the_zip_holds_what_lambda_needs_and_no_more(packaged):
    names = zipfile.ZipFile(packaged / "deployment.zip").namelist()
    roots = {name.split("/")[0].removesuffix(".py") for name in names}
    packages = {root for root in roots if not root.endswith(".dist-info")}
    assert packages == {
        "__pycache__", "annotated_types", "app", "aws_lambda_powertools", "chalice", "chalicelib",
        "cronsim", "jmespath", "pydantic", "pydantic_core", "typing_extensions",
        "typing_inspection",
    }  # fmt: skip
    parts = {name.split("/")[1] for name in names if name.startswith("chalicelib/")}
    assert not parts & set(NOT_IN_LAMBDA)


def test_the_same_sources_make_the_same_build(built, lambda_python, tmp_path):
    again = tmp_path / "again"
    assert build_into(lambda_python, again).returncode == 0
    assert files(again) == files(built)


def files(folder: Path) -> dict[str, tuple[bytes, float]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "deployments" not in path.parts
    }


@pytest.mark.parametrize(
    ("handler", "forbidden"),
    [("app.app", ONLY_ASKED), ("app.on_wake", (*ONLY_ASKED, *ONLY_ROUTES))],
    ids=["the function that answers requests", "one that does not"],
)
def test_importing_the_application_imports_nothing_that_the_function_does_not_need(
    unpacked, lambda_python, handler, forbidden
):
    code = "import sys, json; import app; print(json.dumps(sorted(sys.modules)))"
    done = in_task(lambda_python, unpacked, code, handler)
    assert done.returncode == 0, done.stderr
    imported = set(json.loads(done.stdout))
    assert not FORBIDDEN & imported
    assert not [name for name in imported if name.startswith(forbidden)]
    assert ("chalicelib.web.api" in imported) == (handler == "app.app")


def test_importing_the_application_is_quick(unpacked, lambda_python):
    """Processor time, and the best of seven by turns: so a busy machine counts for little."""
    site = of_lambda(lambda_python, "-c", "import boto3; print(boto3.__path__[0])").stdout.strip()
    clock = "import time; t = time.process_time(); {}; print(time.process_time() - t)"
    boto = f"import sys; sys.path.append({str(Path(site).parent)!r}); import boto3"
    wanted = {**dict.fromkeys(IMPORT_RATIO, "import app"), "boto3": boto}
    taken = {name: [] for name in wanted}
    for _ in range(7):
        for name, code in wanted.items():
            done = in_task(lambda_python, unpacked, clock.format(code), name)
            assert done.returncode == 0, done.stderr
            taken[name].append(float(done.stdout))
    least = {name: min(seconds) for name, seconds in taken.items()}
    ratios = {name: least[name] / least["boto3"] for name in IMPORT_RATIO}
    assert all(ratios[name] < most for name, most in IMPORT_RATIO.items()), (ratios, least)
