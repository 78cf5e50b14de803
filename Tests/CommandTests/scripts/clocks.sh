#!/usr/bin/env bash
# Versions follow real time whatever the nodes' clocks show: pairs are written, a before b, by processes of their own
# that enter through different nodes, while the clocks of the nodes leap to and fro. Every b has a higher version than
# its a, and no snapshot has a b without its a.
#
#   KV=… [KV_PAIRS=10000] clocks.sh
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
pairs=${KV_PAIRS:-640}
writers=8
fake=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
[ -n "$fake" ] || fail 'libfaketime is not installed'

# clock NODE OFFSET: sets a node's wall clock, in one step.
clock() {
  echo "$2" >"clock$1.new"
  mv "clock$1.new" "clock$1"
}

# node INDEX ARGUMENT…: starts one whose wall clock its file moves; time that only goes on stays true.
node() {
  local index=$1
  shift
  clock "$index" +0
  LD_PRELOAD=$fake FAKETIME_TIMESTAMP_FILE=$work/clock$index FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
    "$KV" "$@" >>"node$index.log" 2>&1 &
  pids+=("$!")
}

node 1 serve -d node1 --listen "127.0.0.1:$(free_port)"
export KV_CLUSTER=$work/node1/cluster.kv
await_healthy
for index in 2 3; do
  read -ra words <<<"$(kv invite)"
  node "$index" "${words[@]:1}" -d "node$index" --listen "127.0.0.1:$(free_port)"
  await_members "$index"
done
await_healthy
# A cluster file for each node, which names that alone.
for index in 1 2 3; do
  address=$(sed -n 's/^address //p' "$KV_CLUSTER" | sed -n "${index}p")
  awk -v address="$address" '!/^address / { print } /^cluster / { print "address " address }' "$KV_CLUSTER" \
    >"through$index.kv"
  kv --cluster "through$index.kv" status >/dev/null
done

# write WRITER: pairs through nodes in turn, and that each version is above the one before.
write() {
  local number letter version last=0
  export XDG_STATE_HOME=$work/state$1
  for number in $(seq $((pairs / writers))); do
    for letter in a b; do
      version=$(kv --cluster "through$((RANDOM % 3 + 1)).kv" put "$letter/$1/$number" "$number" --timeout 30s) ||
        { echo "put $letter/$1/$number failed" && return 1; }
      [ "$version" -gt "$last" ] || { echo "$letter/$1/$number has version $version, after $last" && return 1; }
      last=$version
    done
  done
}

# leap: one clock far off, all others a little, or all true. None goes back further than certificates are dated back: a
# node for which they are not valid yet lets nobody in.
leap() {
  local far=(+1d +3h -4m -40s +40s +9s -9s -2s) near=(+1s -1s +3s -3s +0 +0)
  local index odd=$((RANDOM % 4))
  for index in 1 2 3; do
    if [ "$index" -eq "$odd" ]; then
      clock "$index" "${far[RANDOM % ${#far[@]}]}"
    else
      clock "$index" "${near[RANDOM % ${#near[@]}]}"
    fi
  done
}

started=()
for writer in $(seq "$writers"); do
  write "$writer" >"writer$writer.out" 2>"writer$writer.err" &
  started+=("$!")
done
pids+=("${started[@]}")

exports=0
running=1
while [ "$running" -gt 0 ]; do
  leap
  sleep 0.4
  running=0
  for writer in "${started[@]}"; do if kill -0 "$writer" 2>/dev/null; then running=$((running + 1)); fi; done
  if [ "$exports" -lt 40 ] && [ $((RANDOM % 3)) -eq 0 ]; then
    exports=$((exports + 1))
    kv snapshot export "$exports.kvs" --timeout 30s 2>/dev/null
  fi
done
for writer in $(seq "$writers"); do
  wait "${started[writer - 1]}" || fail "writer $writer: $(cat "writer$writer.out" "writer$writer.err")"
done

for export in $(seq "$exports"); do
  kv range --file "$export.kvs" --prefix a/ --format keys | sed 's/^a//' >as
  kv range --file "$export.kvs" --prefix b/ --format keys | sed 's/^b//' >bs
  orphans=$(comm -13 as bs)
  [ -z "$orphans" ] || fail "export $export has b without a: $orphans"
done
[ "$exports" -gt 1 ] || fail 'there were no exports meanwhile'
same $((pairs / writers * writers * 2)) "$(kv range --format keys | wc -l)"
for index in 1 2 3; do clock "$index" +0; done
kv verify --quick >/dev/null

# Whichever node's clock is wrong, status names it, and only it.
for index in 1 2 3; do
  clock "$index" +2h
  until kv status 2>&1 | grep -q "node $index: its clock is 7[12][0-9][0-9] s ahead"; do sleep 0.2; done
  if kv status 2>&1 | grep -v "node $index:" | grep 'its clock is'; then fail "another clock is named"; fi
  clock "$index" +0
  until ! kv status 2>&1 | grep -q 'its clock is'; do sleep 0.2; done
done
