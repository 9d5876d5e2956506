"""What the user reads when something is wrong, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from chalicelib.core.documents import validation_problem
from chalicelib.core.errors import FalseworkError, InvalidRequest, Misconfigured


class Exit(IntEnum):
    """The exit codes. Those of ``run --wait`` tell how the run ended."""

    SUCCESS = 0
    ERROR = 1
    """The run ended in ERROR; or something that is not the user's failed."""
    BAD_REQUEST = 2
    """The user asked for what cannot be done; argparse uses the same."""
    CANCELED = 3
    INTERRUPTED = 130
    """Ctrl-C, as shells have it."""


class Complaint(Exception):
    """One clear block: what is wrong, where, with which value, and the mend."""

    def __init__(
        self,
        what: str,
        *,
        field: str = "",
        value: object = None,
        mend: str = "",
        code: Exit = Exit.BAD_REQUEST,
    ) -> None:
        super().__init__(what)
        self.code = code
        self._rows = {"what": what, "field": field, "value": _written(value), "mend": mend}

    @property
    def what(self) -> str:
        """What is wrong, without the rest."""
        return self._rows["what"]

    def __str__(self) -> str:
        """Return the block."""
        rows = [f"  {name + ':':7}{text}" for name, text in self._rows.items() if text]
        return "\n".join(["falsework:", *rows])


def complaint_of(error: FalseworkError | OSError) -> Complaint:
    """Return what to say about an error that was raised in this process."""
    if isinstance(error, InvalidRequest):
        return Complaint(error.message, field=error.field, value=error.value, mend=error.mend)
    if isinstance(error, Misconfigured) and isinstance(error.__cause__, ValidationError):
        return _of_a_setting(error.__cause__)
    if isinstance(error, OSError) and isinstance(error.filename, str):
        return _of_a_file(error, Path(error.filename2 or error.filename))
    return Complaint(str(error))


def _of_a_file(error: OSError, path: Path) -> Complaint:
    """Files are written under names that nobody knows before they get their own (atomic_files)."""
    named = path.parent if path.suffix == ".partial" else path
    return Complaint(f"the file system says: {error.strerror}", field="path", value=str(named),
                     mend="correct the path, or who may write there")  # fmt: skip


def _of_a_setting(error: ValidationError) -> Complaint:
    """pydantic's own text has lines for programmers: its types, and where its manual is."""
    problem = validation_problem(error)
    setting = problem.field.partition(".")[0]
    mend = f"{problem.mend}; set it in the --site file, or as FALSEWORK_{setting.upper()}"
    if error.errors(include_url=False)[0]["type"] == "extra_forbidden":
        mend = "take it out of the --site file, or correct its name"
    return Complaint(problem.message, field=problem.field, value=problem.value, mend=mend)


_MENDS: Final = {
    401: "set FALSEWORK_TOKEN to a token that is good; see `falsework token create --help`",
    403: "use another token, or ask the operator",
    404: "check the name",
    429: "do it again a little later",
    503: "do it again a little later",
}
"""What can be done where the problem document names nothing."""
_MENDS_OF_A_RUN: Final = {
    404: "check the name; `falsework list` shows the runs, `falsework show RUN` one's stages",
    409: "`falsework show RUN` and `falsework why RUN` tell how it stands",
}


def complaint_of_problem(
    status: int, problem: dict[str, Any], run_id: str | None = None
) -> Complaint:
    """Return what to say about a problem document; ``run_id``: of the run that was asked about."""
    code = Exit.BAD_REQUEST if status < 500 else Exit.ERROR
    of_the_run = {"field": "RUN", "value": run_id} if run_id is not None else {}
    culprits = problem.get("errors") or [of_the_run]
    culprit = culprits[0]
    return Complaint(
        str(
            problem.get("detail")
            or problem.get("message")
            or problem.get("title")
            or f"HTTP status {status}"
        ),
        field=str(culprit.get("field") or ""),
        value=culprit.get("value"),
        mend=str(culprit.get("mend") or _mend(status, run_id)),
        code=code,
    )


def _mend(status: int, run_id: str | None) -> str:
    of_a_run = _MENDS_OF_A_RUN.get(status, "") if run_id is not None else ""
    return of_a_run or _MENDS.get(status, "")


def _written(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=repr)
