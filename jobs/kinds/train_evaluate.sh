#!/bin/bash
# The scores of trained networks, one process per GPU; arguments go to dtrain/evaluate.py.
set -euo pipefail
source jobs/common.sh
source jobs/training.sh
enter_job "$@"

train dtrain/evaluate.py "${words[@]}"
