#!/usr/bin/env bash
# Damage in the middle of a node's log, and a log cut at its end: the node starts, the replicas that lost something are
# replaced, nothing is lost. On a node alone, what needs a partition that can't be read is refused at once.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes
seq 500 | sed 's/.*/key&\tvalue&/' | kv put --from tsv >/dev/null
kv range >before

kill -KILL "${nodes[2]}"
wait "${nodes[2]}" 2>/dev/null || true
log=$work/node3/log/0000000000000001.log
for place in 3000 9000 20000; do
  printf 'damaged' | dd of="$log" bs=1 seek="$place" conv=notrunc status=none
done

# Written meanwhile.
kv put meanwhile yes >/dev/null
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node3.log | tail -1 | grep -o '[0-9]*$')
start node3 serve -d node3 --listen "127.0.0.1:$port"
nodes[2]=$started
kv status --wait healthy --timeout 60s >/dev/null || fail "not mended: $(kv status)"
grep -q 'damaged at byte' node3.log || fail "the damage was not found"
kv status --json | grep -q 'damaged at byte' || fail "status does not tell of the damage: $(kv status --json)"
kv range | grep -v '^meanwhile' | cmp - before
same yes "$(kv get meanwhile)"

# Its replicas count: with another node gone, the two make a majority.
kill -KILL "${nodes[0]}"
wait "${nodes[0]}" 2>/dev/null || true
kv put afterwards yes --timeout 20s >/dev/null
same yes "$(kv get afterwards --timeout 20s)"
kv range --timeout 20s | grep -v -e '^meanwhile' -e '^afterwards' | cmp - before

# The end of a log may hold what this node acknowledged: a file that is too short is no torn write.
log=$work/node1/log/0000000000000001.log
truncate -s 40000 "$log"
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node1.log | tail -1 | grep -o '[0-9]*$')
start node1 serve -d node1 --listen "127.0.0.1:$port"
nodes[0]=$started
kv status --wait healthy --timeout 60s >/dev/null || fail "not mended: $(kv status)"
grep -q 'the end of the file at byte 40000' node1.log || fail "the cut was not found in: $(cat node1.log)"
kv range | grep -v -e '^meanwhile' -e '^afterwards' | cmp - before
same yes "$(kv get afterwards)"

# Of a node that runs kv verify finds it as well, and the node mends it before anybody misses it: no replica is replaced.
seq 500 | sed 's/.*/more&\tvalue&/' | kv put --from tsv >/dev/null
kv range >before
log=$(grep -l 'more77' node2/log/*.log | tail -1)
printf 'X' | dd of="$log" bs=1 seek="$(grep -abo 'more77' "$log" | tail -1 | cut -d: -f1)" conv=notrunc status=none
status 2 kv verify --timeout 20s
grep -q "$(basename "$log"): at byte [0-9]*: expected a record" stdout || fail "not named: $(cat stdout)"
grep -q "nothing is lost: the node has it in memory" stdout || fail "not said to be mended: $(cat stdout)"
grep -q 'repair' stdout && fail "a repair is not called for: $(cat stdout)"
kv status --wait healthy --timeout 60s >/dev/null || fail "not mended: $(kv status)"
kv verify --timeout 20s >/dev/null || fail "still damaged: $(kv verify)"
[ -e "$log.mended" ] || fail "not set aside: $(ls node2/log)"
kill -KILL "${nodes[1]}"
wait "${nodes[1]}" 2>/dev/null || true
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node2.log | tail -1 | grep -o '[0-9]*$')
start node2 serve -d node2 --listen "127.0.0.1:$port"
nodes[1]=$started
kv status --wait healthy --timeout 60s >/dev/null || fail "not sound after a start: $(kv status)"
kv status --json | grep -q "node2/log" && fail "a loss is told: $(kv status --json)"
kv range | cmp - before

# What stands in a file's place is as a file that is gone: of that partition alone.
stop "${nodes[1]}"
rm node2/partitions/1/CURRENT
mkdir node2/partitions/1/CURRENT
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node2.log | tail -1 | grep -o '[0-9]*$')
start node2 serve -d node2 --listen "127.0.0.1:$port"
nodes[1]=$started
kv status --wait healthy --timeout 60s >/dev/null || fail "not mended: $(kv status)"
grep -q 'partition 1: the replica on node 2 is damaged' node2.log || fail "not told in: $(cat node2.log)"
kv range | cmp - before

# What may not be read is not gone: the node says so, and does not start without it.
if [ "$(id -u)" -eq 0 ] && setpriv --reuid 65534 --clear-groups true 2>/dev/null; then
  stop "${nodes[1]}"
  chmod 755 "$work"
  chown -R 65534 node2
  chown 0 node2/partitions/2
  status 74 setpriv --reuid 65534 --clear-groups "$KV" serve -d node2 --listen "127.0.0.1:$port"
  grep -q 'partitions/2: Permission denied' stderr
  chown 65534 node2/partitions/2
fi

one_node
seq 500 | sed 's/.*/key&\tvalue&/' | kv put --from tsv >/dev/null
stop "$node"
printf 'X' | dd of=node/partitions/1/CURRENT bs=1 seek=3 conv=notrunc status=none
start node serve -d node
for key in $(seq 100); do
  kv get "key$key" >/dev/null 2>&1 || break
done
for command in "get key$key" "put key$key other" "delete key$key" "history key$key" range "watch --after 1" \
  "snapshot export export.kvs" verify; do
  # shellcheck disable=SC2086 # words of a command
  status 2 timeout 4 "$KV" $command
  grep -q 'the replica on node 1 is damaged, and there is no other' stderr stdout || fail "$command: $(cat stderr)"
done
grep -q '^partition 2: equal' stdout || fail "the other partitions were not verified: $(cat stdout)"
[ ! -e export.kvs ] || fail "half an export is left"
