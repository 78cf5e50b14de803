#!/usr/bin/env bash
# Real data: stanzas of the system's package index, loaded into three nodes by one command, read back byte for byte.
# A few hundred of them; all that there are with KV_ALL_PACKAGES=1.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
export LC_ALL=C
most=600
[ "${KV_ALL_PACKAGES:-0}" = 0 ] || most=0

# NAME_VERSION and the stanza, newlines and all, as records of cdbmake(1), each behind its key and a tab and before a
# NUL, sorted by key as bytes.
{ apt-cache dumpavail || true; } 2>/dev/null >available
cat available /var/lib/dpkg/status >stanzas
awk -v most="$most" 'BEGIN { RS = ""; FS = "\n" }
    {
      name = version = ""
      for (i = 1; i <= NF; i++) {
        if ($i ~ /^Package: /) name = substr($i, 10)
        if ($i ~ /^Version: /) version = substr($i, 10)
      }
      key = name "_" version
      if (name != "" && version != "" && !seen[key]++) {
        value = $0 "\n"
        printf "%s\t+%d,%d:%s->%s\n%c", key, length(key), length(value), key, value, 0
        if (++count == most) exit
      }
    }' stanzas |
  sort -z -t $'\t' -k 1,1 >sorted
cut -z -f 1 <sorted | tr '\0' '\n' >keys
count=$(wc -l <keys)
[ "$count" -ge 50 ] || fail "this system knows only $count packages"

# cdb: the numbered records that come in, in the form of cdbmake(1). Records have no NUL but the one behind them.
cdb() {
  cut -z -f 2- | tr -d '\0'
  echo
}
# records FIRST LAST: the records of these numbers, from 1, in that form; backwards: in falling order.
records() { sed -z -n "$1,$2p" sorted | cdb; }
backwards() { sed -z -n "$1,$2p" sorted | tac -s '' | cdb; }
# value NUMBER: the value of a record alone, with neither the mark before nor the line's end behind it.
value() { sed -z -n "$1p" sorted | cut -z -f 2- | tr -d '\0' | sed '1s/^[^>]*->//' | head -c -1; }
# equal COMMAND…: the same bytes come out of the command as stand on standard input.
equal() { { "$@" </dev/null | cmp - /dev/fd/3; } 3<&0 || fail "line ${BASH_LINENO[0]}: '$*' is not what a sorted copy gives"; }
records 1 "$count" >expected

three_nodes
start_version=$(kv put aaa first)
kv delete aaa >/dev/null
# The order of loading says nothing about the order of reading: the index has its own.
began=$SECONDS
shuf -z --random-source=<(yes) sorted | cdb >shuffled
kv put --from cdb -q --timeout 60s shuffled
echo "$count stanzas, $(wc -c <expected) bytes, loaded in $((SECONDS - began)) s" >&2
began=$SECONDS
equal kv range --format cdb <expected
kv range --format keys | cmp - keys || fail "the keys are not those of a sorted copy"
echo "read in order, twice, in $((SECONDS - began)) s" >&2

# Parts of it: numbers of records are numbers of lines in the list of keys.
first=$((count / 3))
last=$((count / 2))
min=$(sed -n "${first}p" keys)
max=$(sed -n "${last}p" keys)
prefixed=$(grep -n '^lib' keys | cut -d : -f 1)
[ -n "$prefixed" ] || fail "no package is a library"
# parts OPTION…: a range, a prefix, reverse ranges with a limit, with these options to each.
parts() {
  records "$first" "$((last - 1))" | equal kv range "$min" "$max" --format cdb "$@"
  records "$(head -n 1 <<<"$prefixed")" "$(tail -n 1 <<<"$prefixed")" | equal kv range --prefix lib --format cdb "$@"
  backwards "$((count - 6))" "$count" | equal kv range --reverse --limit 7 --format cdb "$@"
  backwards "$((last - 50 > first ? last - 50 : first))" "$((last - 1))" |
    equal kv range "$min" "$max" --reverse --limit 50 --format cdb "$@"
  records "$first" "$((first + 19))" | equal kv range "$min" --limit 20 --format cdb "$@"
  for number in 1 "$first" "$last" "$count"; do
    value "$number" | equal kv get "$(sed -n "${number}p" keys)" "$@"
  done
}
parts

# The past stays what it was.
loaded=$(kv put zzzz loaded --if-absent)
kv delete zzzz >/dev/null
kv put --from tsv -q --timeout 60s < <(sed 's/$/\tchanged/' keys)
kv delete "$min" >/dev/null
same changed "$(kv get "$max")"
status 1 kv get "$min"
kv range --at "$loaded" --format cdb >past
grep -v '^+4,6:zzzz->loaded$' past | cmp - expected || fail "the past has changed"
parts --at "$((loaded - 1))"
same $'aaa\tfirst' "$(kv range --at "$start_version")"

# Text formats carry the same.
kv range --at "$((loaded - 1))" --format tsv >all.tsv
kv range --at "$((loaded - 1))" --format json >all.json
same "$count" "$(wc -l <all.tsv)"
same "$count" "$(wc -l <all.json)"

# As it is read, it can be loaded: the whole of it, once more, is the identity.
kv range --at "$((loaded - 1))" --format nul >all.nul
kv put --from nul -q --timeout 60s all.nul
equal kv range --format cdb <expected
