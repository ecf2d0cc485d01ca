#!/bin/bash
# One process. Checks dataset files; arguments go to runkit.dataset.check.
set -euo pipefail
source jobs/common.sh
enter_job "$@"

carry_out "$PYTHON" -m runkit.dataset.check "${words[@]}"
