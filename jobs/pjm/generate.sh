#!/bin/bash
# A generator, mdgen or lbmgen, on PJM with its arguments. A resubmitted job finishes the same file.
set -euo pipefail
source "$SITE_ENV"
load_site

n_nodes=$(sort -u "$PJM_O_NODEINF" | wc -l)
exec mpirun -machinefile "$PJM_O_NODEINF" -np "$PJM_MPI_PROC" "$PER_NODE_FLAG" $((PJM_MPI_PROC / n_nodes)) \
    "${LAUNCH_FLAGS[@]}" "$PYTHON" -m "$@"
