# shellcheck shell=bash disable=SC2154
# How the processes of a training are started and find each other: by what starts all processes at this site (srun,
# mpirun, mpiexec), for which no ssh is needed, or with TRAIN_BY=deepspeed by the launcher of DeepSpeed, which needs it.

free_port() { # the first port at which nobody listens on this node, from one by which jobs differ
    local port=$((20000 + $(job_number) % 20000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

train() { # PROGRAM WORD...: on all nodes
    local address port
    address=$(first_address) port=$(free_port)
    case ${TRAIN_BY:=mpi} in
        mpi) carry_out env MASTER_ADDR="$address" MASTER_PORT="$port" "$PYTHON" "$@" ;;
        deepspeed)
            # shellcheck disable=SC2329
            launch() { by_deepspeed "$@"; }
            carry_out --master_addr "$address" --master_port "$port" "$@" ;;
        *) fail "$SITE_ENV: TRAIN_BY = '$TRAIN_BY'; allowed: mpi, deepspeed" ;;
    esac
}

by_deepspeed() { # WORD...: the launcher reads the nodes from a file and the environment of processes from another
    trap '' USR1 # it passes no signal on; a training knows its time
    local code=0 node hosts=$JOB_SCRIPT.hosts$index kept=$PWD/$JOB_SCRIPT.environment$index names name
    for node in $(job_nodes); do echo "$(reachable_as "$node") slots=$JOB_TASKS_PER_NODE"; done >"$hosts"
    mapfile -t names < <(compgen -e | grep -E "^(PATH|LD_LIBRARY_PATH|UNFINISHED_NOTE|DS_ACCELERATOR|(NCCL|GLASSFLOW|OMP)_.*)$")
    for name in "${names[@]}"; do printf '%s=%q\n' "$name" "${!name}"; done >"$kept"
    export DS_ENV_FILE=$kept
    # Else pdsh waits for hours for a node that has vanished.
    export PDSH_SSH_ARGS_APPEND="${PDSH_SSH_ARGS_APPEND:-} -o BatchMode=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
    "$(dirname "$PYTHON")/deepspeed" --hostfile "$hosts" "$@" || code=$?
    [ "$code" != 255 ] || code=$UNFINISHED # of ssh: the node is lost, and the training goes on from its checkpoint
    exit "$code"
}
