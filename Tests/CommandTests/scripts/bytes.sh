#!/usr/bin/env bash
# Keys and values are bytes: arguments, pipes, xargs -0, files and every format keep them.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
one_node

# Values with NUL, newline and invalid UTF-8, through a pipe.
printf 'a\0b\nc\xff\xfe\n' >value
kv put binary <value >version
same "$(cat version)" "$(kv get binary --json | sed 's/.*"version":"\([0-9]*\)".*/\1/')"
kv get binary | cmp - value
kv put binary2 - <value >/dev/null
kv get binary2 --to copy
cmp copy value

# Keys that aren't UTF-8, look like options, are empty values, hold newlines.
kv put $'\xff\xc3(' one >/dev/null
same one "$(kv get $'\xff\xc3(')"
kv put -- -q two >/dev/null
same two "$(kv get -- -q)"
kv put $'line\nbreak' '' >/dev/null
same '' "$(kv get $'line\nbreak')"
kv put $'\xcc\x81accent' three >/dev/null
same $'\\xff\\xc3(' "$(kv range --prefix $'\xff' --format keys)"
same $'\xcc\x81accent' "$(kv range --prefix=$'\xcc\x81' --format keys)"
same -q "$(kv range --prefix -q --format keys)"

# A value is exactly what was given: no newline is added or taken.
printf 'no newline' | kv put plain >/dev/null
same 10 "$(kv get plain | wc -c)"

# xargs -0 in and out.
printf 'k1\0v 1\0k2\0v\n2\0' | xargs -0 -n 2 "$KV" put >/dev/null
same 'v 1' "$(kv get k1)"
same $'v\n2' "$(kv get k2)"
kv range k1 k3 --format nul | xargs -0 printf '<%s>' >list
same $'<k1><v 1><k2><v\n2>' "$(cat list)"

# range --format F | put --from F is the identity.
kv range --format json | sed 's/,"version".*//' >before
for format in tsv json cdb; do
  kv range --format "$format" >"saved.$format"
  kv range --format keys >/dev/null
  while IFS= read -r -d '' key; do kv delete -- "$key" >/dev/null; done < <(kv range k1 k3 --format nul | tr '\n' '_' |
    awk 'BEGIN { RS = "\0"; ORS = "\0" } NR % 2')
  status 1 kv get k1
  kv put --from "$format" "saved.$format" 2>/dev/null
  kv range --format json | sed 's/,"version".*//' | cmp - before
done
status 65 kv range --format nul
grep -q NUL stderr

# A long key, a large value, and one byte too much of each.
head -c 4096 /dev/zero | tr '\0' k >key
kv put "$(cat key)" long >/dev/null
same long "$(kv get "$(cat key)")"
status 65 kv put "$(cat key)k" too-long
head -c 8388608 /dev/urandom >file
kv put large --timeout 30s <file >/dev/null
kv get large --timeout 30s | cmp - file
status 65 kv put large < <(cat file key)
