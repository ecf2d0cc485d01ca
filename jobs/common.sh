# shellcheck shell=bash disable=SC2034
# What jobs/submit and the jobs share. A scheduler's file (jobs/schedulers/) is read before the site's, so that a site
# may replace any function of it.

# shellcheck source=jobs/again.sh
source jobs/again.sh

fail() { echo "${program:-job}: $*" >&2; exit 2; }

load_files() { # FILE of the site: its scheduler's functions, then what it says itself
    local there told said code functions
    ! grep -q $'\r$' "$1" || fail "$1: has the ends of lines of Windows; tr -d '\r' takes them away"
    told=$(bash -n "$1" 2>&1) || fail "${told%%$'\n'*}"
    loosely # where a failure would be dealt with, no trap would see it
    SCHEDULER=$(scheduler_in "$1")
    functions=jobs/schedulers/$SCHEDULER.sh
    told=$(exec 2>&1 </dev/null; [[ ! -f $functions ]] || source "$functions"; unset SCHEDULER; try_site "$1")
    code=$?
    strictly
    if [ $code != 0 ]; then
        said=${told%"${told##*$'\n'}"} said=${said%$'\n'} said=${said##*$'\n'} # the line before the last one
        echo "${told##*$'\n'}${said:+ (${said#"$1": line [0-9]*: })}" >&2
        exit 2
    fi
    there=$(basename -s .sh jobs/schedulers/*.sh | xargs | sed 's/ /, /g')
    [[ $SCHEDULER =~ ^[a-z]+$ && -f $functions ]] ||
        fail "$1: SCHEDULER = '$SCHEDULER'; allowed: $there"
    # shellcheck source=/dev/null
    source "$functions"
    loosely
    # shellcheck source=/dev/null
    source "$1" || true
    strictly
    SITE_FILE=$1
    [[ $(type -t load_site) == function ]] || fail "$1: the function load_site is missing; load_site() { :; } does nothing"
}

# A site's file, modules and other people's set-up scripts expect a shell that is none of these.
loosely() { at_first=$PWD; set +eu +o pipefail; }
strictly() { set -euo pipefail; cd "$at_first"; }

scheduler_in() ( # FILE: what it sets, whatever else it does or fails at
    exec 3>&1 >/dev/null 2>&1 </dev/null
    unset SCHEDULER
    trap 'echo "${SCHEDULER:-}" >&3' EXIT
    # shellcheck source=/dev/null
    source "$1"
)

try_site() { # FILE, in a shell of its own: the line that fails and what is said of it come last
    local last="" code
    watched "$1"
    set -T
    trap '[[ ${BASH_SOURCE[0]} != "$1" ]] || last=$BASH_COMMAND' DEBUG
    # shellcheck source=/dev/null
    source "$1" >/dev/null
    code=$?
    trap - DEBUG EXIT
    [[ $code = 0 || $last != return* ]] || site_failed "$1" "$1" 0 "$code" "$last"
}

watched() { # FILE: a line of it that fails ends this shell; one that is false, such as `[ -n "$X" ] && X=1`, does not
    loosely
    set -E
    level=$BASH_SUBSHELL
    # shellcheck disable=SC2064 # this file
    trap "site_failed $(printf %q "$1")"' "${BASH_SOURCE[0]}" "$LINENO" $? "$BASH_COMMAND"' ERR
    # shellcheck disable=SC2064 # this file
    trap "fail $(printf %q "$1: ends the shell by exit, by set -e or for want of a variable")" EXIT
}

site_failed() { # FILE SOURCE LINE CODE COMMAND: of others than the file only what returns from a function of it counts
    [[ $BASH_SUBSHELL = "$level" && ($1 == "$2" || $5 == return*) ]] || return 0
    trap - DEBUG EXIT
    local where=$1 what=$5
    if [[ $1 == "$2" && $3 != 0 ]]; then where+=", line $3" what=$(sed -n "$3{s/^ *//;p}" "$1"); fi
    fail "$where: ends with code $4: $what"
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
    loosely
    for file in /etc/profile.d/{modules,lmod,z00_lmod}.sh; do # a job's shell is no login shell
        # shellcheck source=/dev/null
        [[ $(type -t module) || ! -r $file ]] || source "$file"
    done
    watched "$SITE_FILE"
    load_site
    trap - ERR EXIT
    set +E
    strictly
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
