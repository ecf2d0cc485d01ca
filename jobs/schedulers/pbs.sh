# shellcheck shell=bash disable=SC2034,SC2154
# PBS Professional and OpenPBS. Reference: PBS Professional User's Guide; tried on a stand-in alone. Everything is asked
# for on the command line: no shell expands #PBS lines. -V is never used: it exports shell functions too, which break
# Open MPI.

# `qrerun` is for operators, so an unfinished job hands in another one; a job starts however those before it ended and
# looks itself whether they succeeded.
RESTARTS=10
AFTER_ANY_END=yes

resources() { # one word a line
    local chunk=$nodes:ncpus=$((tasks * cores)):mpiprocs=$tasks:ompthreads=$cores
    [ "$gpus" = 0 ] || chunk+=:ngpus=$gpus
    printf '%s\n' -l "select=$chunk" -l place=scatter # without scatter two chunks may lie on one node
}

account() { printf '%s\n' -A "$ACCOUNT"; } # one word a line

ask() {
    command=(qsub -N "$job" -S /bin/bash -j oe -o "$folder/" -r y -l "walltime=$time")
    [ -z "$queue" ] || command+=(-q "$queue")
    [ -z "$after" ] || command+=(-W "depend=afterany:${after//,/:}")
    [ -z "$array" ] || command+=(-J "$array")
}

id_in() { sed -n 's/^\([0-9]*\(\[\]\)\?\)\(\.[^ ]*\)\?$/\1/p'; }

warning() { :; } # PBS has none but SIGTERM at the end

states() { qstat | awk '$1 ~ /^[0-9]/ { sub(/\..*/, "", $1); print $1, $5, $2, $3 }'; }
end_job() { qdel "$1"; }

job_number() { echo "${PBS_JOBID%%[!0-9]*}"; }
array_index() { echo "${JOB_INDEX:-${PBS_ARRAY_INDEX:-}}"; }

# qdel sends SIGTERM, as the end of the time does, and SIGKILL after `kill_delay` of the queue (10 s unless told), and
# adds to the comment of the job who did it (req_delete.c of OpenPBS). qstat breaks long lines.
is_deleted() {
    ended_early || qstat -f "$PBS_JOBID" 2>/dev/null | tr -d '\n\t' | grep -q 'comment = .*and terminated by '
}
restart() { resubmit; }
wait_for() { # ID IDs: those of IDs that have not ended; PBS refuses others
    local one depend="" waiting
    waiting=" $(states | cut -d ' ' -f 1 | xargs) "
    for one in ${2//,/ }; do [[ $waiting != *" $one "* ]] || depend+=:$one; done
    [ -z "$depend" ] || qalter -W "depend=afterany$depend" "$1"
}

job_nodes() { distinct_nodes "$PBS_NODEFILE"; }
hosts_file() { echo "$PBS_NODEFILE"; }
launch() { by_mpirun "$@"; }
