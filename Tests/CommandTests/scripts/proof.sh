#!/usr/bin/env bash
# verify and repair: damage of every kind in a running cluster is named, never read, mended; without damage all is well.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes --partitions 2
value=$(printf '%01000d' 7)
seq 100000 116000 | sed "s/.*/key&\t$value/" | kv put --from tsv >/dev/null
mapfile -t some < <(seq 100000 10 101000 | sed 's/.*/key&/')
before=$(kv put one more)
kv delete "${some[@]}" one >/dev/null
kv range >before

# Sound.
kv verify >stdout 2>stderr
same 2 "$(grep -c '^partition [12]: equal: ' stdout)"
grep -q '2 partitions are equal' stderr
same 2 "$(kv verify --json | grep -c '"outcome":"equal"')"
same 2 "$(kv verify --quick | grep -c 'equal by its sums')"
kv verify --prefix key1009 --partition 1 --rate 100M | grep -q '^partition 1: equal'
status 0 kv repair --plan
grep -q 'nothing to repair' stderr

# As of a version before the deletions: as many records as it shows.
shown=$(kv range --at "$before" --format keys | wc -l)
counted=$(kv verify --at "$before" | awk '{ sub(/.* equal: /, ""); n += $1 } END { print n }')
same "$shown" "$counted"
same $((shown - 102)) "$(wc -l <before)"
status 3 kv verify --at 1 --partition 1
grep -q 'no longer retained' stderr
status 77 kv verify --at 9000000000000000000 --partition 1
grep -q 'lies in the future' stderr

# One that was interrupted passes over what it found equal; one that is through begins anew.
kv verify --partition 1 --resume place >stdout
[ ! -e place ] || fail "the check is through, and its file is there"
printf 'kv verify, cluster %s\n1\n' "$(kv status --json | grep -o '"cluster":"[^"]*"' | head -1 | cut -d'"' -f4)" >place
kv verify --resume place >stdout 2>stderr
same 1 "$(grep -c 'equal: ' stdout)"
grep -q '1 of 2 partitions were equal before' stderr
[ ! -e place ] || fail "all is equal, and the file is there"
printf 'kv verify, cluster another\n' >place
status 65 kv verify --resume place
grep -q 'of another check' stderr
echo nonsense >place
echo x >>place
status 65 kv verify --resume place
status 64 kv verify --quick --resume place
rm place

# What can't be asked.
status 64 kv verify --partition 9
grep -q 'there is no partition 9' stderr
status 64 kv verify --quick --prefix a
status 64 kv verify --rate fast
status 64 kv repair --plan --yes
status 64 kv repair </dev/null
grep -q -- '--yes' stderr

# damage NODE PARTITION: the first table of a node's partition.
table() { find "$work/$1/partitions/$2" -name '*.sst' | sort | head -n 1; }

# mended WHERE PARTITION: verify names the place and prints the command, which mends it; then all is as before.
mended() {
  status 2 kv verify
  grep -q "$1" stdout || fail "line ${BASH_LINENO[0]}: verify does not name $1: $(cat stdout)"
  local line
  line=$(sed -n 's/^  repair: //p' stdout)
  same "kv repair --partition $2" "$line"
  kv range --timeout 30s | cmp - before || fail "line ${BASH_LINENO[0]}: what is damaged was read"
  status 2 kv repair --plan
  grep -q 'plan: replace the replica on' stdout
  status 2 kv repair --plan --json
  status 0 kv repair --partition "$2" --yes
  grep -q "^partition $2: repaired: equal on nodes 1 2 3" stdout || fail "not repaired: $(cat stdout)"
  grep -q 'kept on node' stdout
  status 0 kv verify
  kv range | cmp - before
}

# A bit in a block.
file=$(table node3 1)
printf 'X' | dd of="$file" bs=1 seek=20000 conv=notrunc status=none
mended "node 3: damaged: .*/partitions/1/.*sst: at byte [0-9]*: expected CRC-32C" 1
[ -d node3/partitions/1.damaged.1 ] || fail "the damaged files were not kept"

# A byte of an index, where the table says that it lies.
file=$(table node3 2)
index=$(kv debug dump "$file" | sed -n 's/.* top index: at \([0-9]*\), .*/\1/p')
printf '\xff' | dd of="$file" bs=1 seek=$((index + 12)) conv=notrunc status=none
mended "node 3: damaged: .*/partitions/2/.*sst: at byte $index: expected CRC-32C" 2

# A table without its end.
truncate -s -5000 "$(table node1 2)"
mended 'node 1: damaged: .*/partitions/2/.*sst: ' 2

# A table that is gone.
rm "$(table node2 2)"
mended "node 2: damaged: .*/partitions/2/.*sst: the file is gone" 2

# A table that is another's.
cp "$(table node1 2)" "$(table node1 1)"
mended 'node 1: damaged: .*/partitions/1/.*sst: its SHA-256 is not the one in the manifest' 1

# What a start meets: a footer and a manifest. The replicas are replaced without being asked.
kill -KILL "${nodes[1]}"
wait "${nodes[1]}" 2>/dev/null || true
file=$(table node2 1)
printf 'X' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") - 9)) conv=notrunc status=none
printf 'X' | dd of="$(find "$work/node2/partitions/2" -name 'manifest-*')" bs=1 seek=30 conv=notrunc status=none
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node2.log | tail -1 | grep -o '[0-9]*$')
start node2 serve -d node2 --listen "127.0.0.1:$port"
nodes[1]=$started
await_healthy
status 0 kv verify
kv range | cmp - before

# A node that is down can't be checked, which is no silence.
kill -KILL "${nodes[2]}"
wait "${nodes[2]}" 2>/dev/null || true
sleep 2
status 69 kv verify --timeout 30s
grep -q 'node 3: could not be checked' stdout
grep -q 'could not be checked' stderr
