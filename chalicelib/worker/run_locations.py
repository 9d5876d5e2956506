"""Where a run's syncs may write: the places of its order, in the form that syncs work with.

The bound of a place is what ``Places`` says, the run's own root or a whole mount; neither of them
is ever emptied, for both hold more than one input.
"""

from __future__ import annotations

import os
from pathlib import Path

from chalicelib.core.errors import InvalidRequest
from chalicelib.worker.places import Places
from chalicelib.worker.sync.leavings import SHARED_NOTES
from chalicelib.worker.sync.locations import LocalPlace, Locations, ObjectPlace, Place, leads_out


class RunLocations(Locations):
    """The locations of one run."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self._places = places

    def find(self, text: str) -> Place:
        """Return the place. Raises InvalidRequest for one that is not open to the run."""
        if text.startswith("s3://"):
            return ObjectPlace(text)
        place = self._places.find_open(text)
        path, bound = _without_links(place.path, place.mount), place.bound
        if bound != place.mount:
            bound = _without_links(bound, place.mount)
        if not path.is_relative_to(bound):
            raise leads_out(text, bound)
        if SHARED_NOTES in path.parts:
            raise InvalidRequest(
                f"{text!r} lies among the notes on shared inputs",
                value=text,
                mend=f"give a path without {SHARED_NOTES!r}",
            )
        # An input is the file or the folder of that name, with a last slash or without.
        return LocalPlace(text.rstrip("/"), path, bound)

    def check_may_delete(self, place: Place, *, below: bool) -> None:  # noqa: ARG002 -- the same
        """Raise InvalidRequest for a place that holds more than one input."""
        mount = isinstance(place, LocalPlace) and self._places.find_open(place.text).mount
        if isinstance(place, LocalPlace) and place.path in {mount, place.bound}:
            raise InvalidRequest(
                f"delete: true in {place.text!r} would take more than the input",
                value=place.text,
                mend="give the input a folder of its own, or set delete to false",
            )


def _without_links(path: Path, mount: Path) -> Path:
    """The folder without links, the last part not looked at; a mount has none."""
    return path if path == mount else Path(os.path.realpath(path.parent)) / path.name
