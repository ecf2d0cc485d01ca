"""Flow on a cloud: what is asked of networks of the grid, and judged on its cells in the same way (`flow.py`)."""

from __future__ import annotations

from dtrain.data.flow_cloud import FlowCloud
from dtrain.tasks import task
from dtrain.tasks.flow import FlowTask


@task("flow-cloud")
class FlowCloudTask(FlowTask):
    """What a network of flow on a cloud is asked to do."""

    Data = FlowCloud
