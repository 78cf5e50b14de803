#!/usr/bin/env bash
# Certificates: issued with a role, taken back under live connections, renewed by nodes without a restart and after
# one that came too late.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# expires NODE: when its certificate ends, in seconds since 1970.
expires() {
  kv status --json | grep -o '"certificate_expires":[0-9]*' | sed -n "$1s/.*://p"
}

export KV_CERTIFICATE_LIFE=25s
three_nodes
admin=$KV_CLUSTER
kv put key value >/dev/null
first=$(expires 1)
third=$(expires 3)

# Roles hold.
kv cert issue alice --role reader --to alice.kv
kv cert issue bob --role writer --ttl 1d --to bob.kv
same 600 "$(stat -c %a alice.kv)"
grep -q '^address .*' alice.kv
same 3 "$(grep -c '^address ' bob.kv)"
same value "$(kv --cluster alice.kv get key)"
status 77 kv --cluster alice.kv put key other
status 0 kv --cluster bob.kv put key other
status 77 kv --cluster bob.kv invite
status 77 kv --cluster bob.kv cert list
same client/alice "$(kv --cluster alice.kv cert show | awk 'NR == 2 { print $1 }')"
# An export is refused before anything is copied or replaced, and not told to be gone on with.
echo old >old.kvs
status 77 kv --cluster alice.kv snapshot export old.kvs
grep -q 'client/alice has the role reader, and this needs the role admin' stderr || fail "$(cat stderr)"
status 77 kv --cluster bob.kv snapshot export --resume new.kvs
! grep -q 'resume' stderr || fail "$(cat stderr)"
same old "$(cat old.kvs)"
same '' "$(find . -maxdepth 1 -name '*.part*')"
# No file is replaced, which may hold the only key of somebody.
cp alice.kv alice.before
status 77 kv cert issue carol --role admin --to alice.kv
grep -q '^kv: alice.kv is there already' stderr
cmp alice.kv alice.before
status 1 grep -q client/carol <(kv cert list)
: >empty.kv
chmod 644 empty.kv
status 0 kv cert issue carol --role reader --to empty.kv
same 600 "$(stat -c %a empty.kv)"
status 64 kv cert issue 'a b' --role reader --to x.kv
status 64 kv cert issue carol --role king --to x.kv
same 'node/1 node/2 node/3' "$(kv cert list | awk '/^node/ { print $1 }' | sort -u | xargs)"
# What has ended can't be renewed: it is told what can be done.
kv cert issue brief --role reader --ttl 1s --to brief.kv --quiet
sleep 2.5
status 77 kv --cluster brief.kv cert renew
grep -q 'has expired; have another issued, by an administrator (kv cert issue)' stderr || fail "$(cat stderr)"

# Taken back: the connection that is open ends, and no other is made.
mkfifo records
kv --cluster bob.kv put --from tsv records --timeout 3s >/dev/null 2>words &
load=$!
exec 3>records
printf 'one\tvalue\n' >&3
sleep 0.5
status 0 kv cert revoke client/bob
# The other nodes hear of it with the next message of the catalog's leader.
sleep 0.5
printf 'two\tvalue\n' >&3
exec 3>&-
code=0
wait "$load" || code=$?
[ "$code" -eq 75 ] || same 77 "$code"
grep -q revoked words
same value "$(kv get one)"
status 1 kv get two
status 77 kv --cluster bob.kv get key
grep -q revoked stderr
status 1 kv cert revoke client/nobody
status 64 kv cert revoke client/admin
grep -q 'client/bob *writer *revoked' <(kv cert list)
# Another certificate for the same name is good.
kv cert issue bob --role writer --to bob2.kv
status 0 kv --cluster bob2.kv put key again
serial=$(kv --cluster alice.kv cert show --json | grep -o '"serial":"[^"]*"' | cut -d '"' -f 4)
status 0 kv cert revoke --serial "$serial"
status 77 kv --cluster alice.kv get key

# Where all that answer refuse, a node that is down is not waited for; a watch that runs ends as well.
kv cert issue carl --role reader --to carl.kv
timeout 30 "$KV" --cluster carl.kv watch --timeout 20s 2>watched &
watch=$!
sleep 0.5
kill -KILL "${nodes[2]}"
wait "${nodes[2]}" 2>/dev/null || true
kv cert revoke client/carl
code=0
wait "$watch" || code=$?
same 77 "$code"
for command in "get key" "put key refused" range "watch --timeout 3s" status; do
  # shellcheck disable=SC2086 # words of a command
  status 77 timeout 3 "$KV" --cluster carl.kv $command
done
port=$(grep -o 'serves on 127.0.0.1:[0-9]*' node3.log | tail -1 | grep -o '[0-9]*$')
start node3 serve -d node3 --listen "127.0.0.1:$port"
nodes[2]=$started
await_healthy

# A node that is down while its certificate ends gets another from the members when it comes back.
stop "${nodes[2]}"

# The others renew theirs and go on.
for try in $(seq 400); do
  [ "$(expires 1)" -le "$first" ] || break
  [ "$try" -lt 400 ] || fail "node 1 does not renew its certificate"
  sleep 0.1
done
[ "$(date +%s)" -ge "$((third + 2))" ] || sleep "$((third + 2 - $(date +%s)))"
same again "$(kv get key)"
start node3 serve -d node3
nodes[2]=$started
await_members 3
await_healthy
grep -q 'is renewed' node1.log
[ "$(expires 3)" -gt "$third" ] || fail "node 3 has its old certificate"

# A revoked node is let in by no other.
status 0 kv cert revoke node/3
# Two of three can't be done without.
status 77 kv cert revoke node/2
grep -q '16 partitions would have no majority of replicas.*--force' stderr || fail "$(cat stderr)"
same again "$(kv get key)"
for try in $(seq 100); do
  ! grep -q 'no connection to node .*revoked' node3.log || break
  [ "$try" -lt 100 ] || fail "node 3 still gets through: $(tail -n 3 node3.log)"
  sleep 0.1
done
export KV_CLUSTER=$admin
status 0 kv put key last

# With no administrator's file left, a node's host is the way back in.
export KV_CLUSTER=$work/nowhere.kv
status 0 kv cert issue rescuer --role admin --directory node2 --to rescue.kv
status 0 kv --cluster rescue.kv cert list
status 0 kv --cluster rescue.kv put key rescued
status 78 kv cert issue nobody --role admin --directory state --to no.kv
