"""Ten bugs on purpose, and whether the tests notice: ``make canaries``.

Each patch in this folder is one bug that this kind of software is known for. It is applied to a
copy of the tree, and the tests that guard against it are run there: the simulator's seeds and
model first, then what the simulator cannot reach (stores, the real worker). A canary is caught
when they fail. All ten must be; and without a patch they must all pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
WANTED: Final = 10
SEEDS: Final = "3000"
MODEL: Final = ("tests/simulation/test_model.py", "tests/simulation/test_permutations.py")
BESIDE: Final = {
    "04": ("tests/contract/test_run_store.py",),
    "10": ("tests/unit/test_worker_stage_out.py",),
}
"""Canaries in code that the simulator replaces, and the suites of that code."""


def main() -> int:
    """Try every canary; return 1 unless all are caught and none is found where none is."""
    patches = sorted(HERE.glob("*.patch"))
    assert len(patches) == WANTED, patches
    with tempfile.TemporaryDirectory() as folder:
        if not is_healthy(copy(Path(folder) / "healthy")):
            print("the tree fails without a canary: mend that first")
            return 1
        missed = [patch.stem for patch in patches if not is_caught(patch, Path(folder))]
    print(f"{WANTED - len(missed)} of {WANTED} canaries caught", *missed, sep="\n  missed: ")
    return 1 if missed else 0


def is_caught(patch: Path, folder: Path) -> bool:
    """Apply the patch to a copy and run what should notice."""
    tree = copy(folder / patch.stem)
    subprocess.run(["git", "apply", patch], cwd=tree, check=True)
    beside = BESIDE.get(patch.stem[:2])
    caught = not passes(tree, beside) if beside else not (holds(tree) and passes(tree, MODEL))
    print(f"{patch.stem}: {'caught' if caught else 'MISSED'}", flush=True)
    return caught


def is_healthy(tree: Path) -> bool:
    """Run everything on the tree as it is."""
    return holds(tree) and passes(
        tree, (*MODEL, *(test for each in BESIDE.values() for test in each))
    )


def copy(tree: Path) -> Path:
    for name in ("chalicelib", "tests", "infra"):
        skipped = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, tree / name, ignore=skipped)
    for name in ("app.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tree / name)
    return tree


def holds(tree: Path) -> bool:
    """Play the simulator's seeds until one fails; return whether none does."""
    return run(tree, "chalicelib.simulation", "--quick", "--seeds", SEEDS)


def passes(tree: Path, tests: tuple[str, ...]) -> bool:
    """Run these tests until one fails; return whether none does."""
    return run(tree, "pytest", "-x", "-q", "-n", "auto", *tests)


def run(tree: Path, module: str, *arguments: str) -> bool:
    """Run the module on the tree's own code, whatever is installed."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        text=True,
    )
    # pytest ends with 2 where workers are stopped at the first failure.
    assert done.returncode in {0, 1, 2}, done.stdout + done.stderr
    assert f"{ROOT}/chalicelib" not in done.stdout, "it ran on another tree's code"
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
