#!/bin/bash
# A network, one process per GPU; arguments go to dtrain/train.py. A resubmitted job goes on from its checkpoint.
set -euo pipefail
source jobs/common.sh
enter_job "$@"

# Many sites have no ssh between nodes, so MPI starts the processes, not the launcher of DeepSpeed. `env` carries the
# address to all nodes under any MPI.
limited
address=$(first_address)
carry_out env MASTER_ADDR="$address" MASTER_PORT=$((20000 + $(job_number) % 20000)) \
    "$PYTHON" dtrain/train.py "${words[@]}"
