#!/usr/bin/env bash
# Snapshots' files: exported, read without a cluster, checked, loaded elsewhere, chained; damage is found, nothing is half done.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes
seq -f 'key%05g' 800 | awk '{print $1 "\tvalue of " $1 " \\x00\\xff"}' | kv put --from tsv >/dev/null 2>&1
kv put other/one 1 >/dev/null
kv range --format json >at.first
first=$(kv snapshot create first)
kv snapshot export --at snap:first full.kvs --json 2>words >facts
grep -q '"records":801' facts || fail "$(cat facts)"
grep -q "801 records at version $first" words || fail "$(cat words)"

# A database by itself, with no cluster at all; byte for byte what the cluster shows.
(
  unset KV_CLUSTER
  kv range --file full.kvs --format json | cmp - at.first
  kv range --file full.kvs --reverse --limit 3 --format keys >last
  same $'other/one\nkey00800\nkey00799' "$(cat last)"
  same 1 "$(kv get other/one --file full.kvs)"
  same 1 "$(kv get other/one --file full.kvs --at "$first")"
  status 1 kv get nothing --file full.kvs
  status 3 kv get other/one --file full.kvs --at -1h
  grep -q "shows version $first alone" stderr || fail "$(cat stderr)"
  status 64 kv get other/one --file full.kvs --at snap:first
  status 66 kv get other/one --file none.kvs
  kv snapshot verify full.kvs >verdict 2>words
  grep -q 'sound, 801 records' verdict || fail "$(cat verdict)"
  grep -q 'no cluster file' words || fail "$(cat words)"
  status 66 kv snapshot verify full.kvs --cluster nothing.kv
  kv debug dump full.kvs | grep -q 'snapshot of kv-[0-9a-f]* at version' || fail 'the dump does not show the statement'
)
kv snapshot verify full.kvs 2>words >/dev/null
[ ! -s words ] || fail "$(cat words)"

# A proof needs the root alone, or the cluster's word.
root=$(sed 's/.*"root":"\([0-9a-f]*\)".*/\1/' facts)
kv get key00042 --file full.kvs --proof >proof
(unset KV_CLUSTER; kv snapshot verify --proof proof --root "$root" | grep -q "^key00042: in the snapshot")
kv snapshot verify --proof - <proof >/dev/null
sed 's/"value_b64":"d/"value_b64":"e/' proof >forged
status 2 kv snapshot verify --proof forged --root "$root"
status 2 kv snapshot verify --proof forged
status 2 kv snapshot verify --proof proof --root "${root//[0-7]/8}"
status 65 kv snapshot verify --proof at.first

# What changed after it; a pipe; the same bytes of records.
kv put other/one 2 >/dev/null
kv delete key00001 >/dev/null
kv put new value >/dev/null
kv snapshot create second >/dev/null
kv snapshot export --at snap:second --since snap:first - 2>/dev/null | cat >changes.kvs
kv range --at snap:second --format json >at.second
kv put new 'another value' >/dev/null
kv snapshot export --since snap:second last.kvs 2>/dev/null
kv range --format json >at.last
kv snapshot verify full.kvs changes.kvs last.kvs >/dev/null
status 65 kv snapshot verify full.kvs last.kvs
grep -q 'is missing between them' stderr || fail "$(cat stderr)"
kv verify --file full.kvs --file changes.kvs >/dev/null
kv verify --proof proof --root "$root" >/dev/null
status 64 kv verify --file full.kvs --quick
[ "$(wc -c <changes.kvs)" -lt 4096 ] || fail "the changes take $(wc -c <changes.kvs) bytes"
kv snapshot export --history --prefix other/ history.kvs 2>/dev/null
same 1 "$(kv get other/one --file history.kvs --at "$first")"
same 2 "$(kv get other/one --file history.kvs)"
kv history other/one | cmp - <(kv history other/one --file history.kvs)
kv history other/one --reverse --after "$first" | cmp - <(kv history other/one --file history.kvs --after "$first")
same 1 "$(kv history other/one --file history.kvs --limit 1 | wc -l)"
same 1 "$(kv history other/one --file full.kvs | wc -l)"
status 1 kv history other/nobody --file history.kvs
# Of keys that the file is not about it can not say that they have none.
status 64 kv history nobody --file history.kvs
status 66 kv history other/one --file nowhere.kvs

