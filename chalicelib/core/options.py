"""What a submitter may ask of us besides the demand itself: the ``options`` of a submission.

Whatever is left out is None, and so is not digested: a submission keeps its digest when a new
option comes up that it does not use. What an option means where it is left out is said by the
properties below, and by the defaults of ``Plan``.

Rules that need the stages' names are in ``check_options``; all others hold for any kind of run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from chalicelib.core.documents import at_field, shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.notifications import RunNotices
from chalicelib.core.noun import Noun
from chalicelib.core.plans.plan import CleanUpPolicy, RetryPolicy

MOST_ATTEMPTS: Final = 100
LONGEST_SECONDS: Final = 365 * 24 * 3600
USUAL_ATTEMPTS: Final = 3
"""What STAGE means where nobody says how many."""
RUN: Final = "run"
"""The key of ``timeout_seconds`` that is no stage."""


def _seconds(value: object) -> object:
    """True is an int to Python, and no time span to anybody."""
    if type(value) is not int or not 1 <= value <= LONGEST_SECONDS:
        raise InvalidRequest(
            f"{value!r:.100} is no number of seconds that can be kept",
            value=shortened(value),
            mend=f"give an integer from 1 to {LONGEST_SECONDS}, which is 365 days",
        )
    return value


Seconds = Annotated[int, BeforeValidator(_seconds)]


class Options(Noun):
    """The options; an unknown one is an error, for it is ours and would be obeyed."""

    group: str = Field(default="default", pattern=r"^[A-Za-z0-9._-]{1,128}$")
    cleanup: CleanUpPolicy | None = None
    """Wins over ``cleanup_inputs`` and ``cleanup_working_dir`` when given."""
    privileged: bool | None = None
    """False: not even where the site allows it. True: an error where it does not."""
    secrets: dict[str, str] = {}
    """Environment name → ARN of the secret; the value never passes through us."""
    retry_policy: RetryPolicy | None = None
    """Which failing stages run again; None: STAGE where ``max_attempts`` allows it, else NONE."""
    max_attempts: int | None = Field(default=None, strict=True, ge=1, le=MOST_ATTEMPTS)
    """Executions in all, the first included: of each stage, under GLOBAL of all together."""
    timeout_seconds: dict[str, Seconds] | None = None
    """``run`` or a stage's name → how long it may take. A number alone is the run's."""
    queue_wait_timeout_seconds: Seconds | None = None
    """How long a job may wait for a host."""
    fallback_job_queue_name: str | None = Field(default=None, min_length=1)
    """Where jobs go after the infrastructure failed under them twice."""
    notify: RunNotices | None = None
    """Who is told what becomes of the run."""

    @field_validator("timeout_seconds", mode="before")
    @classmethod
    def _take_a_number_alone(cls, value: Any) -> Any:
        """Both spellings become one, and so have one digest."""
        if isinstance(value, Mapping):
            return value or None
        return None if value is None else {RUN: _seconds(value)}

    @model_validator(mode="after")
    def _count_the_attempts(self) -> Self:
        if self.retry_policy is RetryPolicy.GLOBAL and self.max_attempts is None:
            raise InvalidRequest(
                "under GLOBAL all stages share one number of attempts, and none is given",
                field="max_attempts",
                mend="say how many executions all stages may have together",
            )
        return self

    @property
    def policy(self) -> RetryPolicy:
        """Whoever asks for several attempts and says no more means: of each stage."""
        if self.retry_policy is not None:
            return self.retry_policy
        return RetryPolicy.STAGE if (self.max_attempts or 1) > 1 else RetryPolicy.NONE

    def limits(self) -> dict[str, Any]:
        """Return the fields of ``Plan`` that are the options' to set; the rest is its own."""
        usual = USUAL_ATTEMPTS if self.policy is RetryPolicy.STAGE else 1
        run = (self.timeout_seconds or {}).get(RUN)
        return {
            "retry_policy": self.policy,
            "max_attempts": self.max_attempts or usual,
            "queue_wait_timeout_seconds": self.queue_wait_timeout_seconds,
            **({"timeout_seconds": run} if run else {}),
        }

    def stage_timeout(self, name: str) -> int | None:
        """Return how long one attempt of the stage may take; None: as long as the run."""
        return (self.timeout_seconds or {}).get(name)


def check_options(options: Options, stages: Sequence[str], closing: Sequence[str]) -> None:
    """Raise InvalidRequest where the options do not fit stages of these names.

    ``closing``: those of them that take things down, which GLOBAL does not count.
    """
    with at_field("options"):
        if options.notify is not None:
            options.notify.check_stages(stages)
        for name in options.timeout_seconds or ():
            if name not in {RUN, *stages}:
                raise InvalidRequest(
                    f"there is no stage {name!r:.100}",
                    field=f"timeout_seconds.{shortened(name)}",
                    value=shortened(name),
                    mend=f"give one of {', '.join((RUN, *stages))}",
                )
        needed = len(stages) - len(closing)
        if options.policy is RetryPolicy.GLOBAL and (options.max_attempts or 0) < needed:
            raise InvalidRequest(
                f"under GLOBAL each of the {needed} stages uses up one attempt at least",
                field="max_attempts",
                value=options.max_attempts,
                mend=f"give {needed} or more, or the retry policy STAGE",
            )
