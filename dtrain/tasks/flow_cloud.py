"""Flow on a cloud: what networks of the grid do, scored on its cells in the same way (`flow.py`)."""

from __future__ import annotations

from dtrain.data.flow_cloud import FlowCloud
from dtrain.tasks import task
from dtrain.tasks.flow import FlowTask


@task("flow-cloud")
class FlowCloudTask(FlowTask):
    """What is done with a network of flow on a cloud."""

    Data = FlowCloud
