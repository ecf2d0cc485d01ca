# shellcheck shell=bash disable=SC2034,SC2154
# PJM (Fujitsu Technical Computing Suite). Reference: its Job Operation Software End-user's Guide; tried on a stand-in
# alone. A job does not inherit the environment. Jobs that wait for one another are the steps of one step job.

RESTARTS=0       # each is a step that is handed in beforehand
AFTER_ANY_END=yes # steps run in their order; a job looks itself whether those before it succeeded
NODES_PATTERN='[1-9][0-9]{0,5}(x[1-9][0-9]{0,3}){0,2}|' # none: GPUs of a shared node; 4x4x4: a shape (Fugaku)
NODES_ALLOWED="a number from 1, a shape such as 2x3x4, or nothing for a share of a node"
MACHINEFILE_FLAG=-machinefile

resources() { # one word a line
    [ -n "${PER_NODE_FLAG:-}" ] || fail "$site: PER_NODE_FLAG is empty; Open MPI: -npernode, Intel MPI: -ppn"
    printf '%s\n' --mpi "proc=$((n_nodes * tasks))"
    if [ -n "$nodes" ]; then
        printf '%s\n' -L "node=$nodes"
    else
        [ "$gpus" != 0 ] || fail "$site: neither nodes nor GPUs are asked for $job"
        printf '%s\n' -L "gpu=$gpus"
    fi
}

account() { printf '%s\n' -g "$ACCOUNT"; } # one word a line

ask() {
    command=(pjsub -N "$job" -o "$folder/$job.%j.log" -j -L "elapse=$time")
    [ -z "$queue" ] || command+=(-L "rscgrp=$queue")
    [ -z "$array" ] || command+=(--bulk --sparam "$array")
    [[ -z "$after$chain$step_of" && $restarts = 0 ]] || step
}

step() {
    [ -z "$array" ] || fail "--array $array: on PJM a bulk job is no step of a chain, and has no restarts"
    command+=(--step)
    [ -n "$after" ] || { [ -z "$step_of" ] || command+=(--sparam "jid=${step_of%%_*}"); return 0; }
    local id=${after%%_*} one
    for one in ${after//,/ }; do
        [[ $one =~ ^${id}_[0-9]+$ ]] ||
            fail "--after $after: on PJM these must be steps of one job, such as 123_0; submit the first with --chain"
    done
    command+=(--sparam "jid=$id")
}

warning() { :; } # none that is documented for all sites

spare() { # ID: steps that go on with the job if it is unfinished, one for each restart
    local i script_again=$script.again.sh
    printf '#!/bin/bash\ncd %q || exit\n[ -e %q ] || exit 0\nrm %q\nexec bash %q\n' "$PWD" "$script.again" \
        "$script.again" "$script" >"$script_again"
    mapfile -t command <"$script.command"
    for ((i = 0; i < restarts; i++)); do "${command[@]}" --step --sparam "jid=${1%%_*}" "$script_again"; done
}
# What pjdel sends first is not documented for all sites. A job that SIGKILL ends has asked for no further step.
is_deleted() { ended_early; }
restart() { touch "$JOB_SCRIPT.again"; }

id_in() { sed -n 's/.*pjsub Job \([0-9]*\(_[0-9]*\)\?\).* submitted.*/\1/p'; }

states() { pjstat | awk '$1 ~ /^[0-9]/ { print $1, $4, $2, $5 }'; }
end_job() { pjdel "$1"; }

job_number() { echo "${PJM_JOBID%%[!0-9]*}"; }
array_index() { echo "${PJM_BULKNUM:-}"; }
job_nodes() { distinct_nodes "$PJM_O_NODEINF"; }
hosts_file() { echo "$PJM_O_NODEINF"; }

launch() { # COMMAND...: on the ranks that PJM gave
    mpi_flags "$PJM_MPI_PROC" $((PJM_MPI_PROC / $(job_nodes | wc -l)))
    exec "${LAUNCHER:-mpirun}" "${flags[@]}" "${LAUNCH_FLAGS[@]}" "$@"
}
