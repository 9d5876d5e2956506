"""Bodies that could be sent as they stand, for those who learn by example (and Schemathesis)."""

from __future__ import annotations

from typing import Any, Final

DEMAND: Final[dict[str, Any]] = {
    "execution_type": "greeting",
    "execution_id": "greeting-1",
    "execution_image": "python:3.11-slim",
    "execution_parameters": {
        "command": ["sh", "-c", "'echo hello > ${GREETING}'"],
        "params": {"greeting": "greeting.txt"},
        "outputs": ["greeting"],
        "output_s3_prefix": "s3://demo/results/greeting-1",
    },
    "execution_platform": {"aws_batch": {"job_queue_name": "default"}},
    "resource_requirements": {"vcpus": 1, "memory": 512},
    "options": {"group": "default", "max_attempts": 2},
}
JOB_DEFINITION: Final[dict[str, Any]] = {
    "image": "python:3.11-slim",
    "job_definition_name": "greeting",
    "job_queue_name": "default",
    "command": ["echo", "hello"],
    "resource_requirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
}
BATCH_JOB: Final[dict[str, Any]] = {
    "image": "python:3.11-slim",
    "command": ["echo", "hello"],
    "vcpus": 1,
    "memory": 512,
    "run_id": "hello-1",
}
DATA_SYNC: Final[dict[str, Any]] = {
    "source_path": "s3://demo/results/",
    "destination_path": "s3://demo/copies/",
    "run_id": "copy-1",
}
DATA_PATH: Final[dict[str, Any]] = {"path": "s3://demo/results/", "run_id": "look-1"}
CLEAN_UP: Final[dict[str, Any]] = {
    "path": "fs-0123456789abcdef0:/scratch",
    "days_since_last_accessed": 30,
}
WORKS: Final[list[dict[str, Any]]] = [
    {"pipeline": "greeting", "site": "local", "user": "demo", "command": ["echo", "hello"]}
]
ENDED_WORKS: Final[list[dict[str, Any]]] = [
    {**WORKS[0], "id": "0123456789abcdef01234567", "status": "success", "results": {"said": 1}}
]
FILTER: Final[dict[str, Any]] = {"pipeline": "greeting", "priority": {"$gte": 3}}
VIEW: Final[dict[str, Any]] = {"query": FILTER, "limit": 10}
CONFIG: Final[dict[str, Any]] = {
    "version": "2",
    "name": "greeting",
    "defaults": {"user": "demo", "site": "local"},
    "pipeline": {
        "steps": [
            {"name": "greet", "stage": 1, "work": {"command": ["echo", "hello"]}},
            {"name": "part", "stage": 2, "work": {"command": ["echo", "bye"]}},
        ]
    },
}
RETRY: Final[dict[str, Any]] = {"id": "0123456789abcdef01230000", "name": "greeting"}
SCHEDULE: Final[dict[str, Any]] = {"crontab": "0 6 * * *", "lives": 3, "config": CONFIG}
