#!/usr/bin/env bash
# Real data: stanzas of the system's package index, loaded by one command, read back byte for byte.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# NAME_VERSION and the stanza, newlines and all, as records of cdbmake(1), sorted by key as bytes.
export LC_ALL=C
{ apt-cache dumpavail || true; } 2>/dev/null >available
cat available /var/lib/dpkg/status >stanzas
awk 'BEGIN { RS = ""; FS = "\n" }
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
        if (++count == 600) exit
      }
    }' stanzas |
  sort -z -t $'\t' -k 1,1 >sorted
cut -z -f 2- <sorted | tr -d '\0' >expected
echo >>expected
cut -z -f 1 <sorted | tr '\0' '\n' >keys
count=$(wc -l <keys)
[ "$count" -ge 50 ] || fail "this system knows only $count packages"

one_node
start_version=$(kv put aaa first)
kv delete aaa >/dev/null
# The order of loading says nothing about the order of reading.
kv put --from cdb -q expected
kv range --format cdb | cmp - expected
kv range --format keys | cmp - keys

min=$(sed -n "$((count / 3))p" keys)
max=$(sed -n "$((count / 2))p" keys)
kv range "$min" "$max" --format keys | cmp - <(sed -n "$((count / 3)),$((count / 2 - 1))p" keys)
kv range --prefix lib --format keys | cmp - <(grep '^lib' keys)
kv range --reverse --limit 7 --format keys | cmp - <(tail -n 7 keys | tac)
kv range "$min" --reverse --limit 5 --format keys | cmp - <(tail -n 5 keys | tac)
kv get "$min" | cmp - <(awk -v key="$min" 'BEGIN { RS = "\0"; FS = "\t" } $1 == key { sub(/^[^>]*->/, ""); printf "%s", $0 }' sorted | head -c -1)

# The past stays what it was.
loaded=$(kv put mark loaded)
kv put --from tsv -q < <(sed 's/$/\tchanged/' keys)
kv delete "$min" >/dev/null
same changed "$(kv get "$max")"
status 1 kv get "$min"
kv range --at "$loaded" --format cdb >past
grep -v '^+4,6:mark->loaded$' past | cmp - expected
same $'aaa\tfirst' "$(kv range --at "$start_version")"

# Text formats carry the same.
kv range --format tsv >all.tsv
kv range --format json >all.json
same "$(wc -l <all.tsv)" "$(wc -l <all.json)"
