#!/usr/bin/env bash
# Watching: order, deletions, checkpoints, commands, ends; a job like cron's; across the end of a leader.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"
three_nodes "$@"

# await_lines COUNT FILE: waits until a file has so many lines.
await_lines() {
  local try
  for try in $(seq 300); do
    [ "$(wc -l <"$2")" -lt "$1" ] || return 0
    [ "$try" -lt 300 ] || fail "line ${BASH_LINENO[0]}: $2 has $(wc -l <"$2") lines, not $1"
    sleep 0.1
  done
}

# Changes come as they are made, in order, whatever their keys; SIGTERM ends the watch with 0.
begin=$(kv put first 0)
"$KV" watch --after "$begin" >all 2>all.err &
watch=$!
pids+=("$watch")
for number in $(seq 20); do kv put "key$number" "$number" >>versions; done
kv delete key7 >>versions
await_lines 21 all
same "$(cat versions)" "$(cut -f 1 all)"
same 'delete key7' "$(tail -n 1 all | cut -f 3,4 | tr '\t' ' ')"
stop "$watch"

# What was missed is not lost; a key, a prefix, a limit, JSON.
same "$(cat all)" "$(kv watch --after "$begin" --limit 21)"
same 'put delete' "$(kv watch key7 --after "$begin" --limit 2 | cut -f 3 | paste -sd ' ')"
same 11 "$(kv watch --prefix key1 --after "$begin" --limit 11 | wc -l)"
kv watch key7 --after "$begin" --limit 2 --json >objects
grep -q '"kind":"delete","key":"key7"}$' objects || fail "$(cat objects)"
# Nobody reads it any more: it ends, though no change comes.
code=0
timeout 20 "$KV" watch --after "$(sed -n 20p versions)" | head -n 1 >/dev/null || code=$?
same 74 "$code"
status 69 kv watch key7 --limit 1 --timeout 300ms
status 0 kv watch key7 --timeout 300ms
[ ! -s stdout ] || fail "a watch without changes printed $(cat stdout)"
status 64 kv watch key7 --prefix key
status 64 kv watch --exec true --json
grep -q -e '--exec prints nothing: it excludes --json' stderr
status 3 kv watch --after 1
echo nonsense >broken
status 65 kv watch --checkpoint broken
mkfifo pipe
status 65 timeout 5 "$KV" watch --checkpoint pipe
status 64 kv watch --checkpoint ""
# Nothing is done that could not be noted.
before=$(kv put key7 old)
kv put key7 new >/dev/null
status 74 kv watch key7 --after "$before" --checkpoint nowhere/at --exec 'touch ran' --timeout 1s
[ ! -e ran ] || fail "a command ran"
echo 900000000000000000 >ahead
status 0 kv watch --checkpoint ahead --timeout 300ms
grep -q 'was not given out yet' stderr || fail "nothing is said of a checkpoint that is ahead"

# A job like cron's: every run takes what has come since the one before.
kv watch --prefix job/ --checkpoint at --timeout 300ms >log
for number in $(seq 5); do
  kv put "job/$number" "$number" >/dev/null
  kv watch --prefix job/ --checkpoint at --timeout 1s >>log
done
same '1 2 3 4 5' "$(cut -f 5 log | paste -sd ' ')"

# A command for each change; one that fails is repeated, and nothing before it.
# shellcheck disable=SC2016 # the command's own variables
act='[ ! -e broken_down ] || exit 9; echo "$KV_KIND $KV_KEY $KV_VALUE $(cat)" >>acted'
after=$(kv put other x)
kv put act/1 one >/dev/null
touch broken_down
status 74 kv watch --prefix act/ --after "$after" --checkpoint acts --exec "$act" --limit 1
[ ! -e acted ] || fail "a command that failed did $(cat acted)"
rm broken_down
kv put act/2 two >/dev/null
kv delete act/1 >/dev/null
kv watch --prefix act/ --after "$after" --checkpoint acts --exec "$act" --limit 1
kv watch --prefix act/ --checkpoint acts --exec "$act" --limit 2
same 'put act/1 one one|put act/2 two two|delete act/1  ' "$(paste -sd '|' acted)"

# A lock: the first writer has it; the others wait for its end.
kv put lock mine --if-absent >/dev/null
status 1 kv put lock theirs --if-absent
seen=$(kv history lock --limit 1 | cut -f 1)
(sleep 0.5 && kv delete lock >/dev/null) &
kv watch lock --after "$seen" --limit 1 --timeout 30s | grep -q delete || fail "the lock's end was not seen"
kv put lock theirs --if-absent >/dev/null

# Nodes end, one after the other, and come back: no gap, nothing twice.
begin=$(kv put first 1)
"$KV" watch --after "$begin" --prefix run/ >run 2>run.err &
watch=$!
pids+=("$watch")
(for number in $(seq 150); do kv put "run/$((number % 7))" "$number" --timeout 60s; done >written) &
writer=$!
for index in 1 2 3; do
  sleep 1
  kill -KILL "${nodes[index - 1]}"
  wait "${nodes[index - 1]}" 2>/dev/null || true
  start "node$index" serve -d "node$index"
  nodes[index - 1]=$started
  kv status --wait healthy --timeout 60s >/dev/null
done
wait "$writer"
await_lines 150 run
same "$(cat written)" "$(cut -f 1 run)"
stop "$watch"

# A watch that begins while no majority is there waits for it; one with an end of its own says that it saw nothing.
for index in 2 3; do
  kill -KILL "${nodes[index - 1]}"
  wait "${nodes[index - 1]}" 2>/dev/null || true
done
status 69 kv watch --prefix late/ --limit 1 --timeout 1s
"$KV" watch --prefix late/ --after -1s --limit 1 >late 2>late.err &
watch=$!
pids+=("$watch")
for try in $(seq 100); do
  ! grep -q 'waiting for the cluster' late.err || break
  [ "$try" -lt 100 ] || fail "a watch without a cluster does not say that it waits: $(cat late.err)"
  sleep 0.2
done
for index in 2 3; do
  start "node$index" serve -d "node$index"
  nodes[index - 1]=$started
done
kv status --wait healthy --timeout 60s >/dev/null
sleep 0.5
kv put late/1 seen >/dev/null
await_lines 1 late
wait "$watch"
