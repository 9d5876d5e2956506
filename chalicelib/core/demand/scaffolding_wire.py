"""The request and the response of scaffolding (sections 6.1 and 6.2 of the demand wire format)."""

from __future__ import annotations

from chalicelib.core.data_sync.requests import (
    PrepareBatchDataSyncRequest,
    RemoveDataPathsRequest,
)
from chalicelib.core.demand.batch_args import CreateDefinitionAndPrepareArgsRequest
from chalicelib.core.demand.environment_file import EnvFileWriteMode
from chalicelib.core.demand.execution import DemandExecution
from chalicelib.core.demand.file_systems import FileSystemConfigurations
from chalicelib.core.demand.sync_requests import DataSyncConfiguration
from chalicelib.core.demand.wire import Wire


class ContextManagerConfiguration(Wire):
    """How the surroundings of an execution are set up and taken down."""

    isolate_inputs: bool = True
    """Whether each execution has its own copy of its inputs, or one on the shared volume."""
    cleanup_inputs: bool = True
    cleanup_working_dir: bool = True
    env_file_write_mode: EnvFileWriteMode = EnvFileWriteMode.ALWAYS
    input_data_sync_configuration: DataSyncConfiguration = DataSyncConfiguration()
    output_data_sync_configuration: DataSyncConfiguration = DataSyncConfiguration()


class PrepareDemandScaffoldingRequest(Wire):
    """A demand, where it may lie, and how it is to be surrounded."""

    demand_execution: DemandExecution
    file_system_configurations: FileSystemConfigurations = FileSystemConfigurations()
    context_manager_configuration: ContextManagerConfiguration = ContextManagerConfiguration()


class SetupConfigs(Wire):
    """What comes before the execution, and the job itself."""

    data_sync_requests: tuple[PrepareBatchDataSyncRequest, ...]
    batch_create_request: CreateDefinitionAndPrepareArgsRequest


class CleanupConfigs(Wire):
    """What comes after it."""

    data_sync_requests: tuple[PrepareBatchDataSyncRequest, ...]
    remove_data_paths_requests: tuple[RemoveDataPathsRequest, ...]


class PrepareDemandScaffoldingResponse(Wire):
    """The demand with its files in their places, and the three things to be done."""

    demand_execution: DemandExecution
    setup_configs: SetupConfigs
    cleanup_configs: CleanupConfigs
