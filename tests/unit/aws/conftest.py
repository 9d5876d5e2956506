"""A table of its own for each test."""

from __future__ import annotations

import pytest

from tests.contract.aws_opener import AwsOpener, make


@pytest.fixture
def opener(moto_endpoint, tmp_path) -> AwsOpener:
    return make(moto_endpoint, tmp_path / "root")
