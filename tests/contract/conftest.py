"""Every contract test runs once per implementation.

A suite that more homes fulfil than the embedded one names them in its ``pytestmark``: see
``HOMES_OF_STATE``.
"""

from __future__ import annotations

import pytest

from tests.contract.openers import IMPLEMENTATIONS


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def opener(request, tmp_path):
    root = tmp_path / "root"
    if request.param in IMPLEMENTATIONS:
        return IMPLEMENTATIONS[request.param](root)
    from tests.contract import aws_opener

    moto = request.getfixturevalue("moto_endpoint")
    match request.param:
        case "moto":
            return aws_opener.make(moto, root, sqs_endpoint=moto)
        case "dynalite":
            return aws_opener.make(request.getfixturevalue("dynalite_endpoint"), root)


@pytest.fixture
def ports(opener):
    return opener.open()
