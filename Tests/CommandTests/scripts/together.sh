#!/usr/bin/env bash
# `kv put --from --atomic`: the records of each partition together or none of them, from files as users have them.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

three_nodes --partitions 4
seq 1000 | awk '{ printf "key%d\tvalue%d\n", $1, $1 }' >records
versions() { kv range --format json | grep -o '"version":"[0-9]*"' | sort -u | wc -l; }

# One version for each partition, and not one of a thousand is missing.
kv put --from tsv --atomic records 2>summary
grep -q '1000 records written, 0 failed' summary || fail "$(cat summary)"
same 4 "$(versions)"
same "$(sort records)" "$(kv range --format tsv | sort)"
before=$(kv range --format json | grep -o '"version":"[0-9]*"' | tr -dc '0-9\n' | sort -n | sed -n 1p)
same 0 "$(kv range --at "$((before - 1))" --format keys | wc -l)"

# A condition that is false for one record keeps those of its partition from being written, and no others.
printf 'key1\tnew\n' | cat - <(seq 2000 2099 | awk '{ printf "key%d\tnew\n", $1 }') >with-key1
status 1 kv put --from tsv --atomic --if-absent with-key1
grep -q "line 1: the condition is false" stderr || fail "$(cat stderr)"
written=$(kv range --format tsv | grep -c 'new$' || true)
refused=$(grep -c 'not written, for line 1 of its partition' stderr || true)
same 100 "$((written + refused))"
if [ "$refused" -eq 0 ] || [ "$written" -eq 0 ]; then fail "$written written, $refused refused"; fi
same value1 "$(kv get key1)"

# What is wrong with the input is told before anything is written.
printf 'a\t1\nb\t2\na\t3\n' >twice
status 65 kv put --from tsv --atomic twice
grep -q 'line 3: the key of line 1 again' stderr || fail "$(cat stderr)"
printf 'a\t1\nno tab\n' >malformed
status 65 kv put --from tsv --atomic malformed
grep -q 'line 2' stderr || fail "$(cat stderr)"
printf '+1,1:a->1\n+1,1:b->' >cut-off
status 65 kv put --from cdb --atomic cut-off
awk 'BEGIN { for (n = 0; n < 50000; n++) printf "many%d\tx\n", n }' >many
status 65 kv put --from tsv --atomic many
grep -q 'lie in one partition' stderr || fail "$(cat stderr)"
printf 'a\t1\n\t2\n' >keyless
status 65 kv put --from tsv --atomic keyless
grep -q 'line 2: the key is empty; nothing was written' stderr || fail "$(cat stderr)"
status 1 kv get a
status 1 kv get many1
status 64 kv put --atomic a 1
status 66 kv put --from tsv --atomic absent-file
: >nothing
kv put --from tsv --atomic nothing 2>/dev/null
same '' "$(kv range --prefix many --format keys)"

# With --json each record has its line, by number.
printf 'x1\t1\nx2\t2\nx3\t3\n' | kv put --from tsv --atomic --json 2>/dev/null >objects
same '1 2 3' "$(grep -o '"record":[0-9]*' objects | tr -dc '0-9\n' | sort -n | xargs)"
same "$(kv get x2 --json | grep -o '"version":"[0-9]*"')" "$(grep '"record":2,' objects | grep -o '"version":"[0-9]*"')"

# A split of the partitions while many are written together: none is ever seen in half.
pairs() { kv range --prefix pair --format tsv | cut -f 2 | sort | uniq -c | awk '$1 != 8'; }
for round in $(seq 40); do
  seq 8 | awk -v round="$round" '{ printf "pair%d\t%d\n", $1, round }' >pair
  kv put --from tsv --atomic pair >/dev/null 2>>failures || fail "round $round: $(tail -n 3 failures)"
  if [ "$round" = 10 ]; then kv split 1 >/dev/null 2>&1 && kv split 2 >/dev/null 2>&1; fi
done
same '' "$(pairs)"
same 40 "$(kv get pair3)"

# Together they may be as large as one value alone may be.
{ printf 'large1\t' && head -c 3000000 /dev/zero | tr '\0' a && printf '\nlarge1b\tx\n'; } |
  kv put --from tsv --atomic 2>/dev/null
same 3000000 "$(kv get large1 | wc -c)"

# A watch that ends after so many changes ends with the last of its version.
seq 40 | awk '{ printf "group%d\t1\n", $1 }' | kv put --from tsv --atomic 2>/dev/null
: >checked
for try in $(seq 10); do
  kv watch --prefix group --after "$before" --checkpoint place --limit 3 --timeout 2s --format tsv >>checked 2>/dev/null ||
    break
done
same 40 "$(wc -l <checked)"
same 40 "$(sort -u checked | wc -l)"

# A watch gives every record of each, also with a checkpoint between any two.
kv watch --prefix pair --after "$before" --limit 320 --format tsv >seen
same 320 "$(wc -l <seen)"

# With a majority gone, nothing is written and the code says so.
kill -STOP "${nodes[1]}" "${nodes[2]}"
found=0
kv put --from tsv --atomic twice --timeout 1s >/dev/null 2>&1 || found=$?
same 65 "$found"
printf 'y1\t1\ny2\t2\n' >pair
kv put --from tsv --atomic pair --timeout 2s >/dev/null 2>stderr || found=$?
case $found in 69 | 75) ;; *) fail "ended with $found: $(cat stderr)" ;; esac
kill -CONT "${nodes[1]}" "${nodes[2]}"
