#!/usr/bin/env bash
# The kept versions of a key: newest first, deletions too, the same through every node and after a restart.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
source "$(dirname "$0")/lib.sh"
three_nodes "$@"

first=$(kv put key one)
second=$(kv put key "$(printf 'tab\there')")
gone=$(kv delete key)
last=$(kv put key two)

kv history key >found
same "$last $gone $second $first" "$(cut -f 1 found | paste -sd ' ')"
same 'put delete put put' "$(cut -f 3 found | paste -sd ' ')"
same 'two tab\there one' "$(cut -f 4 found | sed '/^$/d' | paste -sd ' ')"
cut -f 2 found | grep -Evq '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$' && fail "times: $(cat found)"
kv history key --reverse >reversed
same "$(cat found)" "$(tac reversed)"

# Bounds leave themselves out; a limit counts from the newest.
same "$gone $second" "$(kv history key --after "$first" --before "$last" | cut -f 1 | paste -sd ' ')"
same "$last" "$(kv history key --limit 1 | cut -f 1)"
same "$gone $last" "$(kv history key --limit 2 --reverse | cut -f 1 | paste -sd ' ')"
same "$(cat found)" "$(kv history key --after -1h)"
status 1 kv history key --after "$last"
status 1 kv history never
[ ! -s stdout ] || fail "an absent key printed $(cat stdout)"
status 64 kv history key --limit 0
status 64 kv history

kv history key --json >objects
same 4 "$(wc -l <objects)"
grep -q "^{\"version\":\"$gone\",\"time\":\"[^\"]*\",\"kind\":\"delete\",\"key\":\"key\"}$" objects || fail "$(cat objects)"
grep -q "\"value\":\"one\"}$" objects || fail "$(cat objects)"

# The value before the last, as the manual says.
version=$(kv history key --limit 3 | tail -n 1 | cut -f 1)
same "$(printf 'tab\there')" "$(kv get key --at "$version")"
bring_back() { kv get copy --at "$1" --to copy.old && kv put copy - <copy.old; }
old=$(kv put copy one)
kv put copy two >/dev/null
bring_back "$old" >/dev/null
same one "$(kv get copy)"
status 1 bring_back "$((old - 1))"
same one "$(kv get copy)"

# A leader's end changes nothing.
stop "${nodes[0]}"
same "$(cat found)" "$(kv history key --timeout 30s)"

# More versions than one answer holds.
for number in $(seq 60); do
  head -c 20000 /dev/zero | tr '\0' x | kv put large - --timeout 30s >/dev/null
  [ "$number" -lt 60 ] || same 60 "$(kv history large --timeout 30s | wc -l)"
done
