"""Our sync beside ``s5cmd``, ``aws s3 sync`` and boto3's TransferManager, in one go.

::

    python -m benchmarks.sync [--rounds 3] [--folder /dev/shm]
    python -m benchmarks.sync --small 20 --large 1 --large-mib 9      # does it run at all?

The server is ``rclone serve s3`` on this machine, started and ended here: of what can be had it is
the fastest (specs: platform), but it shares the machine's cores with its client. Without
``--no-checksum`` it takes the MD5 of every object that is read as a whole, and of none that is
read in ranges: a second for each GiB, on the cores that the client needs. What it logs is shown
when a tool fails. Every sample is a process of its own with an empty place to go to; the order of
the tools rotates. Tools are installed from PyPI into ``benchmarks/.venv``; one that cannot be had
is named and left out. Ratios are to ours, of the medians. Never a test: nothing fails for being
slow.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.sync_tools import TOOLS, Tool, installed_tools, variables

ROWS: Final = (
    "upload small",
    "download small",
    "nothing changed",
    "upload large",
    "download large",
)
PORT: Final = 9187
BUCKET: Final = "bench"


class Sample(NamedTuple):
    """What one process took."""

    wall_seconds: float
    cpu_seconds: float
    peak_mib: float


def main() -> None:
    """Print one table for each row."""
    told = _arguments()
    tools = installed_tools(told.tools)
    with tempfile.TemporaryDirectory(prefix="falsework-sync-", dir=told.folder) as name:
        folder = Path(name)
        make_files(folder / "small", told.small, 4096)
        make_files(folder / "large", told.large, told.large_mib * 2**20)
        with serving(folder / "server"):
            samples = _rounds(tools, folder, told.rounds)
    _print(samples)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small", type=int, default=10_000, help="files of 4 KiB")
    parser.add_argument("--large", type=int, default=4)
    parser.add_argument("--large-mib", type=int, default=256)
    parser.add_argument(
        "--folder", type=Path, help="where all files lie; /dev/shm spares the disk"
    )
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    return parser.parse_args()


def make_files(folder: Path, count: int, size_bytes: int) -> None:
    """A hundred files to a folder; their content cannot be compressed."""
    for number in range(count):
        path = folder / f"{number // 100:03}" / f"{number:06}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for start in range(0, size_bytes, 2**20):
                file.write(os.urandom(min(2**20, size_bytes - start)))


@contextmanager
def serving(folder: Path) -> Iterator[None]:
    """Serve the folder as S3 at ``PORT``; its bucket is ``BUCKET``."""
    (folder / BUCKET).mkdir(parents=True, exist_ok=True)
    rclone = str(Path(__file__).parent / ".venv" / "bin" / "rclone")
    command = [rclone, "serve", "s3", str(folder), "--addr", f"127.0.0.1:{PORT}"]
    key = f"{variables(PORT)['AWS_ACCESS_KEY_ID']},{variables(PORT)['AWS_SECRET_ACCESS_KEY']}"
    command += ["--auth-key", key, "--log-level", "ERROR", "--no-checksum"]
    log = folder.parent / "server.log"
    with log.open("wb") as said:
        server = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        time.sleep(2)
        yield
    except SystemExit:
        print(log.read_bytes()[-4000:].decode(errors="replace"), file=sys.stderr)
        raise
    finally:
        server.terminate()
        server.wait()


def _rounds(tools: list[Tool], folder: Path, rounds: int) -> dict[tuple[str, str], list[Sample]]:
    samples: dict[tuple[str, str], list[Sample]] = {}
    for number in range(rounds):
        for row in ROWS:
            for place in range(len(tools)):
                tool = tools[(place + number) % len(tools)]
                sample = _sample(tool, row, folder, number)
                if sample is not None:
                    samples.setdefault((row, tool.name), []).append(sample)
    return samples


def _sample(tool: Tool, row: str, folder: Path, number: int) -> Sample | None:
    kind = "large" if "large" in row else "small"
    files, uri = folder / kind, f"s3://{BUCKET}/{tool.name}-{number}/{kind}/"
    if row == "nothing changed":
        return _timed(tool, tool.upload(files, uri), row) if tool.can_sync else None
    if row.startswith("upload"):
        return _timed(tool, tool.upload(files, uri), row)
    arrived = folder / "arrived"
    sample = _timed(tool, tool.download(uri, arrived), row)
    _check(files, arrived, tool)
    shutil.rmtree(arrived)
    if kind == "large":
        shutil.rmtree(folder / "server" / BUCKET / f"{tool.name}-{number}")
    return sample


def _timed(tool: Tool, command: list[str], row: str) -> Sample:
    """Run it; the usage is that of the process and of its children."""
    print(f"{row}: {tool.name}", file=sys.stderr, flush=True)
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        environment = {**os.environ, **variables(PORT)}
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode:
            said.seek(0)
            sys.exit(f"{tool.name} failed:\n{said.read()[-2000:].decode(errors='replace')}")
    return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _check(files: Path, arrived: Path, tool: Tool) -> None:
    def sizes(root: Path) -> dict[str, int]:
        found = {}
        for path in root.rglob("*"):
            with suppress(IsADirectoryError):
                if path.is_file():
                    found[str(path.relative_to(root))] = path.stat().st_size
        return found

    if sizes(files) != sizes(arrived):
        sys.exit(f"{tool.name}: what arrived is not what was sent")


def _print(samples: dict[tuple[str, str], list[Sample]]) -> None:
    for row in ROWS:
        mine = {name: _medians(some) for (each, name), some in samples.items() if each == row}
        ours = mine.get("ours")
        print(f"\n| {row} | wall s | CPU s | peak MiB | wall, ours = 1 | CPU, ours = 1 |")
        print("|---|---|---|---|---|---|")
        for name, sample in mine.items():
            wall = sample.wall_seconds / ours.wall_seconds if ours else 0
            cpu = sample.cpu_seconds / ours.cpu_seconds if ours else 0
            figures = (
                f"{sample.wall_seconds:.2f} | {sample.cpu_seconds:.2f} | {sample.peak_mib:.0f}"
            )
            print(f"| {name} | {figures} | {wall:.2f} | {cpu:.2f} |")


def _medians(samples: list[Sample]) -> Sample:
    return Sample(*(median(values) for values in zip(*samples, strict=True)))


if __name__ == "__main__":
    main()
