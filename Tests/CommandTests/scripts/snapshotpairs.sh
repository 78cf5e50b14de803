#!/usr/bin/env bash
# An export is one cut of the whole cluster: 32 writers put pairs, a before b, in different partitions, and no export has a b
# without its a.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes

# pairs WRITER: a/W/N, acknowledged, then b/W/N, until told to stop.
pairs() {
  local number
  for number in $(seq 10000); do
    [ ! -e stop ] || return 0
    kv put "a/$1/$number" "$number" >/dev/null
    kv put "b/$1/$number" "$number" >/dev/null
  done
}

writers=()
for writer in $(seq 32); do
  pairs "$writer" &
  writers+=("$!")
done
pids+=("${writers[@]}")

for export in $(seq 6); do
  sleep 0.5
  if [ $((export % 3)) -eq 0 ]; then history=(--history); else history=(); fi
  kv snapshot export "$export.kvs" "${history[@]}" --timeout 30s 2>/dev/null
done
touch stop
for writer in "${writers[@]}"; do wait "$writer" || fail "a writer failed"; done

most=0
for export in $(seq 6); do
  kv snapshot verify "$export.kvs" >/dev/null
  kv range --file "$export.kvs" --prefix a/ --format keys | sed 's/^a//' >as
  kv range --file "$export.kvs" --prefix b/ --format keys | sed 's/^b//' >bs
  orphans=$(comm -13 as bs)
  [ -z "$orphans" ] || fail "export $export has b without a: $orphans"
  most=$(wc -l <bs)
done
[ "$most" -gt 100 ] || fail "only $most pairs were written meanwhile"
