#!/usr/bin/env bash
# One node: made from nothing, stopped, killed, started again with nothing but its directory.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
one_node

same 600 "$(stat -c %a "$KV_CLUSTER")"
version=$(kv put key value)
stop "$node"

# As from a configuration that the first start has left: it changes nothing any more, and says so.
start node serve -d node --partitions 32
node=$started
await_healthy
grep -q 'the number of partitions is of a new cluster' node.log || fail "not said: $(cat node.log)"
same 16 "$(kv verify --quick | wc -l)"
same value "$(kv get key)"
same value "$(kv get key --at "$version")"

# A second node on the same directory is refused, and disturbs nothing.
status 77 kv serve -d node
same value "$(kv get key)"

# Killed under writes: every acknowledged one is there.
seq 5000 | sed 's/.*/kill-&\tvalue &/' >records
kv put --from tsv records --json --timeout 2s >acknowledged 2>/dev/null &
load=$!
sleep 0.5
kill -KILL "$node"
wait "$load" || true
wait "$node" 2>/dev/null || true
start node serve -d node
await_healthy
sed -n 's/.*"key":"\([^"]*\)","version".*/\1/p' acknowledged | sort >written
kv range --prefix kill- --format keys | sort >found
[ -s written ] || fail "nothing was acknowledged"
comm -23 written found >lost
[ ! -s lost ] || fail "acknowledged writes are lost: $(head -n 3 lost)"

# A directory that is something else's is left alone.
mkdir other
echo data >other/file
status 78 kv serve -d other
same data "$(cat other/file)"

# One that is killed while it is made, at any moment, is made anew by the same line.
for time in 0.02 0.03 0.04 0.05 0.06 0.08 0.1; do
  [ ! -e made/FORMAT ] || break
  timeout -s KILL "$time" "$KV" serve -d made --listen 127.0.0.1:0 2>/dev/null || true
  [ -e made/MAKING ] || [ ! -e made/identity ] || [ -e made/FORMAT ] || fail "no mark in $(ls made)"
done
start made serve -d made
KV_CLUSTER=$work/made/cluster.kv await_healthy
[ ! -e made/MAKING ] || fail 'the node is made, and its mark is there'
stop "$started"

# A free port is chosen once; the cluster file names it.
start any serve -d any --listen 127.0.0.1:0
any=$started
KV_CLUSTER=$work/any/cluster.kv await_healthy
before=$(grep ^address any/cluster.kv)
stop "$any"
start any serve -d any --listen 127.0.0.1:0
any=$started
KV_CLUSTER=$work/any/cluster.kv await_healthy
same "$before" "$(grep ^address any/cluster.kv)"
stop "$any"

# What is left of a node's directory is no empty place for a new cluster.
for rest in identity log 'node node.copy' 'catalog catalog.copy' cluster.kv; do
  rm -rf rest
  mkdir rest
  for name in $rest; do cp -r "any/$name" rest; done
  status 78 kv serve -d rest
  same "$(wc -w <<<"$rest")" "$(find rest -mindepth 1 -maxdepth 1 | wc -l)"
  diff -r "any/${rest##* }" "rest/${rest##* }"
done

# Without its key or with a damaged catalog a node says what to do.
mv any/identity/node.key key
status 78 kv serve -d any
grep -q 'identity/node.key: the file is missing; .*kv leave --lost' stderr || fail "$(cat stderr)"
head -c 100 key >any/identity/node.key
status 78 kv serve -d any
grep -q 'identity: .*kv leave --lost' stderr || fail "$(cat stderr)"
mv key any/identity/node.key
# So it does with the files of another node, and with damaged ones.
start other-node serve -d other-node --listen "127.0.0.1:$(free_port)"
KV_CLUSTER=$work/other-node/cluster.kv await_healthy
stop "$started"
cp -r any/identity own
rm -r any/identity
cp -r other-node/identity any/identity
status 78 kv serve -d any
grep -q 'node.crt: the certificate of node 1 of cluster kv-.*directory of node 1 of cluster kv-.*kv leave --lost' stderr ||
  fail "$(cat stderr)"
cp own/node.key any/identity
status 78 kv serve -d any
grep -q 'identity: .*a key that is not its own; .*kv leave --lost' stderr || fail "$(cat stderr)"
cp own/* any/identity
# A byte of the authority's public key, which is a point that ends before the extensions.
place=$(grep -obUaP '\x03\x42\x00\x04' own/ca.crt | head -n 1 | cut -d : -f 1)
printf '\x00\x00\x00' | dd of=any/identity/ca.crt bs=1 seek=$((place + 20)) conv=notrunc status=none
status 78 kv serve -d any
grep -q 'any/identity: .*kv leave --lost' stderr || fail "$(cat stderr)"
cp own/* any/identity

# What its metrics can't have is refused before anything is made.
port=$(free_port)
status 64 kv serve -d unmade --listen "127.0.0.1:$port" --metrics "127.0.0.1:$port"
grep -q -- '--metrics 127.0.0.1:.*the node itself listens there' stderr || fail "$(cat stderr)"
status 64 kv serve -d unmade --metrics 192.0.2.1:9090
[ ! -e unmade/FORMAT ] || fail 'a node was made'
echo 'metrics 192.0.2.1:9090' >serve.conf
status 78 kv serve -d any --config serve.conf
grep -q 'serve.conf, line 1: .*on loopback alone' stderr || fail "$(cat stderr)"
status 78 env KV_METRICS=192.0.2.1:9090 "$KV" serve -d any
grep -q 'KV_METRICS: .*on loopback alone' stderr || fail "$(cat stderr)"

mkdir kept
for name in catalog node; do
  cp "any/$name" "any/$name.copy" kept
  for file in "any/$name" "any/$name.copy"; do
    printf 'damaged' | dd of="$file" bs=1 seek=40 conv=notrunc status=none
  done
done
status 2 kv serve -d any
grep -q "node: it and its copy don't fit their checksums: .*let another node join" stderr || fail "$(cat stderr)"
# One of the two is enough: the catalog begins with its own, the identity with its copy.
mv kept/node.copy any/node.copy
status 2 kv serve -d any
grep -q "catalog and its copy don't fit their checksums, or are another cluster's; .*kv leave --lost" stderr || fail "$(cat stderr)"
status 2 kv recover plan -d any
grep -q "catalog and its copy don't fit their checksums" stderr || fail "$(cat stderr)"
mv kept/catalog any/catalog

# A node that moves tells its cluster, and needs no flags afterwards.
port=$(free_port)
start any serve -d any --listen "127.0.0.1:$port"
any=$started
for _ in $(seq 100); do
  grep -qx "address 127.0.0.1:$port" any/cluster.kv && break
  sleep 0.1
done
KV_CLUSTER=$work/any/cluster.kv await_healthy
KV_CLUSTER=$work/any/cluster.kv kv status --json | grep -q "\"address\":\"127.0.0.1:$port\"" || fail "the node's move is not known"
stop "$any"
start any serve -d any
KV_CLUSTER=$work/any/cluster.kv await_healthy

# A node in the place of whose directory another is put acknowledges nothing that would be lost: it ends.
cp -a any copy
mv any moved
mv copy any
found=0
wait "$started" || found=$?
same 74 "$found"
grep -q 'another put in its place' any.log
rm -r any
mv moved any
: >any.log
start any serve -d any
KV_CLUSTER=$work/any/cluster.kv await_healthy

# Nor does one whose directory is removed under it.
rm -rf any
found=0
wait "$started" || found=$?
same 74 "$found"
grep -q 'removed under it' any.log
