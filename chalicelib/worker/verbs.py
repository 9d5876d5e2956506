"""The worker's verbs: what each makes of its order, and what it needs for that."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from pydantic import JsonValue

from chalicelib.bootstrap import WorkerPorts
from chalicelib.core.mounts import volumes_of
from chalicelib.core.site import FileSystems
from chalicelib.core.worker_documents import (
    ArchiveOrder,
    CleanUpOrder,
    HandlerOrder,
    StageInOrder,
    StageOutOrder,
    SyncOrder,
    WorkOrder,
)
from chalicelib.worker import path_job, stage_in_batches, stage_out_batches
from chalicelib.worker.archiving import archive
from chalicelib.worker.batch_child import Batches
from chalicelib.worker.clean_up import clean_up
from chalicelib.worker.stage_in import stage_in
from chalicelib.worker.stage_in_batches import StageInBatches
from chalicelib.worker.stage_out import stage_out
from chalicelib.worker.stage_out_batches import StageOutBatches
from chalicelib.worker.sync.locations import Locations
from chalicelib.worker.sync.locks import lock_in
from chalicelib.worker.sync.syncing import DataSync
from chalicelib.worker.sync_job import SyncBatches, finish, sync_or_divide
from chalicelib.worker.work_job import work_on
from chalicelib.worker_settings import DataSyncSettings, WorkerSettings


class Bench(NamedTuple):
    """What a verb works with."""

    job: WorkerSettings
    ports: WorkerPorts
    told: DataSyncSettings
    clock: Callable[[], datetime]

    @property
    def locations(self) -> Locations:
        """The file systems that the job was given."""
        volumes = volumes_of(self.job.mounts, FileSystems())
        return Locations(volumes, self.told.roots, self.told.home)

    @property
    def data_sync(self) -> DataSync:
        """What carries out syncs here."""
        lock = lock_in(self.told.lock_root)
        return DataSync(self.ports.carrier(), self.locations, self.clock, lock=lock)


Verb = Callable[[bytes, Bench], JsonValue]
"""Carries out the order in these bytes, and returns the outcome's result."""


def verb_of(told: argparse.Namespace) -> Verb:
    """Return what the command line asks for."""
    match told.verb:
        case "stage-in":
            return _stage_in_again if told.again else _stage_in
        case "clean-up":
            return lambda order, _: clean_up(
                CleanUpOrder.model_validate_json(order), keep_outputs=told.keep_outputs
            )
        case verb:
            return _VERBS[verb]


def batches_of(verb: str, bench: Bench) -> Callable[[bytes], Batches] | None:
    """Return what reads the order of a verb that does batches; None for any other."""
    carrier, clock = bench.ports.carrier, bench.clock
    match verb:
        case "sync-batch":
            return lambda order: SyncBatches(SyncOrder.model_validate_json(order), bench.data_sync)
        case "stage-in-batch":
            return lambda order: StageInBatches(
                StageInOrder.model_validate_json(order), carrier(), clock
            )
        case "stage-out-batch":
            return lambda order: StageOutBatches(
                StageOutOrder.model_validate_json(order), carrier()
            )
        case _:
            return None


def _stage_in(order: bytes, bench: Bench) -> JsonValue:
    read, carrier = StageInOrder.model_validate_json(order), bench.ports.carrier()
    if bench.job.batches_done:
        return stage_in_batches.finish(read, bench.ports.objects, carrier, bench.clock)
    if read.batches_prefix and (
        divided := stage_in_batches.divide(read, bench.ports.objects, carrier)
    ):
        return divided
    return stage_in(read, carrier, bench.clock)


def _stage_in_again(order: bytes, bench: Bench) -> JsonValue:
    """Never divided: nobody would do the batches of a job that only clears the ground."""
    read = StageInOrder.model_validate_json(order)
    carrier = bench.ports.carrier()
    return stage_in(read, carrier, bench.clock, again_as=bench.job.job_name)


def _stage_out(order: bytes, bench: Bench) -> JsonValue:
    read, carrier = StageOutOrder.model_validate_json(order), bench.ports.carrier()
    objects, documents = bench.ports.objects, bench.job.batches_done
    if documents:
        return stage_out_batches.finish(read, objects, carrier, bench.clock, documents)
    if read.batches_prefix and (divided := stage_out_batches.divide(read, objects, carrier)):
        return divided
    return stage_out(read, carrier, bench.clock)


def _sync(order: bytes, bench: Bench) -> JsonValue:
    read, objects = SyncOrder.model_validate_json(order), bench.ports.objects
    if bench.job.batches_done:
        return finish(read, bench.data_sync, objects, bench.job.batches_done)
    return sync_or_divide(read, bench.data_sync, objects)


def _work(order: bytes, bench: Bench) -> JsonValue:
    read = WorkOrder.model_validate_json(order)
    return work_on(read, bench.job, bench.ports, bench.clock)


def _archive(order: bytes, bench: Bench) -> JsonValue:
    read = ArchiveOrder.model_validate_json(order)
    return archive(read, bench.ports.objects, bench.ports.contents())


def _handle(order: bytes, bench: Bench) -> JsonValue:
    read = HandlerOrder.model_validate_json(order)
    response = path_job.handle(read, bench.ports.carrier(), bench.locations, bench.clock())
    uri = f"{bench.job.outcome_uri.removesuffix('.json')}.response.json"
    return path_job.fitting(response, bench.ports.objects, uri)


_VERBS: Final[Mapping[str, Verb]] = {
    "stage-out": _stage_out,
    "sync": _sync,
    "archive": _archive,
    "work": _work,
    "handle": _handle,
}
"""Those that take nothing from the command line but their name."""
