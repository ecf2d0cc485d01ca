#!/bin/bash
# Isoconfigurational ensembles on Slurm; arguments go to mdgen. A requeued or resubmitted job finishes the same file.
set -euo pipefail
source "$SITE_ENV"
load_site

exec srun --kill-on-bad-exit=1 "${LAUNCH_FLAGS[@]}" "$PYTHON" -m mdgen "$@"
