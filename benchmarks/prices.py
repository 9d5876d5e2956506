"""What AWS charges for the control plane of a demand execution: list prices, and arithmetic.

On-demand list prices of us-east-1 in US dollars, without any free tier, looked up on
``LOOKED_UP``. The machine that this was written on reaches no AWS page: the values were read in
stored copies of the pages named, or, where the copy has no figures, in the second source named.
Look them up again before you rely on them.

The Step Functions fragment's 242 state transitions and eight jobs for a demand with two inputs
and one output were counted in its synthesised definition (DESIGN, section 5).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from chalicelib.core.prices import Prices

REGION: Final = "us-east-1"
LOOKED_UP: Final = "2026-11-21"
FRAGMENT_TRANSITIONS: Final = 242
FRAGMENT_JOBS: Final = 8
GOAL: Final = 50
"""The control plane is to cost less than the fragment's divided by this."""

LAMBDA_MEMORY_GB: Final = 0.5
"""Assumed, as are the two below: nothing is deployed that could be measured."""
LAMBDA_SECONDS_OF_OURS: Final = 0.020
LAMBDA_SECONDS_PER_CALL: Final = 0.010
"""Of waiting for AWS, for each call that a handler makes: single-digit ms for DynamoDB, more
for S3 and Batch."""


class Price(NamedTuple):
    """A list price."""

    usd: float
    per: int
    """That many units."""
    unit: str
    source: str


PRICES: Final = {
    "api": Price(3.50, 1_000_000, "REST API call", "https://aws.amazon.com/api-gateway/pricing/ "
                 "(awsforengineers.com/blog/aws-api-gateway-pricing-explained)"),
    "lambda-request": Price(0.20, 1_000_000, "request", "https://aws.amazon.com/lambda/pricing/ "
                            "(cloudchipr.com/blog/aws-lambda-pricing)"),
    "lambda-time": Price(0.0000166667, 1, "GB-second, x86",
                         "https://aws.amazon.com/lambda/pricing/ "
                         "(cloudchipr.com/blog/aws-lambda-pricing)"),
    "dynamodb-write": Price(0.625, 1_000_000, "write request unit",
                            "https://aws.amazon.com/dynamodb/pricing/on-demand/ "
                            "(airbyte.com/data-engineering-resources/dynamodb-pricing)"),
    "dynamodb-read": Price(0.125, 1_000_000, "read request unit",
                           "https://aws.amazon.com/dynamodb/pricing/on-demand/ "
                           "(airbyte.com/data-engineering-resources/dynamodb-pricing)"),
    "s3-put": Price(Prices().s3_thousand_puts, 1_000, "PUT, COPY, POST or LIST",
                    "https://aws.amazon.com/s3/pricing/ "
                    "(cloudkaramchari.com, per 1,000 PUT COPY POST or LIST requests)"),
    "s3-get": Price(Prices().s3_thousand_gets, 1_000, "GET and all other requests",
                    "https://aws.amazon.com/s3/pricing/ (from memory: no copy had the figure)"),
    "sqs": Price(0.40, 1_000_000, "request, standard queue", "https://aws.amazon.com/sqs/pricing/ "
                 "(cloudburn.io/blog/amazon-sqs-pricing)"),
    "state-transition": Price(0.025, 1_000, "state transition, standard workflow",
                              "https://aws.amazon.com/step-functions/pricing/"),
}  # fmt: skip
"""Events that AWS services send to the default bus, SubmitJob and the rest of Batch's API, EFS's
and ECR's look-ups are free of charge."""


class Usage(NamedTuple):
    """What one demand execution used."""

    api_calls: int
    lambda_invocations: int
    lambda_aws_calls: int
    """Made by the handlers, whoever pays for them: they take time."""
    dynamodb_write_units: float
    dynamodb_read_units: float
    s3_puts: int
    s3_gets: int
    sqs_requests: int

    def amounts(self) -> dict[str, float]:
        """Return how much of what ``PRICES`` names was used."""
        seconds = (
            self.lambda_invocations * LAMBDA_SECONDS_OF_OURS
            + self.lambda_aws_calls * LAMBDA_SECONDS_PER_CALL
        )
        return {
            "api": self.api_calls,
            "lambda-request": self.lambda_invocations,
            "lambda-time": seconds * LAMBDA_MEMORY_GB,
            "dynamodb-write": self.dynamodb_write_units,
            "dynamodb-read": self.dynamodb_read_units,
            "s3-put": self.s3_puts,
            "s3-get": self.s3_gets,
            "sqs": self.sqs_requests,
        }


def usd(name: str, amount: float) -> float:
    """Return what that much of it costs."""
    price = PRICES[name]
    return price.usd * amount / price.per


def usd_per_thousand(usage: Usage) -> dict[str, float]:
    """Return what 1,000 such demands cost, by what they used."""
    return {name: 1000 * usd(name, amount) for name, amount in usage.amounts().items()}


def fragment_usd_per_thousand() -> float:
    """Return what the fragment's state transitions alone cost for 1,000 demands."""
    return 1000 * usd("state-transition", FRAGMENT_TRANSITIONS)


def is_goal_reached(ours_usd: float) -> bool:
    """Whether 1,000 of our demands cost less than one fiftieth of the fragment's."""
    return ours_usd * GOAL < fragment_usd_per_thousand()
