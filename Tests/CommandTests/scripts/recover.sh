#!/usr/bin/env bash
# Two of three nodes' directories are gone: the third goes on alone by the manual's steps, and others join it.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes
seq -f 'key%04g' 300 | awk '{print $1 "\tvalue of " $1}' | kv put --from tsv >/dev/null 2>&1
kv snapshot create kept >/dev/null
kv put key0001 changed >/dev/null
sleep 1

# While others run it is refused; a running node's directory is nobody else's.
status 77 kv recover plan -d node3
stop "${nodes[2]}"
status 77 kv recover plan -d node3 --timeout 2s
grep -q 'node [12] at .*answers' stderr || fail "$(cat stderr)"
status 77 kv recover apply -d node3 --yes --timeout 2s

kill -KILL "${nodes[0]}" "${nodes[1]}"
wait "${nodes[0]}" "${nodes[1]}" 2>/dev/null || true
mv node1 old1
mv node2 old2
# With node 1 the administrator's file is lost, too.
unset KV_CLUSTER

status 2 kv recover verify -d node3
kv recover plan -d node3 --timeout 1s >planned 2>words
same 17 "$(grep -c 'members on nodes 1, 2, 3' planned)"
same 2 "$(grep -c 'to be struck out for ever' planned)"
grep -q 'lost will be' words || fail "$(cat words)"
same 2 "$(kv recover plan -d node3 --json --quiet --timeout 1s | grep -c '^{"node":[12],.*"struck_out":false}$')"
status 64 kv recover apply -d node3 --timeout 1s
kv recover apply -d node3 --yes --timeout 1s >/dev/null 2>&1
kv recover verify -d node3 >verdict
same 17 "$(grep -c 'alone' verdict)"
grep -q 'nodes 1, 2 were struck out' verdict || fail "$(cat verdict)"
kv recover verify -d node3 --json | grep -q '^{"recovered_ms":[0-9]*,"survivor":3,"lost":\[1,2\]}$' ||
  fail "$(kv recover verify -d node3 --json)"
kv recover apply -d node3 --yes --timeout 1s >/dev/null 2>&1

port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node3.log | tail -1 | grep -o '[0-9]*$')
start node3 serve -d node3 --listen "127.0.0.1:$port"
survivor=$started
way_back_in node3
same 300 "$(kv range --format keys | wc -l)"
same changed "$(kv get key0001)"
same 'value of key0001' "$(kv get key0001 --at snap:kept)"
kv put after one >/dev/null

# The lost ones, had they only been mislaid, don't go on beside it when they come back: they end. New ones join.
start old1 serve -d old1
lost=$started
start old2 serve -d old2
for pid in "$lost" "$started"; do
  found=0
  wait "$pid" || found=$?
  same 77 "$found"
done
same one "$(kv get after)"
for index in 4 5; do
  read -ra words <<<"$(kv invite)"
  start "node$index" "${words[@]:1}" -d "node$index" --listen "127.0.0.1:$(free_port)"
  await_members "$((index - 2))"
done
kv status --wait healthy --timeout 60s >/dev/null || fail "$(kv status)"
kill -KILL "$survivor"
wait "$survivor" 2>/dev/null || true
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node4.log | tail -1 | grep -o '[0-9]*$')
sed -i "s/^address .*/address 127.0.0.1:$port/" cluster.kv
same one "$(kv get after --timeout 30s)"
same 301 "$(kv range --format keys --timeout 30s | wc -l)"

# A node alone whose log has lost its end does not start; with what is left it goes on where that is accepted.
port=$(free_port)
start single serve -d single --listen "127.0.0.1:$port" --partitions 1
export KV_CLUSTER=$work/single/cluster.kv
await_healthy
value=$(head -c 3600 /dev/zero | tr '\0' x)
seq -w 6000 | sed "s/.*/key&\t$value&/" | kv put --from tsv >/dev/null
before=$(kv put last value)
kv range >all
stop "$started"
for segment in single/log/*.log; do
  [ "$segment" = single/log/0000000000000001.log ] || rm "$segment"
done
status 2 kv serve -d single
grep -q '0000000000000002.log: damaged at byte 0: expected segment 2, found no such file' stderr || fail "$(cat stderr)"
status 2 kv recover plan -d single
grep -q -e '--accept-loss goes on' stderr || fail "$(cat stderr)"
status 0 kv recover plan -d single --accept-loss
grep -q '^lost: partition 1: ' stdout || fail "$(cat stdout)"
status 0 kv recover apply -d single --accept-loss --yes
status 0 kv recover verify -d single
grep -q 'went on then with what was left of their logs: 0, 1' stdout || fail "$(cat stdout)"
start single serve -d single --listen "127.0.0.1:$port"
await_healthy
kv range >left
[ "$(wc -l <left)" -gt 1000 ] || fail "only $(wc -l <left) of $(wc -l <all) records are left"
comm -23 <(LC_ALL=C sort left) <(LC_ALL=C sort all) | (! grep .) || fail "there is what was never written"
[ "$(kv put last again)" -gt "$before" ] || fail "a version came again"
kv verify >/dev/null
