#!/usr/bin/env bash
# The demo: three nodes in one directory, that live, die and stop with it.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

await_demo() {
  local try
  for try in $(seq 900); do
    grep -q 'in another terminal' demo.log 2>/dev/null && break
    [ "$try" -lt 900 ] || fail "the demo does not start"
    sleep 0.1
  done
  kv status --wait healthy --timeout 60s >/dev/null
}
node_pids() { kv status --json | grep -o '"pid":[0-9]*' | cut -d : -f 2; }
await_end() {
  local try pid
  for pid in "$@"; do
    for try in $(seq 300); do
      kill -0 "$pid" 2>/dev/null || break
      [ "$try" -lt 300 ] || fail "process $pid still runs"
      sleep 0.1
    done
  done
}

start demo demo -d cluster
demo=$started
export KV_CLUSTER=$work/cluster/cluster.kv
await_demo
same 3 "$(node_pids | wc -l)"
version=$(kv put key value)

# Ctrl-C stops all, cleanly.
mapfile -t nodes < <(node_pids)
kill -INT "$demo"
code=0
wait "$demo" || code=$?
same 0 "$code"
await_end "${nodes[@]}"

# The same directory again: the data is there. A demo that is killed takes its nodes with it.
: >demo.log
start demo demo -d cluster
demo=$started
await_demo
same value "$(kv get key --at "$version")"
mapfile -t nodes < <(node_pids)
kill -KILL "$demo"
await_end "${nodes[@]}"

# The tour, on few records; it trusts nothing and says so in its status.
kv demo --tour --records 300 >tour.log 2>&1 || fail "the tour ended with $?: $(tail -n 5 tour.log)"
grep -q 'kill -9' tour.log
