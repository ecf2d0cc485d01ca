#!/bin/bash
# The scores of trained networks, one process per GPU; arguments go to dtrain/evaluate.py.
set -euo pipefail
source jobs/common.sh
enter_job "$@"

address=$(first_address)
carry_out env MASTER_ADDR="$address" MASTER_PORT=$((20000 + $(job_number) % 20000)) \
    "$PYTHON" dtrain/evaluate.py "${words[@]}"
