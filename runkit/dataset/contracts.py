"""The contracts that a file may follow, by name."""

from runkit.dataset.flow import FLOW, FLOW_3D, FLOW_PREDICTION
from runkit.dataset.schema import ISOCONFIG, PREDICTION

SCHEMAS = {schema.name: schema for schema in (ISOCONFIG, PREDICTION, FLOW, FLOW_3D, FLOW_PREDICTION)}
