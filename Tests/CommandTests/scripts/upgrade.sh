#!/usr/bin/env bash
# An upgrade as kv-operations(7) tells it: one node after the other is stopped and started with the new program, under
# writes of which none fails and none is lost. KV_OLD is the program to come from; without it the nodes are restarted.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

new=$KV
KV=${KV_OLD:-$KV}
three_nodes
kv put before upgrade >/dev/null
KV=$new

# Writers note what was acknowledged, and what was not.
for writer in 1 2; do
  {
    number=0
    while [ ! -e enough ]; do
      number=$((number + 1))
      if kv put "w$writer/$number" "$number" --timeout 20s >/dev/null 2>>failures; then
        echo "w$writer/$number" >>"acknowledged$writer"
      else
        echo "w$writer/$number" >>failed
      fi
    done
  } &
  pids+=($!)
done
sleep 1

for index in 1 2 3; do
  stop "${nodes[index - 1]}"
  start "node$index" serve -d "node$index"
  nodes[index - 1]=$started
  await_members 3
  await_healthy
done

touch enough
wait "${pids[@]:3:2}" || true
[ ! -e failed ] || fail "writes failed during the upgrade: $(head -n 3 failures)"
sort acknowledged1 acknowledged2 >written
kv range --prefix w --format keys | sort >found
[ "$(wc -l <written)" -ge 20 ] || fail "only $(wc -l <written) writes were made"
comm -23 written found >lost
[ ! -s lost ] || fail "acknowledged writes are lost: $(head -n 3 lost)"
same upgrade "$(kv get before)"
