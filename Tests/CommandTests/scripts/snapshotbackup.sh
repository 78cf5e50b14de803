#!/usr/bin/env bash
# A backup as an operator would script it: full once, then what changed, each checked; any day of it comes back, also when
# the cluster itself keeps no version that old.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

start node serve -d node --listen "127.0.0.1:$(free_port)" --keep 1s
export KV_CLUSTER=$work/node/cluster.kv
await_healthy
mkdir backups

# backup DAY: the file of a day, and the name that the next one begins at.
backup() {
  local day=$1 last since=()
  last=$(kv snapshot list | cut -f 1 | grep '^backup-' || true)
  [ -z "$last" ] || since=(--since "snap:$last")
  kv snapshot create "backup-$day" >/dev/null
  kv snapshot export -q "backups/$day.kvs" --at "snap:backup-$day" "${since[@]}"
  kv snapshot verify -q backups/*.kvs >/dev/null
  [ -z "$last" ] || kv snapshot delete "$last"
}

for day in 1 2 3 4; do
  seq -f "key%g" $((day * 100)) $((day * 100 + 150)) | awk -v day="$day" '{print $1 "\tof day " day}' |
    kv put --from tsv -q
  kv delete "key$((day * 100 + 50))" >/dev/null
  backup "$day"
  kv range >"day$day"
  sleep 1.5
done
same backup-4 "$(kv snapshot list | cut -f 1)"
status 3 kv range --at "$(kv range --format json --limit 1 | sed 's/.*"version":"\([0-9]*\)".*/\1/')"

# Any day: a cluster of the files up to it.
for day in 1 3; do
  files=()
  for before in $(seq "$day"); do files+=(--from "backups/$before.kvs"); done
  start "restored$day" serve -d "restored$day" "${files[@]}" --listen "127.0.0.1:$(free_port)"
  KV_CLUSTER=$work/restored$day/cluster.kv await_healthy
  kv range --cluster "restored$day/cluster.kv" | cmp - "day$day"
done

# On a day on which nothing was written there is nothing in the file, and it has its place among the others.
kv snapshot create quiet-1 >/dev/null
kv snapshot create quiet-2 >/dev/null
kv snapshot export -q quiet-1.kvs --at snap:quiet-1 --since snap:backup-4
kv snapshot export quiet-2.kvs --at snap:quiet-2 --since snap:quiet-1 2>words
grep -q '^kv: 0 records at version' words || fail "$(cat words)"
status 0 kv verify --file quiet-2.kvs
kv put after quiet >/dev/null
kv snapshot export -q --history busy.kvs --since snap:quiet-2
kv snapshot export -q --history quiet-3.kvs --at snap:quiet-2 --since snap:quiet-2
status 0 kv snapshot verify backups/*.kvs quiet-1.kvs quiet-2.kvs quiet-3.kvs
status 0 kv snapshot verify quiet-3.kvs busy.kvs
status 0 kv snapshot import backups/*.kvs quiet-1.kvs quiet-2.kvs
status 64 kv snapshot export backwards.kvs --at snap:quiet-1 --since -0s
grep -q 'exchange the two' stderr || fail "$(cat stderr)"
[ ! -e backwards.kvs.part.about ] || fail 'something was left'
start restored5 serve -d restored5 --from backups/1.kvs --from backups/2.kvs --from backups/3.kvs --from backups/4.kvs \
  --from quiet-1.kvs --from quiet-2.kvs --listen "127.0.0.1:$(free_port)"
KV_CLUSTER=$work/restored5/cluster.kv await_healthy
kv range --cluster restored5/cluster.kv | cmp - day4

# A restore that is killed, at any moment, is not taken for an empty place: it is done again with its files, by the line
# that the README shows, and an older key there leads nobody astray.
mkdir cut
for time in 0.02 0.04 0.06 0.08 0.1 0.12 0.15 0.2; do
  [ ! -e cut/FORMAT ] || break
  timeout -s KILL "$time" "$KV" serve -d cut --from backups/1.kvs --listen "127.0.0.1:$(free_port)" 2>/dev/null || true
  [ -e cut/RESTORING ] || [ ! -e cut/identity ] || [ -e cut/FORMAT ] || fail "no mark in $(ls cut)"
  [ ! -e cut/RESTORING ] || [ -e cut/FORMAT ] || status 78 kv serve -d cut
done
rm -rf cut
start gone serve -d gone --listen "127.0.0.1:$(free_port)"
KV_CLUSTER=$work/gone/cluster.kv await_healthy
stop "$started"
mkdir -p cut/identity
touch cut/RESTORING
cp gone/cluster.kv cut
status 78 kv serve -d cut
grep -q 'kv serve --from was begun here and did not end: do it again' stderr || fail "$(cat stderr)"
read -ra words <<<"$(kv invite)"
status 78 kv "${words[@]:1}" -d cut --listen "127.0.0.1:$(free_port)"
{ sleep 1.5 && exec "$KV" serve -d cut --from backups/1.kvs --listen "127.0.0.1:$(free_port)" -q; } &
pids+=("$!")
KV_CLUSTER=$work/cut/cluster.kv await_healthy
[ ! -e cut/RESTORING ] || fail 'the restore has ended, and its mark is there'
kv range --cluster cut/cluster.kv | cmp - day1
# A key that lies in a directory by itself is not written over.
mkdir lone
cp "$KV_CLUSTER" lone
status 78 kv serve -d lone
cmp "$KV_CLUSTER" lone/cluster.kv

# A day that is missing is named.
mv backups/2.kvs elsewhere.kvs
status 65 kv snapshot verify backups/*.kvs
grep -q 'the file of version [0-9]* is missing between them' stderr || fail "$(cat stderr)"
