#!/usr/bin/env bash
# Exports that are interrupted, by whatever it may be, and gone on with: at the same version, to the same records.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"

three_nodes
seq -f 'key%06g' 24000 | awk '{ printf "%s\tvalue of %s %0200d\n", $1, $1, NR }' | kv put --from tsv --quiet

# halt FILE ARGUMENT…: an export that is stopped when some of its file is written; its process id is in $export, its words
# are in words.
halt() {
  local file=$1 try
  shift
  for try in $(seq 50); do
    # What a shell runs in the background ignores the keyboard's signal, unless told otherwise.
    env --default-signal=INT "$KV" snapshot export "$@" "$file" >facts 2>words &
    export=$!
    until [ "$(stat -c %s "$file.part" 2>/dev/null || echo 0)" -gt 600000 ]; do
      kill -0 "$export" 2>/dev/null || break
    done
    kill -STOP "$export" 2>/dev/null || true
    while grep -q '^State:.[^TZ]' "/proc/$export/status" 2>/dev/null; do :; done
    if [ -s "$file.part" ]; then
      pids+=("$export")
      return
    fi
    kill -CONT "$export" 2>/dev/null || true
    wait "$export" || fail "line ${BASH_LINENO[0]}: the export ended with $?: $(cat words)"
    rm -f "$file"
    [ "$try" -lt 50 ] || fail "every export was done before it could be stopped"
  done
}

# cut SIGNAL CODE: ends the export that is stopped; it has to end so.
cut() {
  local found=0
  kill "-$1" "$export"
  kill -CONT "$export" 2>/dev/null || true
  wait "$export" 2>/dev/null || found=$?
  same "$2" "$found"
}

# change: writes that no export which has begun may show.
changes=0
change() {
  changes=$((changes + 1))
  kv put "key00000$changes" "something else" >/dev/null
  kv delete "key00900$changes" "key02390$changes" >/dev/null
  kv put "key009000/$changes" "something new" >/dev/null
}

# equal FILE ARGUMENT…: a file is what an export of the same version gives that is not interrupted, and nothing is left
# beside it.
equal() {
  local file=$1 version
  shift
  version=$(sed -n 's/.*"version":"\([0-9]*\)".*/\1/p' facts)
  kv snapshot export "$@" --at "$version" whole.kvs --json 2>/dev/null >whole
  same "$(sed 's/.*"records"/"records"/; s/,"created.*//' whole)" "$(sed 's/.*"records"/"records"/; s/,"created.*//' facts)"
  kv snapshot verify "$file" >/dev/null 2>stderr
  [ ! -s stderr ] || fail "$(cat stderr)"
  kv range --file "$file" --format json 2>/dev/null | cmp - <(kv range --file whole.kvs --format json 2>/dev/null)
  # All but the end, where time, signature and certificates are.
  cmp -n "$(($(wc -c <whole.kvs) - 4096))" "$file" whole.kvs
  same '' "$(find . -name '*.part*')"
}

# Killed, and the cluster goes on meanwhile.
halt killed.kvs
cp killed.kvs.part.about about
status 77 kv snapshot export killed.kvs
grep -q 'another export is writing killed.kvs' stderr || fail "$(cat stderr)"
status 77 kv snapshot export --resume killed.kvs
cut KILL 137
change
[ -s killed.kvs.part ] || fail 'nothing is left'
[ ! -e killed.kvs ] || fail 'it has its name already'
cp killed.kvs.part left
kv snapshot export --resume killed.kvs --json >facts 2>words
grep -q 'goes on with killed.kvs.part behind [1-9][0-9]* records, at version' words || fail "$(cat words)"
same 24000 "$(sed 's/.*"records":\([0-9]*\).*/\1/' facts)"
equal killed.kvs

# A part that was torn and damaged meanwhile gives the same file.
size=$(wc -c <left)
for place in 0 5 $((size / 3)) $((size - 1)); do
  cp left torn.kvs.part
  cp about torn.kvs.part.about
  printf '\xa5\x5a' | dd of=torn.kvs.part bs=1 seek="$place" conv=notrunc status=none
  truncate -s "-$((place % 7))" torn.kvs.part
  kv snapshot export --resume torn.kvs --json >facts 2>/dev/null
  equal torn.kvs
done

# Interrupted from the keyboard, or by whoever ends the session: it says how to go on, and that does.
for signal in INT TERM HUP; do
  halt "stopped $signal.kvs" --prefix key00 --timeout 20s
  cut "$signal" $((128 + $(kill -l "$signal")))
  same "kv: interrupted; what is written is kept in stopped $signal.kvs.part, and this goes on with it: kv snapshot export --resume --prefix key00 'stopped $signal.kvs'" "$(cat words)"
  change
  # With other arguments it isn't what was begun.
  status 65 kv snapshot export --resume "stopped $signal.kvs"
  grep -q 'is of another export, with another --prefix: .* at version .*repeat' stderr || fail "$(cat stderr)"
  status 65 kv snapshot export --resume --prefix key00 --history "stopped $signal.kvs"
  status 65 kv snapshot export --resume --prefix key00 --since -1h "stopped $signal.kvs"
  status 65 kv snapshot export --resume --prefix key00 --at -1s "stopped $signal.kvs"
  sed -n 's/.*goes on with it: kv //p' words >rest
  "$BASH" -c "$KV $(cat rest) --json" >facts 2>/dev/null
  equal "stopped $signal.kvs" --prefix key00
