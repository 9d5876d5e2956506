"""The three kinds of data path that requests name: S3, EFS and local, all plain JSON strings.

=====  =========================================  ==============================================
kind   example                                    normal form
=====  =========================================  ==============================================
S3     ``s3://bucket/a/b``                        repeated ``/`` collapsed, a last ``/`` kept
EFS    ``fs-0a1000000000000a:/x``, ``efs://…``    as given; two are compared by ``efs_parts``
local  ``/data/x``                                as given
=====  =========================================  ==============================================

The rules come from section 4 of the demand wire format. Every pattern here has one way to match
a text, so that no input can make it backtrack for long. This module never touches a file.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator

from chalicelib.core.documents import shortened
from chalicelib.core.errors import InvalidRequest

_BUCKET: Final = r"[A-Za-z0-9][A-Za-z0-9.-]{1,61}[A-Za-z0-9]"
_S3: Final = re.compile(rf"s3://({_BUCKET})(?:/([A-Za-z0-9!_.*'()\-&$@=;:+,? /]*))?")
_EFS: Final = re.compile(
    r"(efs://)?(fs-[0-9a-f]{8,40})(?:\.efs\.[a-z0-9-]+\.amazonaws\.com)?(:?)(/?[^\0]*)"
)
_SLASHES: Final = re.compile(r"/+")


class S3Parts(NamedTuple):
    """A bucket and a key without its first ``/``; the key of a bare bucket is empty."""

    bucket: str
    key: str


class EfsParts(NamedTuple):
    """A file system's id and an absolute path in it, in the form that makes equal paths equal."""

    file_system_id: str
    path: str


def s3_parts(text: str) -> S3Parts:
    """Split an S3 path, repeated ``/`` collapsed. Raises InvalidRequest."""
    match = _S3.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            f"{shortened(text)!r} is not an S3 path",
            value=shortened(text),
            mend="write s3://bucket/key with letters, digits, blanks and !_.*'()-&$@=;:+,?/ only",
        )
    return S3Parts(match[1], _SLASHES.sub("/", match[2] or "").removeprefix("/"))


def s3_path(text: str) -> str:
    """Return the normal form of an S3 path; raises InvalidRequest."""
    bucket, key = s3_parts(text)
    is_bare = "/" not in text.removeprefix("s3://")
    return f"s3://{bucket}" if is_bare else f"s3://{bucket}/{key}"


def join_s3(prefix: str, relative: str) -> str:
    """Append ``relative`` below ``prefix`` with one ``/`` between; a last ``/`` stays.

    The result is not checked: ``relative`` may still hold a reference.
    """
    scheme = "s3://"
    return scheme + _SLASHES.sub("/", f"{prefix.removeprefix(scheme)}/{relative}")


def efs_parts(text: str) -> EfsParts:
    """Split an EFS path in any of its spellings. Raises InvalidRequest."""
    match = _EFS.fullmatch(text)
    if match is None or not _is_separated(match):
        raise InvalidRequest(
            f"{shortened(text)!r} is not an EFS path",
            value=shortened(text),
            mend="write fs-<id>:/path or efs://fs-<id>/path",
        )
    return EfsParts(match[2], normal_path(f"/{match[4]}"))


def _is_separated(match: re.Match[str]) -> bool:
    has_scheme, has_colon = bool(match[1]), bool(match[3])
    return has_colon or (has_scheme and match[4][:1] in {"", "/"})


def efs_path(file_system_id: str, path: str) -> str:
    """Write an EFS path in the form that scaffolding answers: ``fs-…:/path``."""
    return f"{file_system_id}:{normal_path(f'/{path}')}"


def normal_path(path: str) -> str:
    """Drop repeated and last ``/`` and ``.`` segments; ``..`` stays; the empty path is ``.``.

    Unlike pathlib it does not keep two leading slashes: we have no use for such roots.
    """
    segments = [segment for segment in path.split("/") if segment not in {"", "."}]
    return f"/{'/'.join(segments)}" if path.startswith("/") else "/".join(segments) or "."


def without_dots(path: str) -> str | None:
    """Resolve ``..`` in an absolute path without looking at links; None if it leaves the root."""
    segments: list[str] = []
    for segment in normal_path(path).removeprefix("/").split("/"):
        if segment != "..":
            segments.append(segment)
        elif segments:
            segments.pop()
        else:
            return None
    return normal_path(f"/{'/'.join(segments)}")


def is_inside(path: str, root: str) -> bool:
    """Tell whether one absolute normal path is the other, or lies below it."""
    return path == root or path.startswith(f"{root.rstrip('/')}/")


def path_kind(text: str) -> Literal["s3", "efs", "local"]:
    """Tell which kind of data path a checked text is: the first of S3, EFS, local that fits."""
    if text.startswith("s3://"):
        return "s3"
    match = _EFS.fullmatch(text)
    return "efs" if match is not None and _is_separated(match) else "local"


def data_path(text: str) -> str:
    """Check a path of any kind; S3 paths come back in normal form. Raises InvalidRequest.

    What begins with ``s3://`` or ``efs://`` must be such a path: a spoiled bucket name must not
    end up as a folder of that name.
    """
    if text.startswith("s3://"):
        return s3_path(text)
    if text.startswith("efs://"):
        efs_parts(text)
    if not text or "\0" in text:
        raise InvalidRequest(
            "a path is empty or contains a NUL",
            value=shortened(text),
            mend="give an S3 path, an EFS path or a local path",
        )
    return text


S3Path = Annotated[str, AfterValidator(s3_path)]
"""A field that holds an S3 path in normal form."""

DataPath = Annotated[str, AfterValidator(data_path)]
"""A field that holds a path of any kind."""
