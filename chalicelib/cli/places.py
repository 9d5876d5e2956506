"""Where a command works: a deployment's URL, or the embedded home's folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from chalicelib import bootstrap
from chalicelib import settings as _settings
from chalicelib.cli.complaints import Complaint
from chalicelib.core.paths import s3_parts
from chalicelib.ports import Ports
from chalicelib.settings import Settings


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings; a ``--root`` on the command line overrules FALSEWORK_URL."""
    flags = {name: getattr(arguments, name, None) for name in ("root", "runner", "url")}
    if flags["root"] is not None:
        flags["url"] = ""
    site_file: Path | None = getattr(arguments, "site", None)
    if site_file is not None and not site_file.exists():
        raise Complaint("there is no such site file", field="--site", value=str(site_file),
                        mend="give the site's facts, a JSON file")  # fmt: skip
    return _settings.load(flags=flags, site_file=site_file)


def embedded(arguments: argparse.Namespace, mend: str) -> Settings:
    """Return the settings of a verb that works on the embedded home only.

    Raises Complaint with that ``mend`` where a deployment is meant.
    """
    settings = settings_of(arguments)
    if settings.url:
        raise Complaint(
            f"{arguments.word} works on this machine's folder, not through a URL",
            field="url",
            value=settings.url,
            mend=mend,
        )
    return settings


def open_home(settings: Settings) -> Ports:
    """Make this process one of that embedded home, and return its ports.

    Raises Misconfigured: what is wrong with the folder is said here, and not by a request that
    finds it out.
    """
    bootstrap.use(settings)
    ports = bootstrap.ports()
    ports.runs.due(ports.clock(), 1)  # the store is opened at its first use
    return ports


def folder_of(uri: str, settings: Settings) -> Path:
    """Return where the embedded home keeps ``s3://bucket/key``."""
    bucket, key = s3_parts(uri)
    return settings.root.absolute() / "s3" / bucket / key
