#!/usr/bin/env bash
# What nobody means to do and somebody does: descriptors that are closed, links and devices as targets, options that are
# none, limits beyond all measure, a cluster that nothing was written to, nodes that can't start.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# A node that was started with its standard descriptors closed doesn't write its messages into its files.
"$KV" serve -d node --listen "127.0.0.1:$(free_port)" --partitions 2 <&- >&- 2>&- &
node=$!
pids+=("$node")
export KV_CLUSTER=$work/node/cluster.kv
await_healthy
for number in 0 1 2; do same /dev/null "$(readlink "/proc/$node/fd/$number")"; done
seq 50 | sed 's/.*/k&\tv/' | kv put --from tsv --quiet
stop "$node"
start node serve -d node
node=$started
await_healthy
same 50 "$(kv range --format keys | wc -l)"
code=0
kv range >&- 2>words || code=$?
same 74 "$code"
same v "$(kv get k1 2>&-)"

# A watch on a cluster to which nothing was written sees the first write.
start fresh serve -d fresh --listen "127.0.0.1:$(free_port)"
KV_CLUSTER=$work/fresh/cluster.kv await_healthy
same '' "$(kv --cluster fresh/cluster.kv range)"
kv --cluster fresh/cluster.kv watch --limit 1 --timeout 30s >seen &
watch=$!
sleep 1
kv --cluster fresh/cluster.kv put first 1 >/dev/null
wait "$watch"
grep -q 'first' seen || fail "the watch saw $(cat seen)"

# A command that doesn't read a large value doesn't stop the watch; one that does has all of it.
version=$(kv put anchor 1)
head -c 200000 /dev/zero | kv put large >/dev/null
status 0 timeout 30 "$KV" watch large --after "$version" --limit 1 --exec 'exit 0'
status 74 timeout 30 "$KV" watch large --after "$version" --limit 1 --exec 'exit 5'
same 200000 "$(kv watch large --after "$version" --limit 1 --exec 'wc -c')"

# Links stay, and what they lead to is replaced; pipes and devices are written to.
echo old >target
ln -s target link
kv get anchor --to link
[ -L link ] || fail 'the link is gone'
same 1 "$(cat target)"
ln -s link further
kv snapshot export further 2>/dev/null
{ [ -L further ] && [ -L link ]; } || fail "the links are gone"
status 0 kv snapshot verify target
mkfifo pipe
cat pipe >through &
reader=$!
kv snapshot export pipe 2>/dev/null
wait "$reader"
[ -p pipe ] || fail 'the pipe is gone'
status 0 kv snapshot verify through
{ echo a && kv get anchor --to /dev/stdout && echo b; } >out
same $'a\n1b' "$(cat out)"
[ -L /dev/stdout ] || fail 'the device is gone'
status 74 kv snapshot export /dev/full
[ -c /dev/full ] || fail 'the device is gone'
ln -s loop loop
status 74 kv get anchor --to loop
ln -s checkpoint.real checkpoint
kv put anchor 1 >/dev/null
kv watch anchor --after "$version" --limit 1 --checkpoint checkpoint >/dev/null
{ [ -L checkpoint ] && [ -s checkpoint.real ]; } || fail "the checkpoint is not behind its link"

# A dash too many is no call for help; a value behind -- is one.
status 64 kv put limit -1h
status 64 kv get -rhubarb
status 0 kv get -qh
status 0 kv put limit -- -1h
same -1h "$(kv get limit)"
same 11 "$(kv range --prefix k1 --limit 9223372036854775807 --format keys | wc -l)"
same 11 "$(kv range --prefix k1 --limit 9223372036854775807 --reverse --format keys | wc -l)"

# An option that takes one value is given once; help is of commands that there are.
status 64 kv get anchor --at -1s --at -0s
grep -q '^kv: --at is given twice: it takes one value' stderr
status 0 kv --cluster none get anchor --cluster "$KV_CLUSTER"
status 64 kv help nosuch
grep -q "^kv: 'nosuch' is no command of kv: kv --help lists them" stderr
status 0 kv help cert list

# An empty variable names no cluster file.
mkdir -p config/kv
cp "$KV_CLUSTER" config/kv/cluster
same "$(kv get anchor)" "$(KV_CLUSTER='' kv get anchor)"
rm -r config

# Very many keys are read and deleted, in their order.
mapfile -t many < <(seq 1000 2999)
printf '%s\n' "${many[@]}" | sed 's/.*/&\t&/' | kv put --from tsv 2>/dev/null
same "$(printf '%s\n' "${many[@]}")" "$(kv get "${many[@]}" --format keys --timeout 30s)"
status 0 kv delete "${many[@]}" --json --timeout 30s
same 2000 "$(wc -l <stdout)"
status 1 kv get 2999

# A directory is no snapshot's file.
status 64 kv verify --file "$work"
grep -q "is a directory: name the snapshot's file in it" stderr

