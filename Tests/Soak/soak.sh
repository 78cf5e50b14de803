#!/usr/bin/env bash
# A cluster of three real nodes under mixed load and faults for as long as wanted, and whether it stays as it was: memory,
# descriptors and disk of each node level, no removed file kept open, every acknowledged write there, the replicas equal,
# in the end all healthy.
#
#   KV=… soak.sh [SECONDS] [TABLE]
#
# SECONDS: 1200 unless given. TABLE: a file for what was measured every ten seconds: time, node, resident KiB,
# descriptors of other things than tables, KiB on disk, open tables, open files that were removed.
#
# Nodes 2 and 3 are killed, ended and frozen, one at a time; node 1 is only ever frozen, so that whatever it doesn't let
# go of adds up, and its memory alone is judged by its growth: that of the others depends on when they last began. History
# is kept for half a minute: a plateau is reached in the first quarter, which is not judged.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/../CommandTests/scripts/lib.sh"
seconds=${1:-1200}
table=$work/table
three_nodes --keep 30s
again() {
  start "node$1" serve -d "node$1"
  nodes[$1 - 1]=$started
}

# load: writes over 20,000 keys with versions told, reads, ranges, deletions of keys of its own.
load() {
  local round=0 from
  while [ ! -e stop ]; do
    round=$((round + 1))
    from=$((RANDOM * 32768 % 19500 + RANDOM % 500))
    seq "$from" $((from + 499)) | sed "s/.*/key-&\tround $round $filler &/" |
      kv put --from tsv --json --timeout 30s >>acknowledged 2>>load.errors || true
    kv range --prefix "key-$((RANDOM % 100))" --limit 1000 --timeout 30s >range.out 2>>load.errors || true
    kv get "key-$from" --consistency eventual --timeout 30s >/dev/null 2>>load.errors || true
    kv put "gone-$((round % 50))" "$round" >/dev/null 2>>load.errors || true
    kv delete "gone-$(((round + 25) % 50))" >/dev/null 2>>load.errors || true
    sleep 0.2
  done
}
filler=$(head -c 200 /dev/zero | tr '\0' x)
load &
pids+=("$!")
loader=$!
kv watch --timeout 30s >/dev/null 2>>watch.log &
pids+=("$!")

measure() {
  local n pid
  for n in 1 2 3; do
    pid=${nodes[n - 1]}
    [ -r "/proc/$pid/status" ] || continue
    find "/proc/$pid/fd" -type l -printf '%l\n' >open 2>/dev/null || true
    printf '%d\t%d\t%d\t%d\t%d\t%d\t%d\n' "$SECONDS" "$n" "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" \
      "$(grep -cv '[.]sst' open)" "$(du -sk "node$n" 2>/dev/null | cut -f1)" "$(grep -c '[.]sst$' open)" \
      "$(grep -c ' (deleted)$' open)" >>"$table"
  done
}

SECONDS=0 faults=0 next=20
while [ "$SECONDS" -lt "$seconds" ]; do
  sleep 10
  measure
  [ "$SECONDS" -ge "$next" ] || continue
  next=$((SECONDS + 20))
  faults=$((faults + 1))
  victim=$((2 + faults % 2))
  case $((RANDOM % 4)) in
    0)
      kill -KILL "${nodes[victim - 1]}"
      wait "${nodes[victim - 1]}" 2>/dev/null || true
      sleep $((RANDOM % 4))
      again "$victim"
      ;;
    1)
      stop "${nodes[victim - 1]}"
      sleep $((RANDOM % 4))
      again "$victim"
      ;;
    *)
      victim=$((1 + RANDOM % 3))
      kill -STOP "${nodes[victim - 1]}"
      sleep $((1 + RANDOM % 5))
      kill -CONT "${nodes[victim - 1]}"
      ;;
  esac
done
touch stop
wait "$loader"
kv status --wait healthy --timeout 60s >/dev/null
kv verify >/dev/null

# The newest acknowledged version of each key against the one that is there.
field='s/.*"key":"\([^"]*\)".*"version":"\([0-9]*\)".*/\1 \2/p'
sed -n "$field" acknowledged | sort -k1,1 -k2,2nr | sort -u -k1,1 >wanted
kv range --prefix key- --format json --timeout 30s | sed -n "$field" | sort -k1,1 >found
[ "$(wc -l <wanted)" -gt 0 ] || fail "nothing was acknowledged: $(tail -n 5 load.errors)"
lost=$(join -a 1 wanted found | awk 'NF < 3 || $3 < $2' | head -n 3)
[ -z "$lost" ] || fail "lost, or older than acknowledged: $lost"

# level COLUMN NAME PER_CENT SLACK MEASURE NODES: what the last quarter had is not above what the second had by more than
# so much. MEASURE: the most, or the mean where it goes up and down by the minute, as the number of tables does. NODES:
# how many, from the first on.
level() {
  awk -v c="$1" -v name="$2" -v part="$3" -v slack="$4" -v measure="$5" -v nodes="$6" -v end="$seconds" '
    function take(kept, n) {
      sum[kept, n] += $c
      count[kept, n]++
      if ($c > most[kept, n]) most[kept, n] = $c
    }
    function of(kept, n) { return measure == "mean" && count[kept, n] ? sum[kept, n] / count[kept, n] : most[kept, n] }
    $1 > end / 4 && $1 <= end / 2 { take("before", $2) }
    $1 > end * 3 / 4 { take("after", $2) }
    END {
      for (n = 1; n <= nodes; n++) {
        printf "node %d: %s of %s %d in the second quarter, %d in the last\n", n, measure, name, of("before", n), of("after", n)
        if (of("after", n) > of("before", n) * (1 + part / 100) + slack) bad = 1
      }
      exit bad
    }' "$table"
}
# removed: how many files that are no more each node has open still.
removed() {
  local pid
  for pid in "${nodes[@]}"; do
    find "/proc/$pid/fd" -type l -printf '%l\n' 2>/dev/null | grep -c ' (deleted)$' || true
  done | paste -sd ' '
}
flat=0
level 3 "resident KiB" 15 4096 most 1 || flat=1
level 4 "descriptors beside tables" 0 8 most 3 || flat=1
level 6 "open tables" 25 8 mean 3 || flat=1
level 5 "KiB on disk" 15 32768 most 3 || flat=1
awk '$3 > most[$2] { most[$2] = $3 }
  END {
    printf "most of resident KiB in all: %d, %d, %d\n", most[1], most[2], most[3]
    exit most[2] > 2 * most[1] || most[3] > 2 * most[1]
  }' "$table" || flat=1
[ -z "${2:-}" ] || cp "$table" "$2"
[ "$flat" -eq 0 ] || fail "something grew"
for _ in $(seq 30); do
  [ "$(removed)" != "0 0 0" ] || break
  sleep 1
done
same "0 0 0" "$(removed)"
echo "$seconds s, $faults faults, $(wc -l <acknowledged) acknowledged writes of $(wc -l <wanted) keys: all there, replicas equal"
