# shellcheck shell=bash disable=SC2034,SC2154
# Slurm. Reference: the manual pages of sbatch, srun and scontrol.

# On the login node: words of the command from job, folder, nodes, tasks, cores, gpus, time, queue, after, array.
RESTARTS=10

resources() { # one word a line
    printf '%s\n' --nodes="$nodes" --ntasks-per-node="$tasks" --cpus-per-task="$cores"
    [ "$gpus" = 0 ] || echo "--gres=gpu:$gpus"
}

account() { echo "--account=$ACCOUNT"; }

ask() { # sets command
    local log="%x-%j.log"
    [ -z "$array" ] || log="%x-%A_%a.log"
    command=(sbatch --job-name="$job" --output="$folder/$log" --open-mode=append --requeue --time="$time")
    [ -z "$queue" ] || command+=(--partition="$queue")
    [ -z "$after" ] || command+=(--dependency="afterok:${after//,/:}" --kill-on-invalid-dep=yes)
    [ -z "$array" ] || command+=(--array="$array")
}

# SECONDS: asks for a signal to the program so long before the end, which may come a minute earlier still.
warning() { (($1 < 60)) || echo "--signal=USR1@$1"; }

id_in() { sed -n 's/^Submitted batch job \([0-9]*\).*/\1/p'; }

# Of each of the user's jobs that has not ended: ID, state, name, user.
states() { squeue --me --noheader --format='%i %T %j %u'; }
end_job() { scancel "$1"; }

# On the first node of a job.
job_number() { echo "$SLURM_JOB_ID"; }
array_index() { echo "${SLURM_ARRAY_TASK_ID:-}"; }

# A job that is requeued keeps its number, and those that wait for it go on waiting.
restart() { scontrol requeue "$SLURM_JOB_ID"; }
# One that scancel ends is not running any more, though its programs still save: requeued, it would come back.
is_deleted() { ! scontrol show job "$SLURM_JOB_ID" | grep -q "JobState=RUNNING"; }

job_nodes() { scontrol show hostnames "$SLURM_JOB_NODELIST"; }

launch() { # COMMAND...: on all ranks
    export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun does not take it over from sbatch
    # A requeued job is launched as another step: MPICH names its shared memory by job and step, and killed ranks leave
    # it.
    local i
    for ((i = 0; i < ${SLURM_RESTART_COUNT:-0}; i++)); do srun --ntasks=1 true; done
    exec srun --kill-on-bad-exit=1 "${LAUNCH_FLAGS[@]}" "$@"
}
