"""``make image STAGE=dev``: the worker's image, built from the wheel and pushed to the foundation.

::

    wheel + Dockerfile ─▶ tag <version>-<digest>, which never moves ─▶ built and pushed,
                                                                       unless it is there
    tag latest, which the functions and a job definition name ─▶ moved to it

The same sources make the same wheel (``make wheel`` tells the time of its files), so they are one
image in a repository, however often a stage is deployed. What the base image and the packages were
that day is not in the tag: for newer ones the Dockerfile has to say so, then it is another image.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from infra import stacks
from infra.account import Aws
from infra.deploy import stage_name
from infra.failures import Failed, exit_code
from infra.lambda_python import CHECKOUT

DOCKERFILE: Final = Path(__file__).parent / "worker" / "Dockerfile"


class NoImage(Failed):
    """There is no image, and why."""


def push(aws: Aws, stage: str, tool: str = "docker") -> str:
    """Make `latest` the image of these sources; return its name. Raises NoImage, StackFailed."""
    wheels = sorted((CHECKOUT / "dist").glob("falsework-*.whl"))
    if len(wheels) != 1:
        raise NoImage(f"dist/ must hold one wheel, and has {len(wheels)}: make wheel")
    tag = tag_of(wheels[0])
    told = stacks.outputs(aws.cloudformation, f"falsework-{stage}-foundation")
    repository = told["WorkerRepositoryUri"]
    if not _has(aws.ecr, repository, tag):
        _build(aws, repository, tag, tool)
    _move_latest(aws.ecr, repository, tag)
    return f"{repository}:{tag}"


def tag_of(wheel: Path) -> str:
    """Return what the image of this wheel is called."""
    made_of = wheel.read_bytes() + DOCKERFILE.read_bytes()
    return f"{wheel.name.split('-')[1]}-{hashlib.sha256(made_of).hexdigest()[:12]}"


def _build(aws: Aws, repository: str, tag: str, tool: str) -> None:
    (login,) = aws.ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
    _run(tool, "login", "--username", user, "--password-stdin", repository, stdin=password)
    name = f"{repository}:{tag}"
    how = ("--platform", "linux/amd64", "--file", str(DOCKERFILE), "--tag", name)
    _run(tool, "build", *how, str(CHECKOUT))
    _run(tool, "push", name)


def _has(ecr: Any, repository: str, tag: str) -> bool:
    try:
        ecr.describe_images(repositoryName=_path(repository), imageIds=[{"imageTag": tag}])
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "ImageNotFoundException":
            raise
        return False
    return True


def _move_latest(ecr: Any, repository: str, tag: str) -> None:
    """ECR gives the tag to the image, without anybody pulling it."""
    name = _path(repository)
    found = ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": tag}])["images"]
    if not found:
        raise NoImage(f"{repository}:{tag} was pushed and is not there: make image again")
    manifest = {"imageManifest": found[0]["imageManifest"]}
    if kind := found[0].get("imageManifestMediaType"):
        manifest["imageManifestMediaType"] = kind
    try:
        ecr.put_image(repositoryName=name, imageTag="latest", **manifest)
    except ClientError as exc:
        if exc.response["Error"]["Code"] != "ImageAlreadyExistsException":  # it is that one
            raise


def _path(repository: str) -> str:
    return repository.partition("/")[2]


def _run(*words: str, stdin: str = "") -> None:
    try:
        done = subprocess.run(words, input=stdin, text=True, check=False)
    except FileNotFoundError as exc:
        raise NoImage(f"{words[0]} is not installed here: build where it is") from exc
    if done.returncode != 0:
        raise NoImage(f"{words[0]} {words[1]} failed; what it said stands above")


def main(argv: Sequence[str] | None = None) -> int:
    """Push the image of the stage that is named."""
    parser = argparse.ArgumentParser(prog="make image", description="Push the worker's image.")
    parser.add_argument("stage", type=stage_name)
    told = parser.parse_args(argv)
    return exit_code("image", lambda: _push(told.stage))


def _push(stage: str) -> int:
    print(push(Aws.of_environment(), stage))
    return 0


if __name__ == "__main__":
    sys.exit(main())
