#!/usr/bin/env bash
# Keys and records in streams: get and delete take any format, a watch feeds a put, and a lock is released safely.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

one_node

# Keys that no argument can carry, or that end other commands' lines, are deleted and nothing beside them.
kv put precious 1 >/dev/null
printf '%s\n' '{"key":"pfx/a\u0000precious","value":"x"}' '{"key_b64":"cGZ4L/8=","value":"y"}' \
  '{"key":"pfx/b\nprecious","value":"z"}' '{"key":"pfx/","value":""}' | kv put --from json 2>/dev/null
same 4 "$(kv range --prefix pfx/ --format keys | wc -l)"
kv range --prefix pfx/ --format json >records
kv range --prefix pfx/ --format keys | kv get --from keys --format json >got
cmp records got
kv range --prefix pfx/ --format keys | kv delete --from keys 2>words
grep -q '4 keys deleted, 0 failed' words
same '' "$(kv range --prefix pfx/)"
same 1 "$(kv get precious)"

# Every format names keys; what is absent already is status 1, and counted.
for format in tsv json cdb nul keys; do
  printf 'a\t1\nb\t2\n' | kv put --from tsv 2>/dev/null
  kv range a c --format "$format" >records
  [ "$format" = keys ] || same "$(kv range a c)" "$(kv get --from "$format" records)"
  status 0 kv delete --from "$format" records
  status 1 kv delete --from "$format" records
  grep -q '0 keys deleted, 2 were absent' stderr
done
# At a version, and of any replica, many at once, too.
kv put x old >/dev/null
before=$(kv put y old)
printf 'x\tnew\ny\tnew\nz\tnew\n' | kv put --from tsv 2>/dev/null
printf 'x\ny\nz\n' | status 1 kv get --from keys --at "$before"
same $'x\told\ny\told' "$(cat stdout)"
grep -q 'z is absent' stderr
printf 'x\ny\n' | status 0 kv get --from keys --consistency bounded:30s
same $'x\tnew\ny\tnew' "$(cat stdout)"
grep -q '^kv: x: .*node 1' stderr || fail "not said how fresh: $(cat stderr)"
same 2 "$(printf 'x\ny\n' | kv get --from keys --consistency eventual --json | grep -c '"lag_ms"')"
status 0 kv bench get --total 200 --keys 50 --consistency eventual
status 0 kv bench range --total 20 --keys 50 --at -1s
status 64 kv bench put --at 5
status 64 kv bench get --at 5 --consistency eventual
status 1 kv delete --from keys --json - <<<precious1
same '{"record":1,"key":"precious1","version":null}' "$(cat stdout)"
echo '{"key":"precious1"}' | status 1 kv delete --from json
echo '{"key":"precious1"}' | status 65 kv put --from json
printf 'bad\\q\n\nprecious\n' | status 65 kv get --from keys
same $'precious\t1' "$(cat stdout)"
grep -q 'line 1: ' stderr
grep -q 'line 2: the key is empty' stderr
status 64 kv delete
status 64 kv delete --from keys a b
status 64 kv delete --from keys --if-version 1
status 64 kv get --from keys --proof
status 66 kv get --from keys missing

printf '+8,0:precious->\nnonsense' | status 65 kv get --from cdb
same $'precious\t1' "$(cat stdout)"

# Thousands, in order; absent ones are left out and told.
seq 1 5000 | sed 's/.*/n&\t&/' | kv put --from tsv 2>/dev/null
seq 5000 -1 0 | sed 's/^/n/' >keys
status 1 kv get --from keys keys
same "$(seq 5000 -1 1 | sed 's/.*/n&\t&/')" "$(cat stdout)"
same 'kv: n0 is absent' "$(cat stderr)"
version=$(kv put n1 new)
status 0 kv get --from keys --at "$((version - 1))" <<<n1
same $'n1\t1' "$(cat stdout)"
status 0 kv get --from keys --json --consistency eventual <<<n1
grep -q '"value":"new"' stdout

# One process answers as it is asked.
coproc READER { exec "$KV" get --from keys; }
reader=$READER_PID
for key in n7 n8; do
  echo "$key" >&"${READER[1]}"
  read -r -t 10 line <&"${READER[0]}"
  same "$key"$'\t'"${key#n}" "$line"
done
eval "exec ${READER[1]}>&-"
wait "$reader"

# A watch that feeds a put mirrors deletions, too; in a batch they are refused, before anything is written.
mkdir other
start other serve -d other --listen 127.0.0.1:0
until KV_CLUSTER=other/cluster.kv kv status --wait healthy --timeout 10s >/dev/null 2>&1; do sleep 0.1; done
before=$(kv put m/first 1)
kv put m/second 2 >/dev/null
kv delete m/first >/dev/null
kv put m/third 3 >/dev/null
kv watch --prefix m/ --after "$((before - 1))" --limit 4 --json >changes
kv --cluster other/cluster.kv put --from json <changes 2>words
grep -q '^kv: 4 records written, 0 failed' words
same "$(kv range --prefix m/)" "$(kv --cluster other/cluster.kv range)"
status 65 kv put --from json --atomic changes
grep -q 'line 3: a deletion; nothing was written' stderr
printf '{"key":"m/second","kind":"delete"}\n' | status 65 kv put --from json --if-absent
for kind in 7 '"deleted"' '{"put":"delete"}'; do
  printf '{"key":"m/9","value":"9","kind":%s}\n' "$kind" | status 65 kv put --from json
  grep -qF "line 1: expected \"put\" or \"delete\" in the member kind, found $kind" stderr
  status 1 kv get m/9
done

# Who holds a lock releases that one, and never the next holder's.
mine=$(kv put lock me --if-absent)
status 1 kv delete lock --if-version "$((mine + 1))"
same me "$(kv get lock)"
status 0 kv delete lock --if-version "$mine"
theirs=$(kv put lock you --if-absent)
status 1 kv delete lock --if-version "$mine"
same you "$(kv get lock)"
status 64 kv delete lock other --if-version "$theirs"

# A repeated id may have been applied, or may be yet: where nobody answers, a repetition is not "certainly not".
id=$(printf '%08x-%04x-7000-8000-%012x/1' $(($(date +%s%3N) >> 16)) $(($(date +%s%3N) & 65535)) $$)
kill -STOP "$node"
status 69 kv put lock them --timeout 500ms
status 75 kv put lock them --request-id "$id" --timeout 500ms
grep -q -- "--request-id $id" stderr
status 75 kv delete lock --request-id "$id" --timeout 500ms
kill -CONT "$node"
