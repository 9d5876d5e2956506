"""The scratch bucket is Falsework's own: no request names a place in it, to write or to read.

Orders, outcomes, archives and dead letters of every group lie there, with the values of jobs'
environments in them. Our worker may read all of it, so that whoever could name it as an input
would be brought what belongs to others, whatever their group.
"""

from __future__ import annotations

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest
from chalicelib.core.paths import path_kind
from chalicelib.core.site import Site


def check_not_own(field: str, path: str, site: Site) -> None:
    """Raise InvalidRequest for an object or a prefix in the scratch bucket."""
    if path_kind(path) != "s3":
        return
    if path.removeprefix("s3://").partition("/")[0] == site.scratch_bucket:
        raise InvalidRequest(
            f"the bucket {site.scratch_bucket!r} is Falsework's own",
            field=field,
            value=shortened(path),
            mend="name another bucket",
        )
