#!/usr/bin/env bash
# A full disk: puts are refused with 74 and a reason, reads and deletions go on, and with room again so do puts.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# A file system of its own, as root or in a namespace of users.
disk=$work/disk
mkdir "$disk"
if ! mount -t tmpfs -o size=300m kv-test "$disk" 2>/dev/null; then
  if [ -z "${KV_UNSHARED:-}" ] && unshare -rm true 2>/dev/null; then
    rmdir "$disk"
    KV_UNSHARED=1 exec unshare -rm bash "$0"
  fi
  echo "skipped: no file system can be mounted here"
  exit 0
fi

leave() {
  local status=$?
  kill -KILL "${pids[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  umount "$disk"
  (exit "$status")
  finish
}
trap leave EXIT

listen=127.0.0.1:$(free_port)
start node serve -d "$disk/node" --listen "$listen" --partitions 2
node=$started
export KV_CLUSTER=$disk/node/cluster.kv
await_healthy
version=$(kv put greeting hello)
for try in $(seq 100); do
  [ ! -e "$disk/node/reserve" ] || break
  [ "$try" -lt 100 ] || fail "no reserve was made"
  sleep 0.1
done
head -c 200000 /dev/urandom >value

# Somebody else fills the disk.
fallocate -l "$(($(df --output=avail -B1 "$disk" | tail -1) - 20000000))" "$disk/hog"
found=0
for index in $(seq 400); do
  kv put "key$index" - <value >/dev/null 2>stderr || { found=$?; break; }
done
same 74 "$found"
grep -q 'disk is full' stderr || fail "no reason: $(cat stderr)"
kv status --json | grep -q '"read_only":true' || fail "status: $(kv status --json)"
kv status | grep -q 'problem: node 1: .*disk is full' || fail "status: $(kv status)"
status 74 kv put greeting again
same hello "$(kv get greeting)"
same hello "$(kv get greeting --at "$version")"
kv delete key1 >/dev/null
status 1 kv get key1
kv get key2 | cmp - value
kill -0 "$node" || fail "the node ended"

# A disk without a single block left keeps no node from starting.
kill -KILL "$node"
wait "$node" 2>/dev/null || true
dd if=/dev/zero of="$disk/rest" bs=4k 2>/dev/null || true
start node serve -d "$disk/node" --listen "$listen"
node=$started
for try in $(seq 100); do
  [ "$(kv get greeting --timeout 1s 2>/dev/null)" != hello ] || break
  [ "$try" -lt 100 ] || fail "it did not start: $(cat node.log)"
  sleep 0.1
done
rm "$disk/rest"

# Room again: nobody has to do anything.
rm "$disk/hog"
for try in $(seq 100); do
  ! kv put greeting again >/dev/null 2>&1 || break
  [ "$try" -lt 100 ] || fail "it did not recover: $(kv status)"
  sleep 0.1
done
same again "$(kv get greeting)"
kv status --wait healthy --timeout 20s >/dev/null
[ -e "$disk/node/reserve" ] || fail "the reserve is not back"
stop "$node"
