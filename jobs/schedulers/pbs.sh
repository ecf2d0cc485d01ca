# shellcheck shell=bash disable=SC2034,SC2154
# PBS Professional and OpenPBS. Reference: PBS Professional User's Guide; tried on a stand-in alone. Everything is asked
# for on the command line: no shell expands #PBS lines. -V is never used: it exports shell functions too, which break
# Open MPI.

NODES_PATTERN='[1-9][0-9]*' NODES_ALLOWED="a number from 1"

resources() { # one word a line
    local chunk=$nodes:ncpus=$((tasks * cores)):mpiprocs=$tasks:ompthreads=$cores
    [ "$gpus" = 0 ] || chunk+=:ngpus=$gpus
    printf '%s\n' -l "select=$chunk" -l place=scatter # without scatter two chunks may lie on one node
}

account() { printf '%s\n' -A "$ACCOUNT"; } # one word a line

ask() {
    command=(qsub -N "$job" -S /bin/bash -j oe -o "$folder/" -r y -l "walltime=$time")
    [ -z "$queue" ] || command+=(-q "$queue")
    [ -z "$after" ] || command+=(-W "depend=afterok:${after//,/:}")
    [ -z "$array" ] || command+=(-J "$array")
}

id_in() { sed -n 's/^\([0-9]*\(\[\]\)\?\)\(\.[^ ]*\)\?$/\1/p'; }

states() { qstat | awk '$1 ~ /^[0-9]/ { sub(/\..*/, "", $1); print $1, $5 }'; }
end_job() { qdel "$1"; }

job_number() { echo "${PBS_JOBID%%[!0-9]*}"; }
array_index() { echo "${PBS_ARRAY_INDEX:-}"; }
job_nodes() { distinct_nodes "$PBS_NODEFILE"; }
hosts_file() { echo "$PBS_NODEFILE"; }
launch() { by_mpirun "$@"; }
