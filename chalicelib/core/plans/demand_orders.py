"""What a demand's workers are told: their orders, made from its scaffolding."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.core.data_sync.requests import DataSyncRequest
from chalicelib.core.demand.job_params import JobParam
from chalicelib.core.demand.scaffolding import Scaffolding
from chalicelib.core.paths import is_inside
from chalicelib.core.worker_documents import (
    CleanUpOrder,
    MountedVolume,
    ParameterSync,
    StageInOrder,
    StageOutOrder,
    TextFile,
)


def stage_in_order(
    scaffolding: Scaffolding, batches_prefix: str, batch_bytes: int
) -> StageInOrder:
    """Return the order to bring the inputs, and the environment file, to their places."""
    file = scaffolding.environment_file
    return StageInOrder(
        mounts=_mounts(scaffolding),
        root=scaffolding.working_directory_efs,
        syncs=_syncs(named_inputs(scaffolding)),
        files=(TextFile(path=file.efs_path, text=file.text),) if file else (),
        batches_prefix=batches_prefix,
        batch_bytes=batch_bytes,
    )


def stage_out_order(
    scaffolding: Scaffolding, batches_prefix: str, batch_bytes: int
) -> StageOutOrder:
    """Return the order to bring the outputs home."""
    return StageOutOrder(
        mounts=_mounts(scaffolding),
        root=scaffolding.working_directory_efs,
        syncs=_syncs(named_outputs(scaffolding)),
        batches_prefix=batches_prefix,
        batch_bytes=batch_bytes,
    )


def clean_up_order(scaffolding: Scaffolding, paths: tuple[str, ...]) -> CleanUpOrder:
    """Return the order to remove ``paths``, the outputs only when they have been saved."""
    return CleanUpOrder(
        mounts=_mounts(scaffolding),
        root=scaffolding.working_directory_efs,
        paths=paths,
        outputs=tuple(request.source_path for _, request in named_outputs(scaffolding)),
        shared_inputs=tuple(
            request.destination_path
            for _, request in named_inputs(scaffolding)
            if not is_inside(request.destination_path, scaffolding.working_directory_efs)
        ),
    )


def named_inputs(scaffolding: Scaffolding) -> tuple[tuple[str, DataSyncRequest], ...]:
    """Return the transfers of the inputs, each with the name of its parameter."""
    response = scaffolding.response
    params = response.demand_execution.execution_parameters.input_params
    return _named(params, response.setup_configs.data_sync_requests)


def named_outputs(scaffolding: Scaffolding) -> tuple[tuple[str, DataSyncRequest], ...]:
    """Return the transfers of the outputs, each with the name of its parameter."""
    response = scaffolding.response
    params = response.demand_execution.execution_parameters.output_params
    return _named(params, response.cleanup_configs.data_sync_requests)


def _named(
    params: Sequence[JobParam], requests: Sequence[DataSyncRequest]
) -> tuple[tuple[str, DataSyncRequest], ...]:
    """Scaffolding makes one request per parameter, in the order of the parameters."""
    return tuple((param.name, request) for param, request in zip(params, requests, strict=True))


def _syncs(named: Sequence[tuple[str, DataSyncRequest]]) -> tuple[ParameterSync, ...]:
    return tuple(ParameterSync(param=name, request=request) for name, request in named)


def _mounts(scaffolding: Scaffolding) -> tuple[MountedVolume, ...]:
    return tuple(
        MountedVolume(
            file_system_id=volume.file_system_id,
            root=volume.access_point_path,
            container_path=volume.container_path,
        )
        for volume in scaffolding.volumes
    )
