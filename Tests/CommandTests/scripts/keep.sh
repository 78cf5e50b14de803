#!/usr/bin/env bash
# How long old versions are kept: by the cluster's setting, and no longer; what has left is refused with 3, by name.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

port=$(free_port)
start node serve -d node --listen "127.0.0.1:$port" --keep 2s
node=$started
export KV_CLUSTER=$work/node/cluster.kv
await_healthy

first=$(kv put key one)
second=$(kv put key two)
same one "$(kv get key --at "$first")"

# Versions go by as time does.
for try in $(seq 100); do
  kv put other "$try" >/dev/null
  kv get key --at "$first" >/dev/null 2>stderr || break
  [ "$try" -lt 100 ] || fail "the version is still kept after ten seconds"
  sleep 0.1
done
status 3 kv get key --at "$first"
grep -q 'no longer retained: the oldest still readable is [0-9]' stderr || fail "no floor: $(cat stderr)"
floor=$(grep -o 'readable is [0-9]*' stderr | grep -o '[0-9]*$')
[ "$floor" -gt "$first" ] || fail "the floor $floor is not above $first"
status 3 kv range --at "$first"
[ ! -s stdout ] || fail "a range below the floor printed $(cat stdout)"
same two "$(kv get key)"
same two "$(kv get key --at "-1s")"
[ "$(kv status --json | grep -o '"retention_ms":[0-9]*' | head -1)" = '"retention_ms":2000' ] || fail "status: $(kv status --json)"

# A restart changes nothing, unless it says so.
stop "$node"
start node serve -d node --listen "127.0.0.1:$port"
node=$started
await_healthy
status 3 kv get key --at "$first"
stop "$node"
start node serve -d node --listen "127.0.0.1:$port" --keep 1h
await_healthy
for try in $(seq 100); do
  ! kv status --json | grep -q '"retention_ms":3600000' || break
  [ "$try" -lt 100 ] || fail "the setting did not change: $(kv status --json)"
  sleep 0.1
done
third=$(kv put key three)
kv put key four >/dev/null
sleep 3
same three "$(kv get key --at "$third")"
status 3 kv get key --at "$second"
status 64 kv serve -d node --keep 1ms
