# shellcheck shell=bash disable=SC2034,SC2154
# What a job does around its program: it passes warnings on to it, and has an unfinished one gone on with.

UNFINISHED=75 # exit code of a program that is to be run again
WARNINGS=(TERM USR1 USR2 XCPU)

margin_of() { # SECONDS of a job: those before its end at which it is warned
    local most=${WARNING_SECONDS:-300}
    echo $(($1 / 5 < most ? $1 / 5 : most))
}

limited() { # sets words: the program is told how many minutes it has, unless the user has said it
    [[ " ${words[*]} " != *" minutes="* ]] || return 0
    local left=$((JOB_SECONDS - $(margin_of "$JOB_SECONDS") - SECONDS))
    words+=("minutes=$(awk -v left="$left" 'BEGIN { printf "%.2f", (left > 1 ? left : 1) / 60 }')")
}

carry_out() { # COMMAND...: on all ranks; ends the job unless all is done
    local code=0 child="" index signal first_warning="" time_left=0
    index=$(array_index)
    export UNFINISHED_NOTE=$JOB_SCRIPT.kept$index
    rm -f "$UNFINISHED_NOTE"
    for signal in "${WARNINGS[@]}"; do
        # shellcheck disable=SC2064 # the name of this signal
        trap "warned $signal" "$signal"
    done
    (trap '' USR2 XCPU; launch "$@") &
    child=$!
    until_ended "$child" || code=$?
    trap '' "${WARNINGS[@]}"
    [ "$code" != 0 ] || { rm -f "$JOB_SCRIPT.unfinished$index"; return 0; }
    if [ -n "$first_warning" ] && is_of_a_warning "$code"; then
        echo "job: the warning (SIG$first_warning) killed the program: it takes none, or had not begun to" >&2
        code=$UNFINISHED
    fi
    if [ "$code" = "$UNFINISHED" ]; then
        go_on
    elif [ -n "$first_warning" ]; then
        echo "job: the program failed of itself (exit code $code), after the job had been warned (SIG$first_warning)" >&2
    fi
    exit "$code"
}

is_of_a_warning() { # EXIT CODE: of a program that one of these signals killed; MPICH's mpiexec says its number alone
    local number signal
    for signal in "${WARNINGS[@]}"; do
        number=$(kill -l "$signal")
        (($1 != number && $1 != number + 128)) || return 0
    done
    return 1
}

# Any mpirun and srun pass SIGUSR1 on, and none takes it for its own end, as some do with the others.
warned() { # SIGNAL: passes it on to the program, and notes the first one
    if [ -z "$first_warning" ]; then first_warning=$1 time_left=$((JOB_SECONDS - SECONDS)); fi
    kill -USR1 "$child" 2>/dev/null || true
}

# Schedulers end a deleted job by the signals that one gets whose time is over. A signal that comes before the program
# would have stopped by its clock was not sent for the time.
ended_early() { # whether that is how this job ends
    [[ $first_warning = TERM || $first_warning = USR2 ]] && ((time_left > $(margin_of "$JOB_SECONDS")))
}

until_ended() { # PROCESS: its exit code; a signal that this job takes meanwhile interrupts `wait` alone
    local code=0
    wait "$1" || code=$?
    while ((code > 128)) && kill -0 "$1" 2>/dev/null; do
        code=0
        wait "$1" || code=$?
    done
    if ((code > 128)); then # the number of that signal, or how the process ended, which bash remembers
        local again=0
        wait "$1" || again=$?
        ((again == 127)) || code=$again
    fi
    return "$code"
}

go_on() { # have the program run again, unless that has no end
    local kept=0 n=0 state=$JOB_SCRIPT.restarts$index
    [ ! -s "$UNFINISHED_NOTE" ] || read -r kept <"$UNFINISHED_NOTE"
    [ ! -s "$state" ] || n=$(wc -l <"$state")
    if [ -e "$JOB_SCRIPT.cancelled" ] || is_deleted; then
        echo "job: cancelled${first_warning:+ (SIG$first_warning, $time_left s before its time was over)}:" \
            "submit it again to go on" >&2
    elif ((kept == 0)); then
        echo "job: unfinished, and this job brought nothing to a checkpoint: it is not restarted; give it more time" >&2
    elif ((n >= JOB_RESTARTS)); then
        echo "job: unfinished after $n restarts, which is the most: submit it again to go on" >&2
    else
        printf '%s\t%s\n' "$(date +%FT%T)" "$kept" >>"$state"
        echo "job: unfinished, $kept pieces of work were kept; restart $((n + 1)) of at most $JOB_RESTARTS" >&2
        restart || echo "job: $SCHEDULER did not restart it: submit it again to go on" >&2
    fi
}

resubmit() { # hands in the job once more, as a job of its own, for which those wait that wait for this one
    local command told id one after again=$JOB_SCRIPT.again$index.sh
    printf '#!/bin/bash\ncd %q || exit\nexport JOB_INDEX=%q\nexec bash %q\n' "$PWD" "$index" "$JOB_SCRIPT" \
        >"$again"
    mapfile -t command <"$JOB_SCRIPT.command"
    told=$("${command[@]}" "$again") || return
    id=$(id_in <<<"$told")
    awk -F '\t' -v OFS='\t' -v script="$JOB_SCRIPT" -v id="$id" -v date="$(date +%FT%T)" \
        '$3 == script { row = $0 } END { $0 = row; $1 = date; $2 = id; if (row != "") print }' "$JOB_RECORD" >"$again.row"
    cat "$again.row" >>"$JOB_RECORD"
    while IFS=$'\t' read -r one after; do
        wait_for "$one" "$id,$after" || true
    done < <(dependents)
}

dependents() { # "ID<tab>IDs": jobs that wait for this one, and all that they wait for
    awk -F '\t' -v script="$JOB_SCRIPT" 'NR == FNR { if ($3 == script) mine[$2]; next }
        { n = split($5, before, ","); for (i = 1; i <= n; i++) if (before[i] in mine) { print $2 "\t" $5; break } }' \
        "$JOB_RECORD" "$JOB_RECORD"
}
