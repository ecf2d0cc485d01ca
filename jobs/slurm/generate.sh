#!/bin/bash
# A generator, mdgen or lbmgen, on Slurm with its arguments. A requeued or resubmitted job finishes the same file.
set -euo pipefail
source "$SITE_ENV"
load_site
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}  # srun does not take it over from sbatch

# A requeued job is launched as another step: MPICH names its shared memory by job and step, and killed ranks leave it.
for ((i = 0; i < ${SLURM_RESTART_COUNT:-0}; i++)); do srun --ntasks=1 true; done

exec srun --kill-on-bad-exit=1 "${LAUNCH_FLAGS[@]}" "$PYTHON" -m "$@"
