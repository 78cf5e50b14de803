#!/usr/bin/env bash
# shellcheck disable=SC2034 # what sources this uses $started, $node and $nodes
# What the scripts here share: a directory of their own, nodes that end with the script, and checks that say what
# they expected. To be sourced; $KV is the program.

set -euo pipefail

: "${KV:?the path of kv}"
kv() { "$KV" "$@"; }

work=$(mktemp -d "${TMPDIR:-/tmp}/kv-script-XXXXXX")
pids=()

finish() {
  local status=$?
  local pid
  for pid in "${pids[@]}"; do
    kill -CONT "$pid" 2>/dev/null || true
    kill -KILL "$pid" 2>/dev/null || true
  done
  { wait || true; } 2>/dev/null
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$work"/*.log >&2 2>/dev/null || true
  fi
  rm -rf "$work"
  exit "$status"
}
trap finish EXIT
cd "$work"
export HOME=$work XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state
unset KV_CLUSTER

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# same EXPECTED FOUND: two texts are equal.
same() {
  [ "$1" = "$2" ] || fail "line ${BASH_LINENO[0]}: expected '$1', found '$2'"
}

# status CODE COMMAND…: the command ends with exactly this status.
status() {
  local wanted=$1 found=0
  shift
  "$@" >stdout 2>stderr || found=$?
  [ "$found" -eq "$wanted" ] ||
    fail "line ${BASH_LINENO[0]}: '$*' ended with $found, expected $wanted: $(cat stderr)"
}

# free_port: a port of 127.0.0.1 on which nobody listens.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
}

# start NAME ARGUMENT…: runs kv in the background, its words in NAME.log; its process id is in $started.
start() {
  local name=$1
  shift
  "$KV" "$@" >>"$name.log" 2>&1 &
  started=$!
  pids+=("$started")
}

# stop PID: ends a process as a service manager does; it has to end well.
stop() {
  local status=0
  kill -TERM "$1"
  wait "$1" || status=$?
  [ "$status" -eq 0 ] || fail "line ${BASH_LINENO[0]}: process $1 ended with $status after SIGTERM"
}

# one_node: a cluster of one node in $work/node, its process id in $node.
one_node() {
  start node serve -d node --listen "127.0.0.1:$(free_port)"
  node=$started
  export KV_CLUSTER=$work/node/cluster.kv
  await_healthy
}

# await_healthy: waits until the cluster file exists and the cluster is healthy.
await_healthy() {
  kv status --wait healthy --timeout 60s >/dev/null
}

# three_nodes ARGUMENT…: a cluster of three nodes in $work/node1 to node3, made as a user makes it, the first started
# with the arguments; their process ids in $nodes.
# shellcheck disable=SC2120 # the arguments may be left out
three_nodes() {
  local index words
  start node1 serve -d node1 --listen "127.0.0.1:$(free_port)" "$@"
  nodes=("$started")
  export KV_CLUSTER=$work/node1/cluster.kv
  await_healthy
  for index in 2 3; do
    # The command as it was printed, without its first word.
    read -ra words <<<"$(kv invite)"
    start "node$index" "${words[@]:1}" -d "node$index" --listen "127.0.0.1:$(free_port)"
    nodes+=("$started")
    await_members "$index"
  done
  await_healthy
}

# way_back_in DIRECTORY: a cluster file made in the directory of a node that runs, for where no administrator's is left.
way_back_in() {
  local try
  for try in $(seq 100); do
    ! kv cert issue rescuer --role admin --directory "$1" --to cluster.kv --quiet 2>words || break
    [ "$try" -lt 100 ] || fail "no way back in: $(cat words)"
    sleep 0.1
  done
  export KV_CLUSTER=$work/cluster.kv
  kv status --wait healthy --timeout 60s >/dev/null || fail "$(kv status)"
}

# await_members COUNT: waits until so many nodes are members and answer.
await_members() {
  local try
  for try in $(seq 600); do
    [ "$(kv status --json | grep -o '"pid":' | wc -l)" -lt "$1" ] || return 0
    [ "$try" -lt 600 ] || fail "there are not $1 nodes"
    sleep 0.1
  done
}

# await_moved PARTITIONS: waits until there are so many partitions, since another node brings splits, and nothing is to move.
await_moved() {
  local try partitions
  for try in $(seq 600); do
    partitions=$(kv plan --json | grep -o '"replicas":[0-9]*' | awk -F: '{ n += $2 } END { print int(n / 3) }')
    if [ "$partitions" -ge "$1" ] && kv plan | grep '^nothing to move$' >/dev/null; then break; fi
    [ "$try" -lt 600 ] || fail "there are $partitions partitions, or some are to move: $(kv plan)"
    sleep 0.1
  done
  await_healthy
}
