#!/bin/bash
# One process. Draws a dataset and what networks make of it; arguments go to tools.figures.
set -euo pipefail
source jobs/common.sh
enter_job "$@"

carry_out "$PYTHON" -m tools.figures "${words[@]}"
