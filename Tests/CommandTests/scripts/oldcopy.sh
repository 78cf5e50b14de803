#!/usr/bin/env bash
# A node is started from an older copy of its directory: it has forgotten what it acknowledged. Together with another that
# was away it must not take over what only the third has.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# crash NUMBER: kills a node.
crash() {
  kill -KILL "${nodes[$1 - 1]}"
  wait "${nodes[$1 - 1]}" 2>/dev/null || true
}

# again NUMBER: starts it at its address.
again() {
  local port
  port=$(grep -o 'serves on 127.0.0.1:[0-9]*' "node$1.log" | tail -1 | grep -o '[0-9]*$')
  start "node$1" serve -d "node$1" --listen "127.0.0.1:$port"
  nodes[$1 - 1]=$started
}

three_nodes
seq 500 | sed 's/.*/key&\tvalue&/' | kv put --from tsv >/dev/null
crash 3
cp -a node3 older
again 3
kv status --wait healthy --timeout 60s >/dev/null || fail "not well after a restart: $(kv status)"
if grep -q 'older copy' node3.log; then fail "a restart passes for an older copy: $(cat node3.log)"; fi

# Only the first and the third have what is written now.
crash 2
seq 500 | sed 's/.*/key&\tnewer&/' | kv put --from tsv --timeout 20s >/dev/null
kv range --timeout 20s >before

crash 3
mv node3 newer
mv older node3
again 3
for _ in $(seq 100); do
  if grep -q 'partition.*older copy' node3.log; then break; fi
  sleep 0.1
done
grep -q 'partition.*older copy' node3.log || fail "the older copy was not found out: $(cat node3.log)"
kv status --json --timeout 20s | grep -q 'has its acknowledgement of entry' || fail "status: $(kv status --json)"
crash 1
again 2
sleep 3
status 69 kv get key1 --timeout 3s
again 1
kv status --wait healthy --timeout 90s >/dev/null || fail "not mended: $(kv status)"
kv range | cmp - before
kv verify >/dev/null || fail "the replicas differ"
