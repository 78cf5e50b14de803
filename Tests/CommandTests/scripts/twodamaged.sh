#!/usr/bin/env bash
# A block that two of three replicas can't read is read from the third, whoever leads and whoever is asked first. A
# partition that two of three have lost waits, and what status says of it leads back.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# all_again: starts the three, which have ended, at their addresses.
all_again() {
  local number port
  for number in 1 2 3; do
    port=$(grep -o 'serves on 127.0.0.1:[0-9]*' "node$number.log" | tail -1 | grep -o '[0-9]*$')
    start "node$number" serve -d "node$number" --listen "127.0.0.1:$port"
    nodes[number - 1]=$started
  done
}

three_nodes --partitions 2
value=$(head -c 3600 /dev/zero | tr '\0' x)
seq -w 3000 | sed "s/.*/key&\t$value&/" | kv put --from tsv >/dev/null
kv range >before
for pid in "${nodes[@]}"; do stop "$pid"; done
for number in 1 2; do
  tables=("node$number"/partitions/1/*.sst)
  printf 'XX' | dd of="${tables[0]}" bs=1 seek=300000 conv=notrunc status=none
done
all_again
for _ in 1 2 3 4; do
  kv range --timeout 20s >after || fail "a range ended with $?"
  cmp before after
done
status 2 kv verify --partition 1 --timeout 20s
grep -q 'damaged' stdout || fail "not named: $(cat stdout)"

for pid in "${nodes[@]}"; do stop "$pid"; done
rm node1/partitions/2/CURRENT node2/partitions/2/CURRENT
all_again
for try in $(seq 200); do
  ! kv status --timeout 5s | grep -q 'partition 2: 2 of 3 replicas are lost, and nobody can be elected: see kv-recover' ||
    break
  [ "$try" -lt 200 ] || fail "not named: $(kv status)"
  sleep 0.1
done
status 69 kv range --timeout 1s
status 2 kv verify --partition 2 --timeout 1s
grep -qE 'partition 2: DAMAGED: .*(2 of 3 replicas are lost|on node 1 and node 2 is damaged)' stdout || fail "not named: $(cat stdout)"
for pid in "${nodes[@]}"; do stop "$pid"; done
kv recover apply -d node3 --from node1 --from node2 --yes --timeout 500ms >stdout 2>stderr ||
  fail "$? of recover: $(cat stderr)"
start node3 serve -d node3 --listen "127.0.0.1:$(free_port)"
way_back_in node3
kv range | cmp - before
stop "$started"

# Known damage is damage, also where nobody is left with whom to compare.
port=$(free_port)
start single serve -d single --listen "127.0.0.1:$port" --partitions 1
export KV_CLUSTER=$work/single/cluster.kv
kv status --wait healthy --timeout 20s >/dev/null
head -3000 before | kv put --from tsv >/dev/null
stop "$started"
tables=(single/partitions/1/*.sst)
truncate -s -3 "${tables[0]}"
start single serve -d single --listen "127.0.0.1:$port" --partitions 1
kv status --wait healthy --timeout 5s >/dev/null 2>&1 && fail "a damaged partition passes for healthy"
status 2 kv verify --timeout 3s
grep -q 'partition 1: DAMAGED: its replica on node 1 is damaged' stdout || fail "not named: $(cat stdout)"
status 2 kv verify --json --timeout 3s
grep -q '"outcome":"damaged","error":"its replica on node 1' stdout || fail "not named: $(cat stdout)"
status 2 kv repair --plan --timeout 3s
