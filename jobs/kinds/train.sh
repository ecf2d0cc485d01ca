#!/bin/bash
# A network, one process per GPU; arguments go to dtrain/train.py. A resubmitted job goes on from its checkpoint.
set -euo pipefail
source jobs/common.sh
source jobs/training.sh
enter_job "$@"

limited
train dtrain/train.py "${words[@]}"
