#!/usr/bin/env bash
# An upgrade as kv-operations(7) tells it: one node after the other is stopped and started with the new program, under
# writes of which none fails and none is lost. KV_OLD is the program to come from; without it the nodes are restarted.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

new=$KV
KV=${KV_OLD:-$KV}
three_nodes
kv put before upgrade >/dev/null
KV=$new

# Writers note what was acknowledged, and what was not.
for writer in 1 2; do
  {
    number=0
    while [ ! -e enough ]; do
      number=$((number + 1))
      if kv put "w$writer/$number" "$number" --timeout 20s >/dev/null 2>>failures; then
        echo "w$writer/$number" >>"acknowledged$writer"
      else
        echo "w$writer/$number" >>failed
      fi
    done
  } &
  pids+=($!)
done
sleep 1

# What the old program's nodes can't take is refused as long as there is one of them; the directories tell.
old_format=$(sed 's/.* //' node1/FORMAT)
together() { seq 40 | awk -v value="$1" '{ printf "t/%d\t%s\n", $1, value }' | kv put --from tsv --atomic; }

for index in 1 2 3; do
  if [ "$old_format" = 1 ] && [ "$index" -gt 1 ]; then
    found=0
    together early >/dev/null 2>&1 || found=$?
    case $found in
      0) fail "written together with an old node among the members" ;;
      65 | 77) ;; # by an old leader, which does not know it, and by a new one
      *) fail "refused with $found" ;;
    esac
    # The catalog's leader says what it waits for, if it is a new one.
    kv status >stdout
    ! grep '^note' stdout | grep -v "format stays 1 as long as node .*3" || fail "$(cat stdout)"
  fi
  stop "${nodes[index - 1]}"
  start "node$index" serve -d "node$index"
  nodes[index - 1]=$started
  await_members 3
  await_healthy
done

touch enough
wait "${pids[@]:3:2}" || true
[ ! -e failed ] || fail "writes failed during the upgrade: $(head -n 3 failures)"
sort acknowledged1 acknowledged2 >written
kv range --prefix w --format keys | sort >found
[ "$(wc -l <written)" -ge 20 ] || fail "only $(wc -l <written) writes were made"
comm -23 written found >lost
[ ! -s lost ] || fail "acknowledged writes are lost: $(head -n 3 lost)"
same upgrade "$(kv get before)"

# The format has risen by itself, and is in each directory: the old program refuses it from now on.
for try in $(seq 300); do
  ! grep -L ' 2$' node1/FORMAT node2/FORMAT node3/FORMAT | grep -q . || { sleep 0.1 && continue; }
  break
done
[ "$try" -lt 300 ] || fail "the format does not rise: $(cat node*/FORMAT)"
together late 2>/dev/null
same '     40 late' "$(kv range --prefix t/ --format tsv | cut -f 2 | sort | uniq -c)"
if [ "$old_format" = 1 ]; then
  stop "${nodes[2]}"
  status 78 "$KV_OLD" serve -d node3
  grep -q 'format 2' stderr || fail "the old program does not say why: $(cat stderr)"
fi
