#!/usr/bin/env bash
# Named snapshots: a version with a name is read after its time, until the name goes.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

start node serve -d node --listen "127.0.0.1:$(free_port)" --keep 2s
export KV_CLUSTER=$work/node/cluster.kv
await_healthy

first=$(kv put key one)
same "$first" "$(kv snapshot create monday --at "$first")"
kv put key two >/dev/null
same "$(kv snapshot list --json | sed 's/.*"version":"\([0-9]*\)".*/\1/')" "$first"
kv snapshot create now >version
[ "$(cat version)" -gt "$first" ] || fail "now is $(cat version)"
same $'monday\nnow' "$(kv snapshot list | cut -f 1)"

# The others go by; these stay.
for try in $(seq 200); do
  kv put other "$try" >/dev/null
  kv get key --at "$((first + 1))" >/dev/null 2>stderr || break
  [ "$try" -lt 200 ] || fail "versions are still kept after twenty seconds"
  sleep 0.1
done
same one "$(kv get key --at "$first")"
same one "$(kv get key --at snap:monday)"
same two "$(kv get key --at snap:now)"
same 'key	one' "$(kv range --at snap:monday)"
status 3 kv snapshot create late --at "$((first + 1))"
grep -q 'oldest still readable is [0-9]' stderr || fail "no floor: $(cat stderr)"
status 64 kv get key --at snap:tuesday
grep -q 'there are monday, now' stderr || fail "$(cat stderr)"
status 77 kv snapshot create now --at "$first"
status 65 kv snapshot create 'two words'
status 77 kv snapshot create far --at 2099-01-01T00:00:00Z

kv snapshot delete monday
status 1 kv snapshot delete monday
status 3 kv get key --at "$first"
same two "$(kv get key --at snap:now)"
