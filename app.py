"""Where Chalice finds the application: REST comes from ``chalicelib.web``, events come in here.

A handler hands on what came and decides nothing. Handlers stand here and never move: ``chalice
deploy`` does not update a function's handler. What they listen to are names that the deployment
sets in ``.chalice/config.json``, since Chalice asks for them when it imports this module.

::

    S3 "Object Created"      ─▶ on_object_created ─▶ a request file becomes runs, and a receipt
    the submissions queue    ─▶ on_submission     ─▶ documents become runs, or dead letters
    Batch "Job State Change" ─▶ on_job_change     ─▶ a run moves on
    the wake queue           ─▶ on_wake           ─▶ a run is looked at
    every minute             ─▶ on_sweep          ─▶ so is what no event was heard of
    the notices queue        ─▶ on_notice         ─▶ those who want to be told of runs are told
    every day                ─▶ on_cleanup_time   ─▶ a run for each file system's clean-up
"""

from __future__ import annotations

from typing import Any, Final

from chalice.app import CloudWatchEvent, Rate, SQSEvent

from chalicelib import bootstrap, file_intake
from chalicelib.aws.inbound import created_pattern, job_pattern
from chalicelib.settings import load_event_sources
from chalicelib.web.chalice_api import deployed_app
from chalicelib.web.logs import with_ids

SOURCES: Final = load_event_sources()

app = deployed_app(SOURCES.handler)
app.register_middleware(with_ids)


@app.on_cw_event(created_pattern(SOURCES.requests_bucket), name="on_object_created")
def on_object_created(event: CloudWatchEvent) -> None:
    """Take in a request file that was dropped into the requests bucket."""
    bootstrap.aws_home().on_object_created(event.to_dict())


# Batch takes 50 submissions a second, so more functions at a time would only wait.
@app.on_sqs_message(
    queue=SOURCES.submissions_queue, batch_size=10, name="on_submission", maximum_concurrency=10
)
def on_submission(event: SQSEvent) -> dict[str, Any] | None:
    """Take in documents from the submissions queue."""
    return bootstrap.aws_home().on_submissions(event.to_dict())


@app.on_cw_event(job_pattern(SOURCES.prefix), name="on_job_change")
def on_job_change(event: CloudWatchEvent) -> None:
    """Tell a run how its job is."""
    bootstrap.aws_home().on_job_change(event.to_dict())


@app.on_sqs_message(
    queue=SOURCES.wake_queue, batch_size=10, name="on_wake", maximum_concurrency=10
)
def on_wake(event: SQSEvent) -> dict[str, Any] | None:
    """Look at runs whose time has come."""
    return bootstrap.aws_home().on_wakes(event.to_dict())


@app.schedule(Rate(1, unit=Rate.MINUTES), name="on_sweep")
def on_sweep(event: CloudWatchEvent) -> dict[str, int]:  # noqa: ARG001  (what Chalice calls with)
    """Look at the runs that are due, and for request files that were missed."""
    return bootstrap.aws_home().sweep()


@app.schedule(SOURCES.cleanup_schedule, name="on_cleanup_time")
def on_cleanup_time(event: CloudWatchEvent) -> dict[str, list[str]]:  # noqa: ARG001
    """Start the day's clean-ups of file systems; a second time on one day nothing is started."""
    return file_intake.submit_cleanups(bootstrap.aws_home().ports)


@app.on_sqs_message(
    queue=SOURCES.notices_queue, batch_size=10, name="on_notice", maximum_concurrency=5
)
def on_notice(event: SQSEvent) -> dict[str, Any] | None:
    """Tell those who want to be told of runs."""
    return bootstrap.aws_home().on_notices(event.to_dict())
