# shellcheck shell=bash disable=SC2034,SC2154
# Altair (Univa, Sun) Grid Engine. Reference: the manual page of qsub; tried on a stand-in alone. No blanks may stand
# around any `=`. -hold_jid starts a job however those before it ended, so a job looks itself whether they succeeded.

RESTARTS=10
AFTER_ANY_END=yes

# One word a line. Some sites have kinds of nodes in place of queues and parallel environments.
resources() {
    [ -n "${PARALLEL_ENVIRONMENT:-}" ] || fail "$site: PARALLEL_ENVIRONMENT is empty; qconf -spl lists the names"
    printf '%s\n' -pe "$PARALLEL_ENVIRONMENT" $((nodes * tasks * cores))
    [ "$gpus" = 0 ] || printf '%s\n' -l "gpu=$gpus"
    [ -z "$queue" ] || printf '%s\n' -q "$queue"
}

account() { printf '%s\n' -A "$ACCOUNT"; } # one word a line

ask() {
    # Grid Engine itself puts the number of the job into the name of its log.
    # shellcheck disable=SC2016
    local log='$JOB_NAME.$JOB_ID.log'
    # shellcheck disable=SC2016
    [ -z "$array" ] || log='$JOB_NAME.$JOB_ID.$TASK_ID.log'
    command=(qsub -cwd -N "$job" -S /bin/bash -j y -o "$folder/$log" -r y -l "h_rt=$time")
    [ -z "$after" ] || command+=(-hold_jid "$after")
    [ -z "$array" ] || command+=(-t "$array")
}

id_in() { sed -n 's/^Your job\(-array\)\? \([0-9]*\).*/\2/p'; }

# SIGUSR1 at the soft limit, SIGUSR2 before any SIGKILL. SECONDS before the end.
warning() {
    local soft=$((seconds - $1))
    printf '%s\n' -notify -l "s_rt=$(printf '%02d:%02d:%02d' $((soft / 3600)) $((soft / 60 % 60)) $((soft % 60)))"
}

states() { qstat | awk '$1 ~ /^[0-9]/ { print $1, $5, $3, $4 }'; }
end_job() { qdel "$1"; }

job_number() { echo "$JOB_ID"; }
array_index() { [ "${SGE_TASK_ID:-undefined}" = undefined ] || echo "$SGE_TASK_ID"; }

# qdel sends SIGUSR2 (-notify), as the hard limit does, and later SIGKILL. Grid Engine itself runs a deleted job no more,
# whatever its exit code (job_exit.c of its source); SIGUSR1 comes at the soft limit, or before a job is stopped.
is_deleted() { ended_early; }
restart() { exit 99; } # by which Grid Engine knows that a job is to be run again, under the same number

job_nodes() { if [ -n "${PE_HOSTFILE:-}" ]; then distinct_nodes "$PE_HOSTFILE"; else hostname; fi; }
hosts_file() { # PE_HOSTFILE has more columns than mpirun understands
    local file=${TMPDIR:-/tmp}/hosts-$JOB_ID.${SGE_TASK_ID:-}
    job_nodes >"$file"
    echo "$file"
}

launch() { by_mpirun "$@"; }
