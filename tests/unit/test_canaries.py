"""The canaries of ``tests/canaries`` must fit the code, or they would prove nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted((ROOT / "tests" / "canaries").glob("*.patch"))


def test_there_are_ten():
    assert len(PATCHES) == 10


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_each_can_be_applied(patch):
    subprocess.run(["git", "apply", "--check", patch], cwd=ROOT, check=True, capture_output=True)