done

# The past, and what changed: gone on with within a key.
kv snapshot create sunday >/dev/null
seq -f 'key%06g' 12000 | awk '{ printf "%s\tanother value of %s %0200d\n", $1, $1, NR }' | kv put --from tsv --quiet
for arguments in --history '--since snap:sunday' '--history --since snap:sunday'; do
  read -ra words <<<"$arguments"
  halt history.kvs "${words[@]}"
  cut KILL 137
  change
  kv snapshot export --resume "${words[@]}" history.kvs --json >facts 2>/dev/null
  equal history.kvs "${words[@]}"
done
kv snapshot create monday >/dev/null
halt named.kvs --at snap:monday
cut KILL 137
status 65 kv snapshot export --resume named.kvs
grep -q 'another --at' stderr || fail "$(cat stderr)"
status 65 kv snapshot export --resume --at snap:sunday named.kvs
version=$(kv snapshot list | sed -n 's/^monday\t\([0-9]*\).*/\1/p')
kv snapshot export --resume --at "$version" named.kvs --json >facts 2>/dev/null
equal named.kvs

# Nobody answers within the time-out. One of three would do: the version is closed.
halt lonely.kvs --timeout 2s
kill -STOP "${nodes[@]}"
kill -CONT "$export"
found=0
wait "$export" || found=$?
same 69 "$found"
kill -CONT "${nodes[@]}"
grep -q 'is kept in lonely.kvs.part, and this goes on with it: kv snapshot export --resume lonely.kvs$' words || fail "$(cat words)"
await_healthy
kv snapshot export --resume lonely.kvs --json >facts 2>/dev/null
equal lonely.kvs

# No room: what the disk took is kept.
code=0
(trap '' XFSZ; ulimit -f 2000; exec "$KV" snapshot export full.kvs) 2>words || code=$?
same 74 "$code"
grep -q 'goes on with it: kv snapshot export --resume full.kvs$' words || fail "$(cat words)"
[ "$(wc -c <full.kvs.part)" -gt 1500000 ] || fail "$(wc -c <full.kvs.part) bytes are kept"
kv snapshot export --resume full.kvs --json >facts 2>/dev/null
equal full.kvs

# Nothing to go on with: it begins anew, so that a timer may always ask for it.
kv snapshot export --resume full.kvs --json >facts 2>words
grep -q 'nothing is left of an export of full.kvs: it begins anew' words || fail "$(cat words)"
equal full.kvs
status 64 kv snapshot export --resume -
mkfifo pipe
cat pipe >/dev/null &
status 64 kv snapshot export --resume pipe

# Without the option what was left is replaced.
halt again.kvs
cut KILL 137
change
kv snapshot export again.kvs --json >facts 2>words
grep -q 'again.kvs.part is replaced, which was left of an export of cluster kv-[0-9a-f]* at version' words || fail "$(cat words)"
equal again.kvs

# What is damaged or somebody else's is left alone.
cp left other.kvs.part
status 65 kv snapshot export --resume other.kvs
status 65 kv snapshot export other.kvs
cmp left other.kvs.part
[ ! -e other.kvs.part.about ] || fail 'a lock was left'
cp about other.kvs.part.about
printf '\xff' | dd of=other.kvs.part.about bs=1 seek=40 conv=notrunc status=none
status 65 kv snapshot export --resume other.kvs
grep -q 'begin anew without --resume' stderr || fail "$(cat stderr)"
cmp left other.kvs.part
kv snapshot export other.kvs --json >facts 2>/dev/null
equal other.kvs
ln -s elsewhere linked.kvs.part.about
status 74 kv snapshot export linked.kvs
ln -s elsewhere planted.kvs.part
status 77 kv snapshot export planted.kvs
rm linked.kvs.part.about planted.kvs.part

# Another cluster's is not gone on with, and a version that is kept no more can't be.
cp left foreign.kvs.part
cp about foreign.kvs.part.about
start brief serve -d brief --listen "127.0.0.1:$(free_port)" --keep 2s --partitions 2
brief=$started
export KV_CLUSTER=$work/brief/cluster.kv
await_healthy
status 65 kv snapshot export --resume foreign.kvs
grep -q 'another cluster: cluster kv-' stderr || fail "$(cat stderr)"
cmp left foreign.kvs.part
rm foreign.kvs.part foreign.kvs.part.about
seq -f 'key%06g' 12000 | awk '{ printf "%s\tvalue of %s %0200d\n", $1, $1, NR }' | kv put --from tsv --quiet
halt late.kvs
cut KILL 137
cp late.kvs.part left
# A node holds what is being read for a minute more, but no longer than it runs.
stop "$brief"
start brief serve -d brief
await_healthy
status 65 kv snapshot export --resume --prefix other late.kvs
version=$(sed 's/.*at version \([0-9]*\).*/\1/' stderr)
for try in $(seq 200); do
  kv put other "$try" >/dev/null
  kv get key000001 --at "$version" >/dev/null 2>&1 || break
  [ "$try" -lt 200 ] || fail "the version is still kept after twenty seconds"
  sleep 0.1
done
status 3 kv snapshot export --resume late.kvs
grep -q "oldest still readable is [0-9]*; late.kvs.part is of version $version .*begin anew without --resume.*snapshot create" stderr ||
  fail "$(cat stderr)"
cmp left late.kvs.part
kv snapshot export late.kvs --json >facts 2>/dev/null
equal late.kvs
