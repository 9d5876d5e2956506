"""``make deploy STAGE=dev``: both stacks, in order, from nothing; again, and only what changed.

::

    foundation.yaml ─▶ stack falsework-dev-foundation ─▶ outputs   (``foundation``)
    outputs ─▶ build/dev/ ─▶ chalice package, merge.yaml ─▶ the artifacts bucket
            ─▶ stack falsework-dev ─▶ the API's address

With ``VIA=chalice`` the second half is ``chalice deploy`` in ``build/dev/``; Chalice's record of
what it made is kept in the artifacts bucket: without it the next deploy would make everything
twice. What only ``merge.yaml`` can say is then missing but for what ``tuning`` sets afterwards.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from botocore.exceptions import ClientError

from infra import foundation, function_logs, leaving, mounts, packages, records, stacks, tuning
from infra.account import Aws, environment
from infra.build import BuildFailed, build, check_stage
from infra.failures import exit_code
from infra.outputs import Place
from infra.stacks import StackFailed

_CHALICE: Final = "import sys; from chalice.cli import main; sys.exit(main())"
"""Its ``main`` returns the exit code, and ends with 0 if nobody heeds it."""
MERGE: Final = Path(__file__).with_name("merge.yaml")
_STAGE: Final = re.compile(r"(dev|test|prod)(-[a-z0-9]{1,8})?")


def deploy_app(aws: Aws, place: Place, project: Path) -> str:
    """Package the project with CloudFormation and deploy it; return the API's address."""
    if not stacks.is_there(aws.cloudformation, place.name):
        function_logs.check(aws.client("logs"), place.name)
    function_logs.take_from_functions(project)
    chalice(project, "package", "--stage", place.stage, "--merge-template", str(MERGE), "out")
    bucket = place.outputs["ArtifactBucket"]
    package = packages.put(
        aws.s3, bucket, (project / "out" / "deployment.zip").read_bytes(), ".zip"
    )
    template = project / "out" / "sam.yaml"
    text = template.read_text().replace("./deployment.zip", f"s3://{bucket}/{package}")
    template.write_text(text)
    key = packages.put(aws.s3, bucket, text.encode(), ".yaml")
    url = {"TemplateURL": place.object_url(bucket, key)}
    told = {
        "Name": place.name,
        "AccessPointArn": mounts.access_point(place.outputs),
        "PermissionsBoundary": place.outputs.get("PermissionsBoundary", ""),
    }
    return stacks.apply(aws.cloudformation, place.name, url, told)["EndpointURL"]


def deploy_with_chalice(aws: Aws, place: Place, project: Path) -> str:
    """Let Chalice deploy the project; return the API's address. Raises StackFailed.

    It makes log groups beforehand, which then expire, and which no late last line makes again.
    """
    if boundary := place.outputs.get("PermissionsBoundary"):
        raise StackFailed(
            f"parameter PermissionsBoundary={boundary}: Chalice gives its roles none: deploy"
            " without VIA=chalice, or take it back with PARAMETERS=PermissionsBoundary="
        )
    function_logs.make(aws.client("logs"), place.name)
    function_logs.take_from_functions(project)
    with records.kept(aws.s3, place.outputs["ArtifactBucket"], project, place.stage) as record:
        tuning.prepare(aws.lambdas, place)
        chalice(project, "deploy", "--stage", place.stage)
    tuning.tune(aws.lambdas, place)
    return records.address(record)


def chalice(project: Path, *words: str) -> None:
    """Run Chalice in the project. Raises BuildFailed."""
    command = [sys.executable, "-c", _CHALICE, *words]
    told = {**environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=project, env=told, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"chalice {words[0]} failed in {project}; what it said stands above")


def next_command(aws: Aws, place: Place, address: str) -> str:
    """Return what whoever has deployed should do next."""
    repository = place.outputs["WorkerRepositoryUri"].partition("/")[2]
    if place.outputs["WorkerImage"].startswith(place.outputs["WorkerRepositoryUri"]):
        try:
            images = aws.ecr.describe_images(repositoryName=repository)["imageDetails"]
        except ClientError:
            images = []
        if not images:
            return f"make image STAGE={place.stage}    # jobs need the worker's image"
    return f"falsework list --url {address.rstrip('/')}"


def main(argv: Sequence[str] | None = None) -> int:
    """Deploy the stage that is named."""
    told = _parser().parse_args(argv)
    return exit_code("deploy", lambda: _deploy(told))


def _deploy(told: argparse.Namespace) -> int:
    check_stage(told.stage)
    aws = Aws.of_environment()
    run = deploy_with_chalice if told.via == "chalice" else deploy_app
    _leave(aws, told, run)
    place = foundation.deploy(aws, told.stage, dict(told.parameter))
    if told.only_build:
        seen = Place(told.stage, mounts.without(place.outputs))
        print(f"{build(told.stage, seen, into=told.into)} is ready: cd there for chalice")
        return 0
    address = run(aws, place, build(told.stage, place, into=told.into))
    print(f"API:  {address}\nnext: {next_command(aws, place, address)}")
    return 0


def _leave(aws: Aws, told: argparse.Namespace, run: Callable[[Aws, Place, Path], str]) -> None:
    """Let the functions leave a network that is about to go."""
    found = leaving.outside(aws, told.stage, dict(told.parameter))
    if found is None:
        return
    if told.only_build:
        raise StackFailed(
            f"FunctionMounts=false: the functions leave first: make deploy STAGE={told.stage}"
        )
    place, before = found
    run(aws, place, build(told.stage, place, into=told.into))
    leaving.wait(aws, before)


def stage_name(text: str) -> str:
    """Return the stage. Raises ArgumentTypeError for what is none."""
    if not _STAGE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"stage {text!r}: dev, test or prod, perhaps dev-somebody"
        )
    return text


def _pair(text: str) -> tuple[str, str]:
    key, is_pair, value = text.partition("=")
    if not is_pair:
        raise argparse.ArgumentTypeError(f"parameter {text!r}: Name=value is meant")
    return key, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make deploy", description="Deploy both stacks.")
    parser.add_argument("stage", type=stage_name)
    parser.add_argument("--into", type=Path, help="where to build, instead of build/<stage>")
    parser.add_argument("--via", choices=("cloudformation", "chalice"), default="cloudformation")
    parser.add_argument(
        "--parameter", type=_pair, action="append", default=[], metavar="NAME=VALUE"
    )
    parser.add_argument(
        "--only-build", action="store_true", help="the first stack and build/ only"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
