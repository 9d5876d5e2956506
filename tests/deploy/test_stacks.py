"""``make deploy`` and ``make destroy``: both halves in order, again, and what is left.

moto knows neither Batch's service-linked role nor SAM's macro, so the foundation is told of a job
queue that is there, and the stack of the application is a fake's.
"""

from __future__ import annotations

import json

import pytest

from tests.clouds.clients import client, closing_clients
from tests.deploy.moto_for_chalice import serving
from tests.deploy.running import of_lambda

QUEUE = "JobQueueArn=arn:aws:batch:us-east-1:123456789012:job-queue/mine"


class Place:
    """An account, and the commands in it."""

    def __init__(self, endpoint, python):
        self.endpoint, self._python = endpoint, python

    def run(self, module, *words):
        return of_lambda(self._python, "-m", f"infra.{module}", *words, AWS_ENDPOINT_URL=self.endpoint)

    def outputs(self):
        (stack,) = client("cloudformation", self.endpoint).describe_stacks(
            StackName="falsework-dev-foundation"
        )["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
