# shellcheck shell=bash disable=SC2034,SC2154
# What jobs/submit looks at before anything is queued.

# As many digits as bash can multiply.
NUMBER='[0-9]{1,6}' POSITIVE='[1-9][0-9]{0,5}' HOURS='[0-9]{1,6}:[0-5][0-9]:[0-5][0-9]'
NODES_PATTERN=$POSITIVE NODES_ALLOWED="a number from 1" # a scheduler may have others
MOST_JOBS=10000 # of an array: each has a mark of its own

setting() { # setting NAME PATTERN ALLOWED: the value of GENERATE_NAME or TRAIN_NAME, whichever the job is
    local name=${job%%_*}; name=${name^^}_$1
    [[ ${!name-} =~ ^($2)$ ]] || fail "$site: $name = '${!name-}'; allowed: $3"
    echo "${!name}"
}

in_seconds() { # HOURS:MINUTES:SECONDS
    local hours minutes rest
    IFS=: read -r hours minutes rest <<<"$1"
    echo $((10#$hours * 3600 + 10#$minutes * 60 + 10#$rest))
}

read_settings() { # sets nodes, n_nodes, tasks, cores, gpus, time, seconds, queue, restarts
    nodes=$(setting NODES "$NODES_PATTERN" "$NODES_ALLOWED")
    n_nodes=${nodes:-1}
    n_nodes=$((${n_nodes//x/*}))
    tasks=$(setting TASKS_PER_NODE "$POSITIVE" "a number from 1")
    cores=$(setting CORES_PER_TASK "$POSITIVE" "a number from 1")
    gpus=$(setting GPUS_PER_NODE "$NUMBER" "a number from 0")
    time=$(setting TIME "$HOURS" "hours:minutes:seconds")
    queue=$(setting QUEUE '[^ ]*' "one word, or nothing")
    restarts=${restarts:-$RESTARTS}
    [ -n "${PYTHON:-}" ] || fail "$site: PYTHON is empty; tools/setup makes .venv/bin/python"
    [[ $restarts =~ ^$NUMBER$ ]] || fail "$site: RESTARTS, or --restarts, = '$restarts'; allowed: a number from 0"
    [[ ${WARNING_SECONDS:-300} =~ ^$NUMBER$ ]] ||
        fail "$site: WARNING_SECONDS = '$WARNING_SECONDS'; allowed: a number from 0"
    # A stage of one process takes one node, all of it.
    if grep -q '^# One process' "jobs/kinds/$job.sh"; then
        nodes=${nodes:+1} n_nodes=1 cores=$((tasks * cores)) tasks=1
        time=${ONE_PROCESS_TIME:-$time}
        [[ $time =~ ^$HOURS$ ]] ||
            fail "$site: ONE_PROCESS_TIME = '$time'; allowed: hours:minutes:seconds"
    fi
    seconds=$(in_seconds "$time")
}

check_array() { # WORD...: --array and {index} go together
    local ids='^([0-9][0-9_]*(\[\])?(,|$))*$' range="^($POSITIVE)-($POSITIVE)$"
    [[ $after =~ $ids ]] || fail "--after '$after'; allowed: IDs of jobs with commas between them"
    if [ -z "$array" ]; then
        [[ "$*" != *"{index}"* ]] || fail "{index} is in the arguments; give --array FIRST-LAST"
        return 0
    fi
    # PBS wants at least two jobs, Grid Engine numbers from 1.
    if [[ ! $array =~ $range ]] || ((BASH_REMATCH[1] >= BASH_REMATCH[2])); then
        fail "--array '$array'; allowed: FIRST-LAST with 1 <= FIRST < LAST"
    fi
    ((BASH_REMATCH[2] - BASH_REMATCH[1] < MOST_JOBS)) || fail "--array '$array'; at most $MOST_JOBS jobs are allowed"
    [[ "$*" == *"{index}"* ]] || fail "--array $array: all jobs would do the same; put {index} into the arguments"
}

check_limits() { # the settings against QUEUE_LIMITS of the site
    [ -n "${QUEUE_LIMITS[*]-}" ] || return 0
    local line name range longest of_gpus of_cores of_memory kind=${job%%_*} queues="" seen=""
    local form="^[^ ]+ +$POSITIVE-$POSITIVE +$HOURS( +([0-9]{1,6}|-)){3} *$"
    kind=${kind^^}
    for line in "${QUEUE_LIMITS[@]}"; do
        [[ $line =~ $form ]] || fail "$site: QUEUE_LIMITS has '$line'; allowed: as in \"gpu 1-16 24:00:00 4 64 512\""
        read -r name range longest of_gpus of_cores of_memory <<<"$line"
        queues+=" $name"
        [ "$name" = "$queue" ] || continue
        seen+="${seen:+, }$range"
        if ((n_nodes < ${range%-*} || n_nodes > ${range#*-})); then continue; fi
        ((seconds <= $(in_seconds "$longest"))) ||
            fail "$site: ${kind}_TIME = '$time'; $queue with $n_nodes nodes: at most $longest; less, or another queue"
        exceeds "${kind}_GPUS_PER_NODE" "$gpus" "$of_gpus" GPUs
        exceeds "${kind}_TASKS_PER_NODE times ${kind}_CORES_PER_TASK" $((tasks * cores)) "$of_cores" cores
        memory_limit=$of_memory
        return 0
    done
    queues=$(xargs -n 1 <<<"$queues" | uniq | paste -sd, | sed 's/,/, /g')
    [ -n "$seen" ] || fail "$site: ${kind}_QUEUE = '$queue'; allowed: $queues"
    fail "$site: ${kind}_NODES = '$nodes'; nodes of $queue: $seen"
}

exceeds() { # NAME ASKED LIMIT WHAT; a limit that is not known is -
    [ "$3" = - ] || (($2 <= $3)) || fail "$site: $1 = '$2'; $4 of a node of $queue: at most $3"
}

scripts_of() { # ID[,ID...]: the scripts of these jobs, where the scheduler does not tell whether they succeeded
    [[ -n $1 && -n ${AFTER_ANY_END:-} ]] || return 0
    local id found=()
    for id in ${1//,/ }; do
        found+=("$(awk -F '\t' -v id="$id" '$2 == id { last = $3 } END { print last }' "$record" 2>/dev/null || true)")
        [ -n "${found[-1]}" ] || fail "--after $id: not submitted from here"
    done
    echo "${found[*]}"
}

last_of() { echo "${1:+ (${1##*$'\n'})}"; } # MESSAGE: its last line, which has the reason

look_at_configuration() { # GENERATOR WORD...
    # The generator looks at its configuration now, so that mistakes are told before the job has waited.
    looks() { PLANNED_RANKS=$((n_nodes * tasks)) "$PYTHON" -m "$@"; }
    local told
    if ! told=$( (load_software >/dev/null 2>&1; looks "$1" --help) 2>&1 >/dev/null); then
        echo "submit: $1 does not run here$(last_of "$told"), so its configuration was not looked at" >&2
        return 0
    fi
    told=$(load_software >&2; looks "$1" show "${@:2}") || fail "nothing is submitted"
    sed -n '/^# /p' <<<"$told"
    compare_memory "$(sed -n 's/^# memory  *about \([0-9.]* [kMGT]*B\) per rank.*/\1/p' <<<"$told")"
    compare_time "$(sed -n 's/^# cost .* about \([0-9.]* [a-z]*\) on .*/\1/p' <<<"$told")"
}

look_at_recipe() { # WORD...: likewise; data that an earlier job is still to make are not there yet
    local told why code=0
    looks() { "$PYTHON" dtrain/train.py "$@"; }
    told=$(load_software >&2; looks show "$@" 2>&1) || code=$?
    if ((code == 0)); then
        sed -n '/^# /p' <<<"$told"
    elif ((code != 2)) && ! why=$( (load_software >/dev/null 2>&1; looks --help) 2>&1 >/dev/null); then
        echo "submit: dtrain does not run here$(last_of "$why"), so its recipe was not looked at" >&2
    elif [ -n "$after$later" ] && grep -q '^name = ' <<<"$told"; then # the recipe is in order and shown: data are missing
        sed -n "s/^error: \(.*\)/submit: \1; ${after:-what it waits for} has not ended yet, so that may come/p" <<<"$told" >&2
    else
        grep '^error: ' <<<"$told" >&2 || echo "$told" >&2
        fail "nothing is submitted"
    fi
}

compare_memory() { # "337 MB", of a rank, against what a node of the queue has
    [[ -n $1 && ${memory_limit:--} != - ]] || return 0
    local needed
    needed=$(awk -v tasks="$tasks" '{ split("B kB MB GB TB", unit); for (i in unit) if (unit[i] == $2)
        printf "%.0f", tasks * $1 * 1000 ^ (i - 4) }' <<<"$1")
    ((needed <= memory_limit)) ||
        fail "$site: GENERATE_TASKS_PER_NODE = '$tasks' need $needed GB; a node of $queue has $memory_limit GB"
}

compare_time() { # "16158 h" against what the job and its restarts have; on GPUs the estimate is none
    local needed
    needed=$(awk '{ split("s min h", unit); for (i in unit) if (unit[i] == $2) printf "%.0f", $1 * 60 ^ (i - 1) }' \
        <<<"$1")
    [ "${needed:-0}" -gt "$seconds" ] || return 0
    if ((gpus > 0 || restarts == 0)); then
        echo "submit: about $1 are needed on CPUs and a job has $time: submit it again until done, or ask for more" >&2
    elif ((needed > seconds * (1 + restarts))); then
        fail "about $1 are needed, and $time with $restarts restarts is less: ask for more ranks, time or --restarts"
    else
        echo "submit: about $1 are needed and a job has $time: it goes on in $((needed / seconds)) restarts or so" >&2
    fi
}
