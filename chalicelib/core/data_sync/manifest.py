"""The manifest: what a finished output consists of, written after everything that it names.

A reader who sees the manifest knows that the output is complete, and can check every file. It
lies inside a folder, and beside a single object::

    s3://b/out/            s3://b/out/.falsework-manifest.json
    s3://b/genome.fa       s3://b/genome.fa.falsework-manifest.json

Manifests are ours, not the user's content: they are left out of listings, syncs and deletes.
"""

from __future__ import annotations

from typing import Final

from pydantic import AwareDatetime, Field

from chalicelib.core.noun import Noun

MANIFEST_SUFFIX: Final = ".falsework-manifest.json"


class ManifestFile(Noun):
    """One file of an output."""

    path: str
    """Relative to the folder; for a single object its last word."""
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(Noun):
    """A complete output: the document that is stored."""

    run: str
    param: str
    source: str
    """Where the job left it: ``fs-…:/path``."""
    created_at: AwareDatetime
    files: tuple[ManifestFile, ...]
    """By path."""
    total_files: int = Field(ge=0)
    total_bytes: int = Field(ge=0)


def manifest_of(
    files: tuple[ManifestFile, ...],
    *,
    run: str,
    param: str,
    source: str,
    created_at: AwareDatetime,
) -> Manifest:
    """Return the manifest of these files, sorted and summed up."""
    return Manifest(
        run=run,
        param=param,
        source=source,
        created_at=created_at,
        files=tuple(sorted(files, key=lambda file: file.path)),
        total_files=len(files),
        total_bytes=sum(file.bytes for file in files),
    )


def manifest_uri(destination: str) -> str:
    """Return where the manifest of a destination lies: a folder's URI ends with ``/``."""
    return destination + MANIFEST_SUFFIX


def is_manifest(name: str) -> bool:
    """Tell whether an object or a file of this name or path is a manifest."""
    return name.endswith(MANIFEST_SUFFIX)
