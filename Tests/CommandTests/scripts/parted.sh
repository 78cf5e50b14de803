#!/usr/bin/env bash
# kv recover apply by mistake, beside a majority that was only out of reach: that goes on, whoever is restarted, and both
# sides tell of the other until one of them is stopped.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes --partitions 2
kv put before one >/dev/null
cp "$KV_CLUSTER" all.kv
# file_of NUMBER: a cluster file that names that node alone.
file_of() {
  local port
  port=$(grep -o 'serves on 127.0.0.1:[0-9]*' "node$1.log" | tail -1 | grep -o '[0-9]*$')
  grep -v ^address all.kv >"only$1.kv"
  echo "address 127.0.0.1:$port" >>"only$1.kv"
}
# by NUMBER WORD…: a command that asks that node alone where the others are, and remembers nothing.
by() {
  rm -rf "$XDG_STATE_HOME"
  kv "${@:2}" --cluster "only$1.kv" --timeout 10s
}
# told NUMBER WORDS: node NUMBER comes to say so in kv status.
told() {
  for _ in $(seq 200); do
    ! by "$1" status 2>/dev/null | grep -q "$2" || return 0
    sleep 0.1
  done
  fail "node $1 does not say '$2': $(by "$1" status)"
}
export XDG_STATE_HOME=$work/none
stop "${nodes[0]}"
file_of 2
by 2 put between two >/dev/null
kill -STOP "${nodes[1]}" "${nodes[2]}"
kv recover apply -d node1 --yes --timeout 300ms >/dev/null 2>&1
kill -CONT "${nodes[1]}" "${nodes[2]}"
start node1 serve -d node1
first=$started
file_of 1
by 2 put late three >/dev/null
told 2 'node 1 refuses this node'
kill -0 "${nodes[2]}" || fail "node 3 has ended: $(tail -3 node3.log)"
told 1 'which kv recover apply struck out, runs'

# Neither of the two ends because the other is restarted.
stop "${nodes[2]}"
sleep 3
start node3 serve -d node3
nodes[2]=$started
sleep 3
kill -0 "${nodes[1]}" || fail "node 2 has ended: $(tail -3 node2.log)"
kill -0 "${nodes[2]}" || fail "node 3 has ended: $(tail -3 node3.log)"
stop "$first"
for pair in before/one between/two late/three; do
  same "${pair#*/}" "$(by 2 get "${pair%/*}")"
done
rm -rf "$XDG_STATE_HOME"
kv leave --cluster only2.kv --lost 1 --timeout 60s >/dev/null 2>&1
for _ in $(seq 200); do
  ! by 2 status 2>/dev/null | grep -qx healthy || break
  sleep 0.1
done
by 2 status | grep -qx healthy || fail "$(by 2 status)"
same three "$(by 2 get late)"
