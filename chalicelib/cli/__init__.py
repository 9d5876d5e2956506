"""The console command ``falsework``. It speaks REST, to a deployment or to this very process.

::

    command_line   the verbs and their flags; the last stop of every error
    ├── submitting  run, validate           ── watching (wait) ── showing (tables)
    ├── resuming    resume, rollback        ── see_through (submitting)
    ├── asking      show, why, list, cancel, logs
    ├── redriving   redrive
    ├── copying     put, get                (embedded only: through the object store)
    ├── syncing     sync, verify            ── data_paths (paths), transfer_note
    └── serving     serve, engine           (embedded only: the loop and the HTTP server)
    connection     one REST request, over HTTP or in process
    complaints     what is printed when something is wrong, and the exit codes
"""

from __future__ import annotations

from chalicelib.cli.command_line import main

__all__ = ["main"]
