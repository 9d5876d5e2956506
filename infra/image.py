"""``make image STAGE=dev``: the worker's image, built from the wheel and pushed to the foundation.

It is tagged with its version and the wheel's digest, which never move, and ``latest``, which the
job definition of the foundation names.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from infra import stacks
from infra.account import Aws
from infra.deploy import stage_name
from infra.lambda_python import CHECKOUT
from infra.stacks import StackFailed

DOCKERFILE: Final = Path(__file__).parent / "worker" / "Dockerfile"


class NoImage(Exception):
    """There is no image, and why."""


def push(aws: Aws, stage: str, tool: str = "docker") -> str:
    """Build and push; return the image's name. Raises NoImage, StackFailed."""
    wheels = sorted((CHECKOUT / "dist").glob("falsework-*.whl"))
    if len(wheels) != 1:
        raise NoImage(f"dist/ must hold one wheel, and has {len(wheels)}: make wheel")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    told = stacks.outputs(aws.cloudformation, f"falsework-{stage}-foundation")
    repository = told["WorkerRepositoryUri"]
    (login,) = aws.ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
    _run(tool, "login", "--username", user, "--password-stdin", repository, stdin=password)
    names = [
        f"{repository}:{tag}" for tag in (f"{wheels[0].name.split('-')[1]}-{digest[:8]}", "latest")
    ]
    tags = [word for name in names for word in ("--tag", name)]
    _run(
        tool, "build", "--platform", "linux/amd64", "--file", str(DOCKERFILE), *tags, str(CHECKOUT)
    )
    for name in names:
        _run(tool, "push", name)
    return names[0]


def _run(*words: str, stdin: str = "") -> None:
    try:
        done = subprocess.run(words, input=stdin, text=True, check=False)
    except FileNotFoundError as exc:
        raise NoImage(f"{words[0]} is not installed here: build where it is") from exc
    if done.returncode != 0:
        raise NoImage(f"{words[0]} {words[1]} failed; what it said stands above")


def main(argv: Sequence[str]) -> int:
    """Push the image of the stage that is named."""
    try:
        print(push(Aws.of_environment(), stage_name(argv[0])))
    except (NoImage, StackFailed) as exc:
        print(f"image: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
