#!/usr/bin/env bash
# As kv-operations(7) tells a user to: a backup with a certificate that may only read, at one version while writes go
# on, restored into a new cluster; a lock that one of many takes.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
one_node

seq 3000 | sed 's/.*/item&\tvalue &/' | kv put --from tsv -q
printf 'any\0bytes\n\xff' | kv put binary >/dev/null
kv range --format cdb >before.cdb

# The backup is all of one moment, though others write meanwhile.
kv cert issue backup --role reader --ttl 1d --to backup.kv
{ seq 2000 | sed 's/.*/item&\tchanged/' | kv put --from tsv -q; } &
writer=$!
at=$(kv put mark x)
kv --cluster backup.kv range --at "$at" --format cdb >backup.cdb.new && mv backup.cdb.new backup.cdb
wait "$writer"
kv --cluster backup.kv range --at "$at" --format cdb | cmp - backup.cdb

# One that is cut short does not pass for whole.
code=0
kv --cluster backup.kv range --format cdb >/dev/full 2>/dev/null || code=$?
same 74 "$code"

# Restored into an empty cluster, it is the same.
start other serve -d other --listen "127.0.0.1:$(free_port)"
kv --cluster other/cluster.kv status --wait healthy --timeout 60s >/dev/null
kv --cluster other/cluster.kv put --from cdb backup.cdb -q
kv --cluster other/cluster.kv range --format cdb | cmp - backup.cdb
printf 'any\0bytes\n\xff' | cmp - <(kv --cluster other/cluster.kv get binary)

# Of twenty that want the lock at once one gets it; it is free again once that one deletes it.
for number in $(seq 20); do
  { if kv put lock "worker $number" --if-absent >/dev/null 2>&1; then echo "$number" >>holders; fi; } &
  lockers[number]=$!
done
for number in $(seq 20); do wait "${lockers[number]}"; done
same 1 "$(wc -l <holders)"
same "worker $(cat holders)" "$(kv get lock)"
kv delete lock >/dev/null
status 0 kv put lock next --if-absent
