"""What is done with flow, by another name."""

from dtrain.tasks import task
from dtrain.tasks.flow import FlowTask


@task("fringe-data")
class Fringe(FlowTask):
    """Rollouts."""
