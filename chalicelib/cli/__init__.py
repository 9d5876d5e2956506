"""The console command ``falsework``. It speaks REST, to a deployment or to this very process.

::

    command_line   the verbs and their flags; the last stop of every error
    ├── submitting  run, validate           ── watching (wait) ── showing (tables)
    ├── resuming    resume, rollback        ── see_through (submitting)
    ├── asking      show, why, list, cancel, logs
    ├── costing     cost
    ├── keeping     files, archive, delete
    ├── simulating  simulate;  exporting  export
    ├── doctoring   doctor;    token_verbs  token
    ├── redriving   redrive
    ├── copying     put, get                (embedded only: through the object store)
    ├── syncing     sync, verify            ── data_paths (paths), transfer_note
    └── serving     serve, engine           (embedded only: the loop and the HTTP server)
    connection     one REST request, over HTTP or in process
    complaints     what is printed when something is wrong, and the exit codes
"""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    What the verbs need takes half a second to import: who presses Ctrl-C meanwhile, or while
    the flags are read, sees no traceback either.
    """
    try:
        from chalicelib.cli import command_line  # noqa: PLC0415  (see above)

        return command_line.main(argv)
    except KeyboardInterrupt:
        return 130  # as shells have it; ``Exit`` may not be there yet
