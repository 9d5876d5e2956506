"""Wake-up calls through SQS: a message that shows itself when its time has come.

SQS delays a message by 15 minutes at most. What is later is left to the run store's due index,
which finds it with the sweep; so is everything where no queue is configured. The same call twice
is two messages, and the second TimerFired changes nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from chalicelib.aws.client_errors import never, translated
from chalicelib.core.limits import SQS_DELAY_SECONDS


class SqsTimers:
    """The Timers of the AWS home."""

    def __init__(self, sqs: Any, queue_url: str, clock: Callable[[], datetime]) -> None:
        self._sqs = sqs
        self._queue_url = queue_url
        self._clock = clock

    def wake(self, run_id: str, at: datetime) -> None:
        """Send ``{"run_id", "at"}``, to be seen not before ``at``; a time gone by means now."""
        delay_seconds = max(0, math.ceil((at - self._clock()).total_seconds()))
        if not self._queue_url or delay_seconds > SQS_DELAY_SECONDS:
            return
        with translated(f"waking run {run_id}", never):
            self._sqs.send_message(
                QueueUrl=self._queue_url,
                MessageBody=json.dumps({"run_id": run_id, "at": at.isoformat()}),
                DelaySeconds=delay_seconds,
            )