# A record that is too large fails alone, in every format.
{ printf '+2,1:p1->b\n+5000,1:' && head -c 5000 /dev/zero | tr '\0' x && printf -- '->v\n+2,1:p3->c\n\n'; } >records
status 65 kv put --from cdb records
grep -q 'record 2: a key of 5000 bytes' stderr
same c "$(kv get p3)"

# A file of some keys says nothing of others.
kv snapshot export --prefix k some.kvs 2>/dev/null
status 64 kv get --file some.kvs anchor
status 64 kv history --file some.kvs anchor
status 1 kv get --file some.kvs k-none
same v "$(kv get --file some.kvs k1)"
kv snapshot export all.kvs 2>/dev/null
kv get anchor --file all.kvs --proof >proof
grep -q '^{"key":"anchor",.*"root":"' <(kv verify --proof proof --json)

# Nothing is made that can't be kept.
status 74 kv cert issue lost --role admin --to nowhere/x.kv
status 1 grep -q client/lost <(kv cert list)
status 1 kv cert revoke --serial deadbeef
serial=$(kv cert issue gone --role reader --to gone.kv --json | sed 's/.*"serial":"\([^"]*\)".*/\1/')
status 0 kv cert revoke --serial "00$serial"
grep -q 'client/gone *reader *revoked' <(kv cert list)

# Of a cluster file whose only address is gone, each command asks the members that were learned of before.
sed 's/^address .*/address 127.0.0.1:1/' node/cluster.kv >stale.kv
kv status --wait healthy --timeout 20s >/dev/null
status 0 kv status --wait healthy --timeout 10s --cluster stale.kv
timeout 20 "$KV" status --watch --cluster stale.kv 2>/dev/null | sed -n '1{p;q}' >watched || true
[ -s watched ] || fail 'kv status --watch shows nothing'
status 69 kv status --wait healthy --cluster nowhere.kv --timeout 300ms

# Where a node can't listen, nothing is made: no cluster, no member, no demo in a directory of something else.
taken=$(sed -n 's/^address .*://p' node/cluster.kv)
status 74 kv serve -d other --listen "127.0.0.1:$taken" --partitions 4
[ ! -e other/cluster.kv ] || fail 'a cluster was made'
grep -q "can't listen on 127.0.0.1:$taken: another program listens there" stderr
status 74 kv serve -d other --listen 127.0.0.1:0 --metrics "127.0.0.1:$taken" --partitions 4
grep -q "can't listen on 127.0.0.1:$taken: another program listens there" stderr
start other serve -d other --listen "127.0.0.1:$(free_port)" --partitions 4
KV_CLUSTER=$work/other/cluster.kv await_healthy
read -ra words <<<"$(kv invite)"
status 74 kv "${words[@]:1}" -d joiner --listen "127.0.0.1:$taken"
same 1 "$(kv status --json | grep -o '"pid":' | wc -l)"
status 64 kv demo -d node
chmod 555 .
if [ "$(id -u)" -ne 0 ]; then
  status 74 kv serve -d none
  grep -q 'ermission denied' stderr
fi
chmod 755 .

# A member that was enrolled and doesn't run yet holds no write up, and no partition is split for it.
read -ra words <<<"$(kv invite)"
kv "${words[@]:1}" -d joiner --listen "127.0.0.1:$(free_port)" --enrol-only --quiet
for number in 2 3; do
  read -ra words <<<"$(kv invite)"
  kv "${words[@]:1}" -d "joiner$number" --listen "127.0.0.1:$(free_port)" --enrol-only --quiet
done
# One that is cut off is brought to its end by its token, and nothing else is made of its directory until then.
read -ra words <<<"$(kv invite)"
words+=(-d cut --listen "127.0.0.1:$(free_port)" --enrol-only --quiet)
for time in 0.02 0.04 0.06 0.08 0.1 0.12 0.15; do
  [ ! -e cut/FORMAT ] || break
  timeout -s KILL "$time" "$KV" "${words[@]:1}" 2>/dev/null || true
  [ ! -e cut/JOINING ] || [ -e cut/FORMAT ] || status 78 kv serve -d cut
done
[ -e cut/FORMAT ] || kv "${words[@]:1}"
same 5 "$(kv status --json | grep -o '"node":[0-9]*,"address"' | wc -l)"
sleep 3
status 0 kv put while-waiting 1
grep -q ", 2 partitions," <(kv status 2>/dev/null || true)
start joiner serve -d joiner
await_members 2
status 0 kv put afterwards 1
sleep 2
status 0 kv leave --lost 3 --no-wait
status 0 kv leave --lost 4 --no-wait
for try in $(seq 200); do
  kv leave --cancel 3 >/dev/null 2>words || { grep -q 'member no more' words && break; }
  [ "$try" -lt 200 ] || fail "node 3 is still a member: $(cat words)"
  sleep 0.1
done
status 77 kv leave --cancel 3
