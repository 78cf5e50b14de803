#!/usr/bin/env bash
# The cluster's authority is replaced by another, twice, while commands go on: with old cluster files until the end, a
# node that joins and one that restarts in between; then what is left of the former opens nothing.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

serial() {
  kv --cluster "$1" cert show --json | sed 's/.*"serial":"\([^"]*\)".*/\1/'
}

# await_followers: waits until the nodes, and the file that one of them keeps, have certificates of the new authority.
await_followers() {
  local try
  for try in $(seq 300); do
    kv cert rotate --json >standing
    grep -q '"holder":"node/\|"holder":"client/admin"' standing || return 0
    [ "$try" -lt 300 ] || fail "some don't follow: $(cat standing)"
    sleep 0.1
  done
}

three_nodes
kv cert issue alice --role writer --ttl 30d --to alice.kv
kv cert issue bob --role reader --to bob.kv
cp "$KV_CLUSTER" admin-before.kv
cp alice.kv alice-before.kv
seq -f 'key%04g' 300 | awk '{print $1 "\tvalue"}' | kv --cluster alice.kv put --from tsv >/dev/null 2>&1
kv snapshot export before.kvs 2>/dev/null
read -ra words <<<"$(kv invite)"
status 64 kv cert rotate --force
status 0 kv cert rotate --finish
grep -q '^authority [0-9a-f]\{64\}$' stdout
grep -q 'nothing else is believed' stderr
cp stdout first

# With a node away none begins: it might come back when nobody believes it any more.
kill -STOP "${nodes[1]}"
status 69 kv cert rotate --timeout 3s
grep -q 'node 2 does not answer' stderr
kill -CONT "${nodes[1]}"
await_healthy

# Writes that go on all the while, each by a process of its own, with the cluster file of before.
(
  count=0
  while [ ! -e enough ]; do
    count=$((count + 1))
    kv --cluster alice-before.kv put "load/$count" "$count" >>load.out 2>>load.err || echo "put $count: $?" >>load.err
    echo "$count" >count
    sleep 0.05
  done
) &
load=$!
pids+=("$load")

