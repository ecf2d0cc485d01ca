# shellcheck shell=bash disable=SC2034
# What jobs/submit and the jobs share. A scheduler's file (jobs/schedulers/) is read before the site's, so that a site
# may replace any function of it.

# shellcheck source=jobs/again.sh
source jobs/again.sh

fail() { echo "${program:-job}: $*" >&2; exit 2; }

load_files() { # FILE of the site: its scheduler's functions, then what it says itself
    local there told
    told=$(bash -n "$1" 2>&1) || fail "${told%%$'\n'*}"
    there=$(basename -s .sh jobs/schedulers/*.sh | xargs | sed 's/ /, /g')
    # shellcheck source=/dev/null
    SCHEDULER=$(unset SCHEDULER; source "$1" >/dev/null 2>&1; echo "${SCHEDULER:-}")
    [[ $SCHEDULER =~ ^[a-z]+$ && -f jobs/schedulers/$SCHEDULER.sh ]] ||
        fail "$1: SCHEDULER = '$SCHEDULER'; allowed: $there"
    # shellcheck source=/dev/null
    source "jobs/schedulers/$SCHEDULER.sh"
    trap 'exit 2' ERR # of a line of the site that fails; bash has named a command that is not there
    # shellcheck source=/dev/null
    source "$1"
    trap - ERR
}

with_index() { # INDEX WORD...: sets words, in which {index} is replaced
    local index=$1; shift
    words=("${@//\{index\}/$index}")
}

enter_job() { # WORD...: the software of the site; sets words, the arguments of the program
    load_files "$SITE_ENV"
    # Most schedulers start a job however those before it ended: a file per job tells that it is not finished.
    local before
    for before in ${JOB_AFTER:-}; do
        ! compgen -G "$before.unfinished*" >/dev/null || fail "a job before this one did not succeed: $before"
    done
    load_software
    with_index "$(array_index)" "$@"
}

load_software() { # load_site, in a shell as modules and other people's set-up scripts expect it
    local file
    for file in /etc/profile.d/{modules,lmod,z00_lmod}.sh; do # a job's shell is no login shell
        # shellcheck source=/dev/null
        set +u; [[ $(type -t module) || ! -r $file ]] || source "$file"; set -u
    done
    set +u; load_site; set -u # they use variables that nobody has set
}

distinct_nodes() { awk '!seen[$1]++ { print $1 }' "$1"; } # FILE with the name of a node first in each line

first_address() {
    local first
    read -r first < <(job_nodes)
    reachable_as "$first"
}

mpi_flags() { # RANKS PER_NODE: sets flags, those of mpirun that place the ranks
    local per_node=${PER_NODE_FLAG:-}
    flags=(-np "$1")
    [ -z "${MACHINEFILE_FLAG:-}" ] || flags=("$MACHINEFILE_FLAG" "$(hosts_file)" "${flags[@]}")
    [ -n "$per_node" ] || return 0
    [[ $per_node == *%d* ]] || per_node+=" %d"
    read -ra per_node <<<"${per_node//%d/$2}"
    flags+=("${per_node[@]}")
}

by_mpirun() { # COMMAND...: on all ranks that were asked for
    local n_nodes
    n_nodes=$(job_nodes | wc -l)
    [ "$n_nodes" = "$JOB_NODES" ] || fail "$JOB_NODES nodes were asked for and $n_nodes given"
    mpi_flags $((JOB_NODES * JOB_TASKS_PER_NODE)) "$JOB_TASKS_PER_NODE"
    exec "${LAUNCHER:-mpirun}" "${flags[@]}" "${LAUNCH_FLAGS[@]}" "$@"
}
