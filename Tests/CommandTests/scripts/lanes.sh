#!/usr/bin/env bash
# A replica's state goes to another node by a connection of its own: nothing waits behind it, even where it takes long.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
three_nodes

seq 20000 | sed 's/.*/key-&\tvalue & of many bytes, more than there should be, so that the states have some size/' |
  kv put --from tsv --quiet
kv plan --move-rate 256KiB

# connections PORT: the established connections of a listener of 127.0.0.1.
connections() {
  local port
  port=$(printf '0100007F:%04X' "$1")
  awk -v port="$port" '$2 == port && $4 == "01"' /proc/net/tcp | wc -l
}

port=$(free_port)
read -ra words <<<"$(kv invite)"
start node4 "${words[@]:1}" -d node4 --listen "127.0.0.1:$port"
await_members 4
for _ in $(seq 100); do
  found=$(connections "$port")
  [ "$found" -le 6 ] || break
  sleep 0.1
done
[ "$found" -gt 6 ] || fail "three nodes have $found connections to a fourth that gets replicas: $(kv status 2>&1)"

# Meanwhile consensus goes on: a write is no slower.
for index in 1 2 3 4 5; do kv put "meanwhile-$index" value --timeout 2s >written; done

kv plan --move-rate 1GiB
await_moved 32
for _ in $(seq 100); do
  [ "$(connections "$port")" -gt 6 ] || break
  sleep 0.3
done
found=$(connections "$port")
[ "$found" -le 6 ] || fail "$found connections are left when nothing moves any more"
[ "$(kv range --prefix key- --format keys | wc -l)" -eq 20000 ]
