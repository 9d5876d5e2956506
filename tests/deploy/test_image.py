"""The worker's image: one for the same sources, however often it is asked for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase

import boto3
import pytest
from moto import mock_aws

from infra import image
from infra.account import Aws
from infra.lambda_python import CHECKOUT
from infra.templates import read
from tests.deploy.fake_aws import FakeCloudFormation

NAME = "falsework-dev-worker"
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"digest": "sha256:1"},
    "layers": [],
}
RULES = json.loads(
    read()["Resources"]["WorkerRepository"]["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"]
)["rules"]


class Ecr:
    """moto's, and a docker that only notes what it is asked and pushes what there is."""

    def __init__(self, client, folder):
        self.client, self._log = client, folder / "log"
        self.tool = folder / "docker"
        self.tool.write_text(f'#!/bin/sh\necho "$@" >> {self._log}\ncat > /dev/null\n')
        self.tool.chmod(0o755)

    def calls(self):
        return self._log.read_text().splitlines() if self._log.exists() else []

    def hold(self, tag, config):
        manifest = json.dumps({**MANIFEST, "config": {"digest": config}})
        self.client.put_image(repositoryName=NAME, imageTag=tag, imageManifest=manifest)

    def tags(self):
        told = self.client.describe_images(repositoryName=NAME)["imageDetails"]
        return [sorted(each["imageTags"]) for each in told if each.get("imageTags")]


@pytest.fixture
def ecr(tmp_path):
    with mock_aws():
        client = boto3.session.Session(region_name="us-east-1").client("ecr")
        client.create_repository(repositoryName=NAME)
        yield Ecr(client, tmp_path)


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    monkeypatch.setattr(image, "CHECKOUT", tmp_path)
    (tmp_path / "dist").mkdir()
    path = tmp_path / "dist" / "falsework-0.1.0-py3-none-any.whl"
    path.write_bytes(b"1")
    return path


def push(ecr):
    fake = FakeCloudFormation()
    fake.outputs = {"WorkerRepositoryUri": f"{HOST}/{NAME}"}
    fake.create_stack(StackName="s", Parameters=[])
    return image.push(Aws(fake, None, None, ecr.client, lambda _: None), "dev", str(ecr.tool))


def test_an_image_that_is_there_is_not_built_and_becomes_the_latest(ecr, wheel):
    tag = image.tag_of(wheel)
    ecr.hold("0.1.0-0", "sha256:0")
    ecr.hold("latest", "sha256:0")
    ecr.hold(tag, "sha256:1")
    for _ in range(2):
        assert push(ecr) == f"{HOST}/{NAME}:{tag}"
    assert sorted(ecr.tags()) == [["0.1.0-0"], sorted([tag, "latest"])]
    assert ecr.calls() == []


def test_one_that_is_not_there_is_built_and_pushed_under_its_own_tag(ecr, wheel):
    with pytest.raises(image.NoImage, match="make image again"):  # this docker pushes nothing
        push(ecr)
    login, build, pushed = ecr.calls()
    name = f"{HOST}/{NAME}:{image.tag_of(wheel)}"
    assert login.startswith("login --username")
    assert f"--tag {name} " in build
    assert pushed == f"push {name}"


def test_other_sources_and_another_dockerfile_are_another_image(wheel, tmp_path, monkeypatch):
    before = image.tag_of(wheel)
    assert image.tag_of(wheel) == before
    assert re.fullmatch(r"0\.1\.0-[0-9a-f]{12}", before)
    wheel.write_bytes(b"2")
    changed = image.tag_of(wheel)
    monkeypatch.setattr(image, "DOCKERFILE", tmp_path / "Dockerfile")
    (tmp_path / "Dockerfile").write_text("FROM python@sha256:0\n")
    assert len({before, changed, image.tag_of(wheel)}) == 3


def test_docker_that_is_not_installed_is_said(ecr, wheel):
    ecr.tool.unlink()
    with pytest.raises(image.NoImage, match="is not installed here"):
        push(ecr)
    assert wheel.exists()


def selected(rule, tags):
    """Whether the rule counts such an image (ECR guide, lifecycle policy properties)."""
    about = rule["selection"]
    if about["tagStatus"] == "untagged":
        return not tags
    return all(any(fnmatchcase(tag, each) for tag in tags) for each in about["tagPatternList"])


def test_versions_expire_that_a_hundred_came_after_and_the_latest_never(wheel):
    """A rule counts no image that one before it counts: `latest` is one image, and one is kept."""
    tag = image.tag_of(wheel)
    latest, versions, untagged = sorted(RULES, key=lambda each: each["rulePriority"])
    assert selected(latest, ["latest", tag])
    assert not selected(latest, [tag])
    assert latest["selection"]["countType"] == "imageCountMoreThan"
    assert latest["selection"]["countNumber"] >= 1
    assert selected(versions, [tag])
    assert versions["selection"]["countType"] == "imageCountMoreThan"
    assert versions["selection"]["countNumber"] == 100
    assert selected(untagged, [])
    assert not selected(untagged, [tag])


@pytest.mark.slow
def test_the_same_sources_make_the_same_wheel_whenever_they_are_checked_out(tmp_path):
    """As `make wheel` does it, which says what time the files are of."""
    (recipe,) = re.findall(
        r"^\t(.*pip wheel.*)$", (CHECKOUT / "Makefile").read_text(), re.MULTILINE
    )
    listed = ["git", "ls-files", "chalicelib", "pyproject.toml", "README.md"]
    files = subprocess.run(
        listed, cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout.split()
    made = set()
    for when in ("2025-01-01", "2026-02-02"):
        folder = tmp_path / when
        for each in files:
            (folder / each).parent.mkdir(parents=True, exist_ok=True)
            if (CHECKOUT / each).exists():
                (folder / each).write_bytes((CHECKOUT / each).read_bytes())
        subprocess.run(
            ["sh", "-c", f"find . -exec touch -d {when} {{}} +"], cwd=folder, check=True
        )
        here = recipe.replace("$(BIN)/pip", f"{sys.executable} -m pip")
        subprocess.run(["sh", "-c", here], cwd=folder, check=True, capture_output=True)
        (wheel,) = (folder / "dist").glob("*.whl")
        made.add(wheel.read_bytes())
    assert len(made) == 1
