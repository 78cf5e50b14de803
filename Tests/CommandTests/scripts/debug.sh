#!/usr/bin/env bash
# kv debug shows files of format version 1 as they are, and says where they are damaged; kv bench engine measures.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$here/lib.sh"

cp -r "$here/../../FormatTests/fixtures" fixtures
chmod -R u+w fixtures

for name in store-1 log-1; do
  for file in fixtures/"$name"/*; do
    [ "$(basename "$file")" = CURRENT ] && continue
    kv debug dump "$file" >shown
    awk -v "name=== $(basename "$file")" '/^== /{on = ($0 == name); next} on' "fixtures/$name.txt" | cmp - shown
  done
done

same 6 "$(kv debug manifest fixtures/store-1 | sed -n 's/^floor \([0-9]*\),.*/\1/p')"
kv debug manifest fixtures/store-1 --check | grep -c 'whole$' >count
same 4 "$(cat count)"
same 2 "$(kv debug log fixtures/log-1 | grep -c '0 faults')"
mkdir -p whole empty
cp -r fixtures/log-1 whole/log
same 2 "$(kv debug log whole | grep -c '0 faults')"
status 66 kv debug log empty
status 66 kv debug log nowhere
kv debug find fixtures/store-1 apple --json >found
grep -q '"to":"5","kind":"value","value":"green"' found
grep -q '"since":"20","kind":"value","value":"rotten"' found
status 1 kv debug find fixtures/store-1 nothing
status 66 kv debug dump fixtures/none
status 66 kv debug manifest fixtures/none

printf 'X' | dd of=fixtures/store-1/000003.sst bs=1 seek=20 conv=notrunc status=none
status 2 kv debug dump fixtures/store-1/000003.sst
{ kv debug dump fixtures/store-1/000003.sst || true; } 2>/dev/null >damage
grep -q damaged damage
status 2 kv debug manifest fixtures/store-1 --check
status 2 kv debug find fixtures/store-1 apple
printf 'X' | dd of=fixtures/log-1/0000000000000001.log bs=1 seek=1200 conv=notrunc status=none
status 2 kv debug log fixtures/log-1

same 8 "$(kv bench engine 500 --json --memtable 1 | grep -c ns_per_op)"
same 8 "$(kv bench engine versions 20 5 --json --memtable 1 | grep -c ns_per_op)"
same 0 "$(kv bench engine versions 20 50 --json --memtable 1 | sed -n 's/.*"rewritten_bytes":\([0-9.]*\).*/\1/p' | cut -d. -f1)"
kv bench engine 500 -d kept --keep --value 300 >/dev/null
same 5 "$(kv bench engine read 500 -d kept --value 300 --json | grep -c resident_kib)"
status 64 kv bench engine read 500
status 64 kv bench engine versions 20
status 64 kv bench engine 3
