#!/bin/bash
# A network on PJM, one process per GPU; arguments go to dtrain/train.py. A resubmitted job goes on from its checkpoint.
set -euo pipefail
source "$SITE_ENV"
load_site

# No ssh between compute nodes, so mpirun starts the processes, not the launcher of DeepSpeed. `env` carries the
# address to all nodes under any MPI.
n_nodes=$(sort -u "$PJM_O_NODEINF" | wc -l)
address=$(reachable_as "$(head -n 1 "$PJM_O_NODEINF")")
exec mpirun -machinefile "$PJM_O_NODEINF" -np "$PJM_MPI_PROC" "$PER_NODE_FLAG" $((PJM_MPI_PROC / n_nodes)) \
    "${LAUNCH_FLAGS[@]}" env MASTER_ADDR="$address" MASTER_PORT=$((20000 + ${PJM_JOBID%%[!0-9]*} % 20000)) \
    "$PYTHON" dtrain/train.py "$@"
