#!/usr/bin/env bash
# A node that comes back at another address is found there: by a cluster that goes on without it, and by one that can't.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# move INDEX: restarts a node at another port, and waits until the cluster says that it is there.
move() {
  local index=$1 port try
  stop "${nodes[index - 1]}"
  port=$(free_port)
  start "node$index" serve -d "node$index" --listen "127.0.0.1:$port"
  nodes[index - 1]=$started
  for try in $(seq 300); do
    ! kv status --json --timeout 2s 2>/dev/null | grep -q "\"address\":\"127.0.0.1:$port\"" || break
    [ "$try" -lt 300 ] || fail "the cluster does not know where node $index is"
    sleep 0.1
  done
  await_healthy
}

three_nodes
kv put a 1 >/dev/null
move 3
same 1 "$(kv get a)"
# For a moment elsewhere and back, before the catalog has heard: the others don't go on looking for it there.
here=$(kv status --json | grep -o '"node":3,"address":"[^"]*"' | sed -n '1s/.*:"//;1s/"$//p')
for pause in 0.2 0.25; do
  kill -KILL "${nodes[2]}"
  wait "${nodes[2]}" 2>/dev/null || true
  start node3 serve -d node3 --listen "127.0.0.1:$(free_port)"
  sleep "$pause"
  kill -KILL "$started"
  wait "$started" 2>/dev/null || true
  start node3 serve -d node3 --listen "$here"
  nodes[2]=$started
  for key in $(seq 40); do printf 'm/%s\t%s\n' "$key" "$pause"; done | kv put --quiet --from tsv
  sleep 1
  await_healthy
  kv verify --timeout 20s >/dev/null
done
kv leave 3 >/dev/null 2>&1
wait "${nodes[2]}"
await_healthy
# Of two, neither has a majority without the other.
move 2
kv put b 2 >/dev/null
move 2
same 2 "$(kv get b)"
