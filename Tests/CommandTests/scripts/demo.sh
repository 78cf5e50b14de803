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

# A node that is killed is told of and comes back; the demo goes on, and ends well. Clients only wait: a benchmark that
# runs meanwhile loses no operation, and says for how long none ended.
mapfile -t nodes < <(node_pids)
kv bench put --keys 1000 --clients 8 --seconds 6 --timeout 60s --json >load.json &
load=$!
sleep 2
kill -KILL "${nodes[1]}"
await_end "${nodes[1]}"
wait "$load"
grep -q '"errors":0,' load.json || fail "operations failed: $(cat load.json)"
pause=$(sed -n 's/.*"longest_pause_ms":\([0-9]*\).*/\1/p' load.json)
if [ "$pause" -lt 100 ] || [ "$pause" -ge 30000 ]; then fail "a pause of $pause ms"; fi
for try in $(seq 300); do
  ! grep -q 'node . runs again' demo.log || break
  [ "$try" -lt 300 ] || fail "the node does not come back: $(cat demo.log)"
  sleep 0.1
done
grep -q 'node . of the demo has ended with status 137 and is started again' demo.log
kv status --wait healthy --timeout 60s >/dev/null
same 3 "$(node_pids | wc -l)"
same value "$(kv get key)"

# One that has left stays away.
left=$(kv status --json | grep -o '"node":[0-9]*' | tail -n 1 | cut -d : -f 2)
kv leave "$left" --timeout 60s 2>/dev/null
for try in $(seq 300); do
  ! grep -q 'status 77 and the others go on without it' demo.log || break
  [ "$try" -lt 300 ] || fail "the demo does not tell of the node that left: $(cat demo.log)"
  sleep 0.1
done
same value "$(kv get key)"
kill -INT "$demo"
code=0
wait "$demo" || code=$?
same 0 "$code"

# And again, without it.
: >demo.log
start demo demo -d cluster
demo=$started
await_demo
same 2 "$(node_pids | wc -l)"
mapfile -t nodes < <(node_pids)
kill -KILL "$demo"
await_end "${nodes[@]}"

# What is left of a demo whose port was taken is used by the next one.
port=$(free_port)
mkdir taken
start taken serve -d taken --listen "127.0.0.1:$port"
taken=$started
until KV_CLUSTER=taken/cluster.kv kv status --wait healthy --timeout 60s >/dev/null 2>&1; do sleep 0.1; done
status 74 kv demo -d again --nodes 1 --port "$port"
stop "$taken"
: >demo.log
start demo demo -d again --nodes 1 --port "$port"
demo=$started
KV_CLUSTER=again/cluster.kv await_demo
grep -q "its nodes: 127.0.0.1:$port\$" demo.log
stop "$demo"
mkdir strange
touch strange/node1.log strange/letter
status 64 kv demo -d strange

# The tour, on few records; it trusts nothing and says so in its status.
kv demo --tour --records 300 >tour.log 2>&1 || fail "the tour ended with $?: $(tail -n 5 tour.log)"
grep -q 'kill -9' tour.log
