#!/bin/bash
# A network on Slurm, one process per GPU; arguments go to dtrain/train.py. A resubmitted job goes on from its checkpoint.
set -euo pipefail
source "$SITE_ENV"
load_site
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}  # srun does not take it over from sbatch

# A requeued job is launched as another step: MPICH names its shared memory by job and step, and killed ranks leave it.
for ((i = 0; i < ${SLURM_RESTART_COUNT:-0}; i++)); do srun --ntasks=1 true; done

read -r first < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
MASTER_ADDR=$(reachable_as "$first")
export MASTER_ADDR MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
exec srun --kill-on-bad-exit=1 "${LAUNCH_FLAGS[@]}" "$PYTHON" dtrain/train.py "$@"
