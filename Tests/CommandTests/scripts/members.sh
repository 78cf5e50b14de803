#!/usr/bin/env bash
# Three nodes become five and three again, partitions are split, nodes are killed while replicas move, and all the time
# somebody writes: every acknowledged write is there in the end.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
three_nodes

# What is refused, and why.
status 64 kv leave
status 64 kv leave 2 -d node2
status 64 kv leave 2 --force
status 64 kv leave 9
status 77 kv leave --lost 2
grep -q 'heard from' stderr
status 64 kv plan --leave 9
status 64 kv split 999
status 64 kv serve -d none --split-size 5
status 64 kv serve -d none --split-size much
kv plan | grep -q '^nothing to move$'
kv plan --leave 3 --json | grep -q '"shortfalls":\["3 replicas are wanted, but only 2 nodes take replicas"\]'
[ "$(kv plan --join '' --json | grep -o '"to_node":4' | wc -l)" -eq 12 ]
kv plan --move-rate 1GiB
kv status --json | grep -q '"move_rate":1073741824'

# Writes without a pause, each record's key and the round it was written in.
load() {
  local round=0
  while [ ! -e stop ]; do
    round=$((round + 1))
    seq 400 | sed "s/.*/load-$round-&\tvalue &/" |
      kv put --from tsv --json --timeout 20s >>acknowledged 2>>load.errors || true
  done
}
load &
pids+=("$!")
loader=$!

# join INDEX: one more node.
join() {
  local words
  read -ra words <<<"$(kv invite)"
  start "node$1" "${words[@]:1}" -d "node$1" --listen "127.0.0.1:$(free_port)" --zone "" --weight 1
  nodes+=("$started")
  await_members "$1"
}

# again INDEX: starts a node that was killed.
again() {
  start "node$1" serve -d "node$1"
  nodes[$1 - 1]=$started
}

kv split --all --timeout 60s >splits
same 16 "$(wc -l <splits)"

join 4
join 5
sleep 0.3
kill -KILL "${nodes[4]}" # where replicas arrive
wait "${nodes[4]}" 2>/dev/null || true
again 5
sleep 0.3
kill -KILL "${nodes[1]}" # where they come from
wait "${nodes[1]}" 2>/dev/null || true
again 2
# Where five nodes share the work there are to be eight partitions for each: the cluster splits them by itself. Between two
# moves all is healthy: only the plan says that none is to come.
for try in $(seq 600); do
  partitions=$(kv plan --json | grep -o '"replicas":[0-9]*' | awk -F: '{ n += $2 } END { print int(n / 3) }')
  if [ "$partitions" -ge 64 ] && kv plan | grep '^nothing to move$' >/dev/null; then break; fi
  [ "$try" -lt 600 ] || fail "there are $partitions partitions, or some are to move: $(kv plan)"
  sleep 0.1
done
await_healthy
# 64 partitions with 3 replicas each on 5 nodes: 38 or 39 on each.
for count in $(kv plan --json | grep -o '"replicas":[0-9]*' | cut -d: -f2); do
  [ "$count" -eq 38 ] || [ "$count" -eq 39 ] || fail "a node has $count replicas"
done
kv plan | grep -q '^nothing to move$'

kv leave --no-wait 4
sleep 0.3
kill -KILL "${nodes[3]}" # who leaves
wait "${nodes[3]}" 2>/dev/null || true
again 4
cp node1/cluster.kv node4/admin.kv
kv --cluster node4/admin.kv leave 4 --timeout 60s --json >left 2>words
grep -q "the cluster file node4/admin.kv lies in that node's directory: copy it" words || fail "$(cat words)"
same '{"node":4,"state":"left","warnings":[]}' "$(cat left)"
wait "${nodes[3]}" || fail "the node that left ended with $?"
status 77 kv serve -d node4
grep -q 'has left cluster' stderr
status 77 kv join "$(kv invite | cut -d' ' -f3)" -d node4

kill -KILL "${nodes[4]}"
wait "${nodes[4]}" 2>/dev/null || true
sleep 2.5
# A cluster file that names none of those that stay is told of.
sed 's/^address .*/address 127.0.0.1:1/' node1/cluster.kv | uniq >stale.kv
chmod 600 stale.kv
kv --cluster stale.kv leave --lost 5 --timeout 60s 2>words
grep -q 'the cluster file stale.kv names no member any more: kv cert renew' words || fail "$(cat words)"
await_healthy
status=0
start node5 serve -d node5
wait "$started" || status=$?
same 77 "$status"
grep -q 'declared lost' node5.log

# What they had is refused, and in nobody's way.
kv cert list >certificates
same 'node/4 left node/5 left' "$(awk '/^node\/[45]/ { print $1, $3 }' certificates | sort -u | xargs)"
same valid "$(awk '/^node\/[123]/ { print $3 }' certificates | sort -u)"
status 0 kv cert rotate
for try in $(seq 300); do
  kv cert rotate --json | grep '"holder":"[nc]' >standing || break
  [ "$try" -lt 300 ] || fail "some don't follow: $(cat standing)"
  sleep 0.1
done
status 0 kv cert rotate --finish

touch stop
wait "$loader" || true
sed -n 's/.*"key":"\([^"]*\)","version".*/\1/p' acknowledged | sort >written
kv range --prefix load- --format keys | sort >found
[ "$(wc -l <written)" -gt 400 ] || fail "next to nothing was acknowledged: $(tail -n 3 load.errors)"
comm -23 written found >lost
[ ! -s lost ] || fail "acknowledged writes are lost: $(wc -l <lost), $(head -n 3 lost)"
kv status
