"""What Chalice reads to deploy us."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from chalice.cli.factory import CLIFactory

CHECKOUT = Path(__file__).parents[3]


def test_the_policy_is_ours_and_not_generated():
    config = CLIFactory(str(CHECKOUT), environ={}).create_config_obj(chalice_stage_name="dev")
    assert (config.app_name, config.autogen_policy) == ("falsework", False)
    policy = json.loads((CHECKOUT / ".chalice" / config.iam_policy_file).read_text("utf-8"))
    for statement in policy["Statement"]:
        assert statement["Resource"] != "*"
        assert "*" not in statement["Action"]


def test_the_lambda_gets_what_it_needs_in_the_packages_own_ranges():
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = (CHECKOUT / "requirements.txt").read_text("utf-8").splitlines()
    needed = {line for line in lines if not line.startswith("#")}
    own = ("rich", "chalice")  # the command line's, and what Chalice adds by itself
    assert needed == {line for line in project["dependencies"] if not line.startswith(own)}
