#!/usr/bin/env bash
# What is asked of a file that says nothing of it, of a cluster without a majority, of a proof that was tampered with:
# told, in time, and with a status that a script can trust.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes
seq 200 | sed 's/.*/u\/&\tv&/' | kv put --from tsv --quiet
seq 20 | sed 's/.*/w\/&\tv&/' | kv put --from tsv --quiet
kv snapshot create sun
kv snapshot export sun.kvs --at snap:sun
kv put u/new 1 >/dev/null
kv delete u/1 >/dev/null
kv snapshot export mon.kvs --since snap:sun
kv snapshot export u.kvs --prefix u/
sleep 1
kv put u/newer 1 >/dev/null
kv snapshot export late.kvs --since -1s

# A file of changes can say that a key was deleted, not that one which did not change is absent.
same 1 "$(kv get --file mon.kvs u/new)"
status 1 kv get --file mon.kvs u/1
status 64 kv get --file mon.kvs u/2
status 64 kv get --proof --file mon.kvs u/2

# Nor can a file of some keys speak of others: a range within them, or all of it.
same 199 "$(kv range --file u.kvs --prefix u/ --format keys | grep -c 'u/[0-9]')"
same 200 "$(kv range --file u.kvs --format keys | wc -l)"
status 64 kv range --file u.kvs --prefix w/
status 64 kv range --file u.kvs a u/3
status 64 kv snapshot import u.kvs --prefix w/
status 64 kv snapshot export ''
status 64 kv get --file /dev/stdin u/3 < <(cat u.kvs)
status 64 kv snapshot verify - <u.kvs
same v3 "$(kv get --file /dev/stdin u/3 <u.kvs)"

# A proof is of as many records as the statement has, and a root has 64 digits.
kv get --file sun.kvs --proof u/7 >proof
kv verify --proof proof >/dev/null
sed 's/"leaves":"220"/"leaves":"221"/' proof >other
cmp -s proof other && fail "no leaves in $(cat proof)"
status 2 kv verify --proof other
sed 's/"root":"./"root":"x/' proof >other
status 2 kv verify --proof other
status 64 kv verify --proof proof --root abc
status 64 kv snapshot verify --proof proof --root ''

# A relaxed range says how old it is, whoever answered; after a split as before.
relaxed() {
  timeout 3 "$KV" range --consistency eventual u/ u/2 2>words >relaxed || fail "a relaxed range: $(cat words)"
  grep -q "^kv: version [0-9]*: read from $1" words || fail "not told: $(cat words)"
}
relaxed ''
kv split --timeout 30s
before=$(kv put at 1)
kv range --at "$before" u/ u/2 >wanted
sleep 2.5
relaxed 'node [123],'

# A node that doesn't answer costs a check its time once, not for each partition.
kill -STOP "${nodes[2]}"
began=$SECONDS
status 69 kv repair --plan --timeout 2s
grep -q 'of 17 partitions could not be checked on every replica' stderr || fail "repair: $(cat stderr)"
kill -KILL "${nodes[2]}"
wait "${nodes[2]}" 2>/dev/null || true
kill -KILL "${nodes[1]}"
wait "${nodes[1]}" 2>/dev/null || true
# One node of three answers what needs no majority.
relaxed 'node 1,'
kv range --at "$before" u/ u/2 >found
cmp wanted found
status 69 kv split --timeout 1s
grep -q 'which partition is the largest' stderr || fail "split: $(cat stderr)"
status 69 timeout 60 "$KV" bench put --total 10 --timeout 1s
status 69 kv verify --timeout 1s
grep -q '17 of 17 partitions could not be checked' stderr || fail "verify: $(cat stderr)"
[ $((SECONDS - began)) -lt 60 ] || fail "it took $((SECONDS - began)) s"

# Nor with nodes that are there, and silent.
start frozen serve -d frozen --listen "127.0.0.1:$(free_port)" --partitions 2
KV_CLUSTER=$work/frozen/cluster.kv await_healthy
kill -STOP "$started"
status 69 timeout 60 "$KV" --cluster frozen/cluster.kv bench put --total 10 --timeout 1s
kill -KILL "$started"
wait "$started" 2>/dev/null || true

# The only node's history does not reach back to a snapshot's version: that is told.
start alone serve -d alone --listen "127.0.0.1:$(free_port)" --keep 2s --partitions 2
export KV_CLUSTER=$work/alone/cluster.kv
await_healthy
first=$(kv put h 1)
kv snapshot create early --at "$first" >/dev/null
kv put h 2 >/dev/null
sleep 3
kv put h 3 >/dev/null
for _ in $(seq 50); do
  kv snapshot export --history h.kvs 2>words
  grep -q 'snapshot early is older' words && break
  sleep 0.2
done
grep -q 'snapshot early is older' words || fail "not told: $(cat words)"

# One damaged block, and no other replica: what lies before it can be read, and what doesn't need it.
kv put --from tsv --quiet < <(seq -f 'b/%05g' 6000 | sed 's/$/\t0123456789012345678901234567890123456789/')
kv range --prefix b/ --format keys >sound
kv snapshot export b.kvs --prefix b/
start loaded serve -d loaded --listen "127.0.0.1:$(free_port)" --partitions 2 --from b.kvs
export KV_CLUSTER=$work/loaded/cluster.kv
await_healthy
stop "$started"
file=$(find loaded/partitions -name '*.sst' -size +50k | sort | head -n 1)
printf 'XX' | dd of="$file" bs=1 seek=30000 conv=notrunc status=none
start loaded serve -d loaded
await_healthy
kv verify >found 2>&1 || true
damaged=$(sed -n 's/.*keys from after \(b\/[0-9]*\) to.*/\1/p' found | head -n 1)
[ -n "$damaged" ] || fail "the damage has no keys: $(cat found)"
kv range b/ "$damaged" --format keys | cmp - <(awk -v end="$damaged" '$1 < end' sound)
kv range b/ "$damaged" --format keys --reverse | cmp - <(awk -v end="$damaged" '$1 < end' sound | tac)
status 2 kv range --prefix b/ --format keys
cmp stdout <(head -n "$(wc -l <stdout)" sound)
[ "$(wc -l <stdout)" -ge "$(awk -v end="$damaged" '$1 < end' sound | wc -l)" ] || fail "only $(wc -l <stdout) keys"
kv range --prefix b/ --format keys --limit 100 | cmp - <(head -n 100 sound)
status 2 kv range --prefix b/ --format keys --reverse
[ "$(wc -l <stdout)" -gt 3000 ] || fail "only $(wc -l <stdout) keys backwards"
