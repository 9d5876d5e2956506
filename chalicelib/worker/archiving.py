"""Archive: the files of a run that has succeeded, packed while they are read and put away.

Nothing of them is kept here, neither on disk nor, but for a part, in memory. The manifests are
read again: an output that another run has taken since is not packed under this one's name.
"""

from __future__ import annotations

from pydantic import JsonValue

from chalicelib.core.flowserv.files import Output, files_in, kept
from chalicelib.core.worker_documents import ArchiveOrder
from chalicelib.file_ports import Contents
from chalicelib.ports import ObjectStore
from chalicelib.run_manager.archives import pack
from chalicelib.run_manager.files import manifests_of
from chalicelib.worker.transfers import amount, say


def archive(order: ArchiveOrder, objects: ObjectStore, contents: Contents) -> JsonValue:
    """Return ``{"uri", "files", "bytes"}``. Raises NotFound for a file that is gone."""
    outputs = tuple(Output(each.param, each.uri, each.manifest) for each in order.outputs)
    found = files_in(order.run_id, outputs, manifests_of(outputs, objects))
    files = kept(found, order.keys)
    say(f"{order.run_id}: {amount(len(files), sum(file.size_bytes for file in files))}")
    size = pack(files, order.destination, contents)
    say(f"{order.destination}: {amount(1, size)}")
    return {"uri": order.destination, "files": len(files), "bytes": size}
