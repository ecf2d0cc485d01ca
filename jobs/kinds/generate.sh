#!/bin/bash
# A generator, mdgen or lbmgen, with its arguments. A requeued or resubmitted job finishes the same file.
set -euo pipefail
source jobs/common.sh
enter_job "$@"

limited
carry_out "$PYTHON" -m "${words[@]}"
