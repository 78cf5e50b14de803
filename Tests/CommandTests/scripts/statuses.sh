#!/usr/bin/env bash
# Exit codes tell done, absent, refused, unavailable and wrong apart; partial output never exits 0.
# shellcheck disable=SC2016 # sh expands $KV
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# Without a cluster.
status 64 kv
status 64 kv nosuch
status 64 kv get
status 64 kv get key --wrong
same '' "$(cat stdout)"

# What is wrong is named, also where the parser stumbles over something else first.
# wrong TEXT ARGUMENT…: the command line is refused with these words.
wrong() {
  local text=$1
  shift
  status 64 kv "$@"
  grep -qF -- "$text" stderr || fail "line ${BASH_LINENO[0]}: $(cat stderr)"
}
wrong "unknown option '--rev'" get t --rev 5
wrong "unknown option '--prefix'" get --prefix a
wrong "unknown option '--prefix'" --cluster file delete --prefix=a
wrong "unknown option '--wrong'" put x y --wrong 1
wrong "unknown option '-5'; what begins with a dash and is no option comes behind --" put n -5
wrong "'set' is no command of kv: kv --help lists them" set a b
wrong "'lst' is no command of kv snapshot: kv snapshot --help lists them" --cluster file snapshot lst
wrong "Please provide one of 'tsv', 'json', 'nul' or 'cdb'" put --from keys
wrong "several keys need --format" get a b
wrong "is empty" get a --to ''
wrong "from 1s to 7d" invite --ttl 999ms
wrong "from 1s to 7d" invite --ttl 9999d
status 0 kv version
same "$(kv version)" "$(kv --version)"
status 0 kv help get
status 74 sh -c '"$KV" version >/dev/full'
status 66 kv get key
status 66 kv --cluster missing get key
status 66 kv --cluster . get key
grep -q 'cannot read the cluster file .: Is a directory' stderr || fail "$(cat stderr)"
if [ "$(id -u)" -ne 0 ]; then
  mkdir -m 0 closed
  status 66 kv --cluster closed/cluster.kv get key
  grep -q 'Permission denied' stderr || fail "$(cat stderr)"
fi
echo nonsense >malformed
status 78 kv --cluster malformed get key
status 78 env KV_CLUSTER=malformed "$KV" get key

one_node

# Absent, and conditions.
status 1 kv get nothing
same '' "$(cat stdout)"
status 1 kv delete nothing
status 0 kv put lock me --if-absent
version=$(cat stdout)
status 1 kv put lock you --if-absent
status 1 kv put lock you --if-version 1
status 0 kv put lock you --if-version "$version"
same you "$(kv get lock)"
status 1 kv get lock nothing --format tsv
same $'lock\tyou' "$(cat stdout)"

# A request id makes a retry safe: the same version again, and nothing written twice.
id=$(printf '%08x-%04x-7000-8000-%012x/1' $(($(date +%s%3N) >> 16)) $(($(date +%s%3N) & 65535)) $$)
first=$(kv put counted 1 --request-id "$id")
same "$first" "$(kv put counted 1 --request-id "$id")"
status 77 kv put counted 2 --request-id "$id"
same 1 "$(kv get counted)"

# Deletions print a version each, in order; absent keys none.
kv put d1 x >/dev/null
kv put d2 x >/dev/null
status 1 kv delete d1 nothing d2
same 2 "$(wc -l <stdout)"

# An empty key is none.
status 65 kv put '' x
status 65 kv get ''
status 65 kv delete ''
status 65 kv history ''
status 65 kv watch '' --timeout 5s

# A dash for a file is standard output.
same you "$(kv get lock --to -)"
[ ! -e - ] || fail 'there is a file -'

# An empty range is no error.
status 0 kv range zzz
same '' "$(cat stdout)"
status 0 kv range b a

# Input that is malformed in part: the rest is written, the line is named, and it isn't 0.
printf 'l1\tv\nbroken\nl2\tv\n' >lines
status 65 kv put --from tsv lines
grep -q 'line 2' stderr
same $'l1\nl2' "$(kv range --prefix l --format keys | grep '^l[12]$')"
status 66 kv put --from tsv missing
printf '+2,1:c1->v\n' | status 65 kv put --from cdb
same v "$(kv get c1)"

# A full device, a closed pipe.
seq 20000 | sed 's/.*/pipe-&\tvalue/' | kv put --from tsv -q
status 74 sh -c '"$KV" range >/dev/full'
grep -q 'No space' stderr
status 0 sh -c '"$KV" range --prefix pipe- | head -n 1'
same '' "$(cat stderr)"
set +e
kv range --prefix pipe- 2>words | head -n 1 >/dev/null
code=${PIPESTATUS[0]}
set -e
same 74 "$code"
same '' "$(cat words)"
status 74 kv get lock --to /dev/full

# Versions and times.
before=$(kv put time old)
kv put time new >/dev/null
same old "$(kv get time --at "$before")"
same new "$(kv get time --at -0s)"
status 1 kv get time --at -1h
status 64 kv get time --at tomorrow
status 64 kv get time --at snap:none
# What the cluster has not given out yet is refused by a watch, too.
status 77 kv get time --at 9223372036854775807
status 77 kv watch time --after 9223372036854775807 --timeout 20s
grep -q 'was not given out yet' stderr || fail "$(cat stderr)"
status 77 kv watch time --after 2099-01-01T00:00:00Z --timeout 20s
status 0 kv watch time --after "$before" --limit 1 --timeout 20s
same old "$(kv range time timf --at "$before" --format tsv | cut -f 2)"

# The node gone: certainly not applied.
stop "$node"
status 69 kv put key value --timeout 1s
status 69 kv get key --timeout 1s
grep -q '^kv: get: nobody' stderr || fail "$(cat stderr)"
status 69 kv get key --at -1s --timeout 1s
grep -q '^kv: asking for the latest version: nobody' stderr || fail "$(cat stderr)"
status 69 kv split --timeout 1s
grep -q "^kv: reading the cluster's map: nobody" stderr || fail "$(cat stderr)"
status 69 kv status --timeout 1s
status 69 kv range --timeout 1s
same '' "$(cat stdout)"
printf 'a\tb\n' | status 69 kv put --from tsv --timeout 1s
