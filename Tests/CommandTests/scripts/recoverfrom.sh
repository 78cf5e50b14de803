#!/usr/bin/env bash
# Two of four nodes are lost, and neither of the others has a replica of everything: one goes on with what both have.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes
seq -f 'key%04g' 2000 | awk '{print $1 "\tvalue of " $1}' | kv put --from tsv >/dev/null 2>&1
read -ra words <<<"$(kv invite)"
start node4 "${words[@]:1}" -d node4 --listen "127.0.0.1:$(free_port)"
nodes+=("$started")
await_members 4
await_healthy
await_moved 32
kv snapshot create kept >/dev/null
for number in $(seq 100); do echo "key$(printf %04d "$number")	changed"; done | kv put --from tsv >/dev/null 2>&1
kv verify >verdict 2>&1 || fail "the replicas differ before anything is lost: $(grep -v ': equal' verdict)"
sleep 1

kill -KILL "${nodes[@]}"
wait "${nodes[@]}" 2>/dev/null || true
rm -rf node1 node2
unset KV_CLUSTER

# Neither has everything by itself, and says what it lacks.
for index in 3 4; do
  status 2 kv recover plan -d "node$index" --timeout 500ms
  grep -q "node $index has no replica of it" stdout || fail "$(cat stdout)"
  grep -q -- '--from' stderr || fail "$(cat stderr)"
done
# Without the others' directories it goes on with what there is: said first, partition by partition.
cp -a node3 rest
kv recover plan -d rest --timeout 500ms --json 2>/dev/null >lacking || true
read -ra without <<<"$(sed -n 's/^{"group":\([0-9]*\),.*"obstacle".*/--without \1/p' lacking | tr '\n' ' ')"
[ "${#without[@]}" -gt 2 ] || fail "nothing is lacking: $(cat lacking)"
status 2 kv recover plan -d rest "${without[@]:2}" --timeout 500ms
status 64 kv recover plan -d rest --without 0 --timeout 500ms
status 64 kv recover plan -d rest --without 999 --timeout 500ms
kv recover apply -d rest "${without[@]}" --yes --timeout 500ms >planned 2>/dev/null
same "$((${#without[@]} / 2))" "$(grep -c 'to begin anew, empty' planned)"
kv recover apply -d rest "${without[@]}" --yes --timeout 500ms >again 2>&1
grep -q 'nothing is to be done' again || fail "$(cat again)"
kv recover verify -d rest >verdict
grep -q 'partitions that began anew then, empty: ' verdict || fail "$(cat verdict)"
start rest serve -d rest --listen "127.0.0.1:$(free_port)"
way_back_in rest
here=$(kv range --format keys | wc -l)
if [ "$here" -eq 0 ] || [ "$here" -ge 2000 ]; then fail "$here keys are left"; fi
status 3 kv range --at snap:kept --format keys
seq -f 'key%04g' 2000 | awk '{print $1 "\tagain"}' | kv put --from tsv >/dev/null 2>&1
same 2000 "$(kv range --format tsv | grep -c 'again$')"
stop "$started"
unset KV_CLUSTER
rm -rf rest cluster.kv
status 64 kv recover plan -d node3 --from ./node3 --timeout 500ms
grep -q 'one directory is given twice' stderr || fail "$(cat stderr)"
status 78 kv recover plan -d node3 --from nowhere --timeout 500ms
cp -a node4 copy
status 78 kv recover plan -d node3 --from node4 --from copy --timeout 500ms
kv recover plan -d node3 --from node4 --timeout 500ms >planned 2>/dev/null
grep -q "taken from node 4's directory" planned || fail "$(cat planned)"
same 3 "$(grep -c 'to be struck out for ever' planned)"

# Cut off at whatever moment, it is done again; what it takes from is left as it was.
(cd node4 && find . -type f -name '*.sst' -exec sha256sum {} + | sort) >before
for delay in 0.02 0.05 0.1 0.15 0.2 0.3; do
  timeout --signal KILL "$delay" "$KV" recover apply -d node3 --from node4 --yes --timeout 100ms >/dev/null 2>&1 || true
done
if [ -e node3/RECOVERING ]; then
  status 78 kv serve -d node3 --listen 127.0.0.1:0
  grep -q 'do it again' stderr || fail "$(cat stderr)"
fi
kv recover apply -d node3 --from node4 --yes --timeout 500ms >/dev/null 2>&1
[ ! -e node3/RECOVERING ] || fail "it has not ended"
(cd node4 && find . -type f -name '*.sst' -exec sha256sum {} + | sort) >after
cmp before after
kv recover verify -d node3 >verdict
grep -q 'nodes 1, 2, 4 were struck out' verdict || fail "$(cat verdict)"
same 0 "$(grep -c 'members on nodes' verdict || true)"
kv recover apply -d node3 --yes --timeout 500ms 2>&1 | grep -q 'nothing is to be done' || fail "it is not done"

start node3 serve -d node3 --listen "127.0.0.1:$(free_port)"
way_back_in node3
same 2000 "$(kv range --format keys | wc -l)"
same 100 "$(kv range --format tsv | grep -c 'changed$')"
same 'value of key0042' "$(kv get key0042 --at snap:kept)"
same 2 "$(kv history key0042 --json | wc -l)"
kv put after one >/dev/null

# Others join, take everything over, and hold the same; a restart finds what was adopted.
stop "$started"
start node3 serve -d node3
await_healthy
for index in 5 6; do
  read -ra words <<<"$(kv invite)"
  start "node$index" "${words[@]:1}" -d "node$index" --listen "127.0.0.1:$(free_port)"
  await_members "$((index - 3))"
done
kv status --wait healthy --timeout 60s >/dev/null || fail "$(kv status)"
kv verify >verdict 2>&1 || fail "$(cat verdict)"
same 2001 "$(kv range --format keys | wc -l)"