# Interrupted at any moment, an export leaves only what the next one goes on with, and a command that writes little
# nothing.
for delay in 0.01 0.02 0.03 0.05 0.1; do
  timeout --signal INT "$delay" "$KV" snapshot export --resume interrupted.kvs 2>/dev/null || true
  timeout --signal TERM "$delay" "$KV" get key00042 --to interrupted >/dev/null 2>&1 || true
done
kv snapshot export --resume interrupted.kvs 2>/dev/null
kv snapshot verify interrupted.kvs >/dev/null
for file in *.part*; do [ ! -e "$file" ] || fail "$file was left"; done

# Another cluster: made of the files, or loaded into. Versions go on above the old ones.
port=$(free_port)
start restored serve -d restored --from full.kvs --from changes.kvs --from last.kvs --listen "127.0.0.1:$port"
restored=$started
export KV_CLUSTER=$work/restored/cluster.kv
await_healthy
kv range --format json | cmp - at.last
[ "$(kv put after one)" -gt "$(sed 's/.*"version":"\([0-9]*\)".*/\1/' at.last | sort -n | tail -1)" ] || fail 'versions rewind'
status 3 kv get other/one --at "$first"
stop "$restored"
start restored serve -d restored
await_healthy
same one "$(kv get after)"
stop "$started"
status 64 kv serve -d restored --from full.kvs
status 64 kv serve -d ''
status 64 kv serve -d elsewhere --from .
status 65 kv serve -d elsewhere --from changes.kvs
grep -q 'must go before it' stderr || fail "$(cat stderr)"
[ "$(find elsewhere -mindepth 1 ! -name LOCK 2>/dev/null | wc -l)" -eq 0 ] || fail "elsewhere holds $(ls elsewhere)"
# A file of another cluster: named so.
status 76 kv snapshot verify full.kvs --cluster "$KV_CLUSTER"

start third serve -d third --listen "127.0.0.1:$(free_port)"
export KV_CLUSTER=$work/third/cluster.kv
await_healthy
kv put key00007 'something else' >/dev/null
kv snapshot import full.kvs --json 2>/dev/null >tally
same '{"written":801,"deleted":0,"equal":0}' "$(cat tally)"
kv snapshot import full.kvs --json 2>/dev/null >tally
same '{"written":0,"deleted":0,"equal":801}' "$(cat tally)"
kv snapshot import full.kvs changes.kvs --prefix other/ --json 2>/dev/null >tally
same '{"written":1,"deleted":0,"equal":0}' "$(cat tally)"
kv snapshot import full.kvs changes.kvs --json 2>/dev/null >tally
same '{"written":1,"deleted":1,"equal":800}' "$(cat tally)"
kv range | cmp - <(kv range --file full.kvs | grep -v '^other/one\|^key00001' | cat - <(printf 'new\tvalue\nother/one\t2\n') | LC_ALL=C sort)
status 64 kv snapshot import history.kvs

# History stays in a cluster that is made of it.
start fourth serve -d fourth --from history.kvs --listen "127.0.0.1:$(free_port)"
export KV_CLUSTER=$work/fourth/cluster.kv
await_healthy
same 1 "$(kv get other/one --at "$first")"
same 2 "$(kv get other/one)"

# Damage: found, named, loaded nowhere.
size=$(wc -c <full.kvs)
for place in 0 100 $((size / 2)) $((size - 200)) $((size - 10)); do
  cp full.kvs broken.kvs
  byte=$(od -An -tu1 -j "$place" -N 1 full.kvs)
  printf '%b' "\\x$(printf %02x $((byte ^ 16)))" | dd of=broken.kvs bs=1 seek="$place" conv=notrunc status=none
  status 2 kv snapshot verify broken.kvs
  grep -q 'broken.kvs: damaged at byte [0-9]*: expected .*, found' stderr || fail "$place: $(cat stderr)"
  status 2 kv snapshot import broken.kvs
  status 2 kv serve -d broken --from broken.kvs
done

# An export that can't end leaves nothing; what was there stays.
cp full.kvs kept.kvs
status 77 kv snapshot export kept.kvs --at 2099-01-01T00:00:00Z
cmp kept.kvs full.kvs
same 0 "$(find . -maxdepth 1 -name '*.part*' | wc -l)"
status 74 kv snapshot export /nowhere/file.kvs