status 0 kv cert rotate
! cmp -s stdout first || fail 'the authority is the same'
status 77 kv cert rotate --finish
grep -q 'client/alice' stderr
await_followers
kv cert rotate --json >standing
same 'client/alice client/bob' "$(grep -o '"holder":"[^"]*"' standing | cut -d '"' -f 4 | sort | xargs)"
grep -q '"rotating":true' standing
kv status >standing
grep -q '^note: the cluster.s authority is being replaced' standing
grep -q '^client/bob *reader *former ' <(kv cert list)
grep -q '^client/admin *admin *valid ' <(kv cert list)
grep -q '^past-authority ' "$KV_CLUSTER"
status 77 kv cert rotate --finish
grep -q '2 certificates of the former authority are in use: .*client/alice' stderr

# A node that was invited before comes in, one restarts and finds its way, old files are served by all.
start node4 "${words[@]:1}" -d node4 --listen "127.0.0.1:$(free_port)"
await_members 4
stop "${nodes[2]}"
start node3 serve -d node3
nodes[2]=$started
await_members 4
await_healthy
same value "$(kv --cluster bob.kv get key0042)"
same value "$(kv --cluster admin-before.kv get key0042)"

# Each client in its own time: the same holder, the same end, another key.
before=$(serial alice.kv)
ends=$(kv --cluster alice.kv cert show --json | grep -o '"expires":[0-9]*')
status 0 kv --cluster alice.kv cert renew
[ "$(serial alice.kv)" != "$before" ] || fail 'the same certificate'
same "$ends" "$(kv --cluster alice.kv cert show --json | grep -o '"expires":[0-9]*')"
same 600 "$(stat -c %a alice.kv)"
status 0 kv --cluster alice.kv put key0001 renewed
status 77 kv --cluster alice.kv cert list
status 77 kv cert rotate --finish
grep -q ': 1 certificate of the former authority is in use: .*client/bob' stderr || fail "$(cat stderr)"
kv --cluster bob.kv cert renew --to - >bob-renewed.kv
same value "$(kv --cluster bob-renewed.kv get key0042)"
status 77 kv --cluster bob-renewed.kv put key0042 other
same '' "$(kv cert rotate --json | grep -o '"holder":"[^"]*"' | xargs)"

touch enough
wait "$load"
[ ! -s load.err ] || fail "writes failed meanwhile: $(cat load.err)"
same "$(cat count)" "$(kv range --prefix load/ --format keys | wc -l)"

# The end: what the former authority has signed opens nothing.
status 0 kv cert rotate --finish
grep -q 'nothing else is believed' stderr
await_healthy
for file in alice-before.kv admin-before.kv bob.kv; do
  code=0
  kv --cluster "$file" get key0042 >/dev/null 2>words --timeout 3s || code=$?
  [ "$code" -eq 77 ] || [ "$code" -eq 76 ] || fail "$file: $code, $(cat words)"
done
same renewed "$(kv --cluster alice.kv get key0001)"
same value "$(kv --cluster bob-renewed.kv get key0042)"
status 1 grep -q former <(kv cert list)
stop "${nodes[1]}"
start node2 serve -d node2
nodes[1]=$started
await_members 4
await_healthy
kv snapshot verify before.kvs >/dev/null 2>words
grep -q 'replaced since' words
kv snapshot export after.kvs 2>/dev/null
status 0 kv snapshot verify after.kvs --cluster alice.kv

# And once more, right away.
status 0 kv cert rotate
await_followers
kv --cluster alice.kv cert renew --quiet
kv cert revoke client/bob >/dev/null 2>&1
# A load over connections that stay, and one of processes: the end breaks all connections, and fails no write.
rm -f enough load.err
while [ ! -e enough ]; do echo "stream/$((streamed = ${streamed:-0} + 1))	v" && sleep 0.01; done |
  kv --cluster alice.kv put --from tsv --json >streamed 2>stream.err &
stream=$!
(
  count=0
  while [ ! -e enough ]; do
    count=$((count + 1))
    kv --cluster alice.kv put "end/$count" "$count" >/dev/null 2>>load.err || echo "put $count: $?" >>load.err
    echo "$count" >count
  done
) &
load=$!
pids+=("$stream" "$load")
sleep 1
status 0 kv cert rotate --finish
sleep 2
touch enough
wait "$load"
wait "$stream" || fail "the stream of writes: $(cat stream.err)"
[ ! -s load.err ] || fail "writes failed at the end: $(cat load.err)"
same "$(cat count)" "$(kv range --prefix end/ --format keys | wc -l)"
same "$(grep -c '"version"' streamed)" "$(kv range --prefix stream/ --format keys | wc -l)"
[ "$(wc -l <streamed)" -gt 100 ] || fail 'there was no stream'
await_healthy
status 0 kv --cluster alice.kv put key0002 'twice renewed'
status 0 kv snapshot verify before.kvs
kv verify --quick >/dev/null

# The file that lies in a node's directory is renewed before it ends; one that was taken elsewhere is not.
cp node1/cluster.kv admin.kv
export KV_CLUSTER=$work/admin.kv
kv cert issue admin2 --role admin --ttl 12s --to admin2.kv --quiet
mv admin2.kv node1/cluster.kv
ends() { kv --cluster node1/cluster.kv cert show --json | grep -o '"expires":[0-9]*'; }
first=$(ends)
for try in $(seq 300); do
  [ "$(ends)" = "$first" ] || break
  [ "$try" -lt 300 ] || fail 'the file in the directory is not renewed'
  sleep 0.1
done
status 0 kv --cluster node1/cluster.kv cert list
same client/admin2 "$(kv --cluster node1/cluster.kv cert show | awk 'NR == 2 { print $1 }')"

# Unless somebody has revoked it.
kv cert revoke client/admin2 --quiet
last=$(ends)
sleep 10
same "$last" "$(ends)"
status 77 kv --cluster node1/cluster.kv cert list

# An end that is forced names whom it shuts out, and the way back in; they are told at once, though a node is down.
status 0 kv cert rotate
for try in $(seq 300); do
  kv cert rotate --json >standing
  grep -q '"holder":"node/' standing || break
  [ "$try" -lt 300 ] || fail "some nodes don't follow: $(cat standing)"
  sleep 0.1
done
status 77 kv cert rotate --finish
status 0 kv cert rotate --finish --force
grep -q '^client/admin ' stdout || fail "$(cat stdout)"
grep -q "this command's own is among them: kv cert issue --directory" stderr || fail "$(cat stderr)"
stop "${nodes[2]}"
SECONDS=0
status 76 kv get key0002 --timeout 30s
[ "$SECONDS" -lt 10 ] || fail "said after $SECONDS s"
grep -q 'where its authority was replaced' stderr || fail "$(cat stderr)"
status 0 kv cert issue back --role admin --directory node1 --to back.kv
same 'twice renewed' "$(kv --cluster back.kv get key0002)"
