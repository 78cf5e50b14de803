#!/usr/bin/env bash
# Who has no certificate of this cluster is turned away by a real node, whatever else speaks TLS to it.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"
one_node
address=$(sed -n 's/^address //p' "$KV_CLUSTER")
version=$(kv put key value)

# identity NAME FILE: the certificate and key of a cluster file, as NAME.crt and NAME.key.
identity() {
  sed -n 's/^certificate //p' "$2" | base64 -d >"$1.crt"
  sed -n 's/^key //p' "$2" | base64 -d >"$1.key"
}

# A second cluster, with an authority of its own.
start other serve -d other --listen "127.0.0.1:$(free_port)"
kv status --cluster other/cluster.kv --wait healthy --timeout 60s >/dev/null
identity own "$KV_CLUSTER"
identity foreign other/cluster.kv
as_own=(-cert own.crt -certform DER -key own.key -keyform DER)
as_foreign=(-cert foreign.crt -certform DER -key foreign.key -keyform DER)

# refused ALERT OPTION…: openssl, which stays until the node ends the connection, gets this alert.
refused() {
  local alert=$1
  shift
  printf hello | timeout 20 openssl s_client -connect "$address" -ign_eof "$@" >heard 2>&1 || true
  grep -qi "$alert" heard || fail "line ${BASH_LINENO[0]}: no '$alert' for s_client $*: $(tail -n 5 heard)"
}

refused 'alert certificate required' -alpn kv/1
refused 'alert unknown ca' -alpn kv/1 "${as_foreign[@]}"
refused 'alert protocol version' -alpn kv/1 -tls1_2 "${as_own[@]}"
refused 'alert no application protocol' "${as_own[@]}"
# The right certificate gets in: what was refused above was refused for its reason. The eight bytes are an empty frame.
{ printf %b '\0000\0000\0000\0000\0001\0001\0000\0000' && sleep 0.5; } |
  timeout 20 openssl s_client -connect "$address" -alpn kv/1 "${as_own[@]}" >heard 2>&1 || true
grep -q 'ALPN protocol: kv/1' heard || fail "the cluster's own certificate is refused: $(tail -n 5 heard)"
! grep -q 'alert' heard || fail "the cluster's own certificate is refused: $(grep alert heard)"

# With another cluster's file nobody is let in, and its user is told why: on a machine that hasn't learned before where
# that cluster's members are.
sed "s/^address .*/address $address/" other/cluster.kv >mixed.kv
chmod 600 mixed.kv
XDG_STATE_HOME=$work/nothing status 76 kv --cluster mixed.kv get key
[ ! -s stdout ] || fail "a stranger was given something: $(cat stdout)"

# None of it has disturbed anybody.
same value "$(kv get key --at "$version")"
kill -0 "$node"

# Those that say nothing, however many, take no descriptor that a node's files need: clients wait until they are gone.
port=$(free_port)
(ulimit -n 160 && exec "$KV" serve -d narrow --listen "127.0.0.1:$port" >>narrow.log 2>&1) &
narrow=$!
pids+=("$narrow")
export KV_CLUSTER=$work/narrow/cluster.kv
for _ in $(seq 300); do
  [ ! -e "$KV_CLUSTER" ] || break
  sleep 0.1
done
kv status --wait healthy --timeout 60s >/dev/null
(
  for _ in $(seq 300); do
    if exec {silent}<>"/dev/tcp/127.0.0.1/$port"; then : "$silent"; fi
  done
  sleep 60
) 2>/dev/null &
pids+=("$!")
filler=$(head -c 60000 /dev/zero | tr '\0' x)
seq 400 | sed "s/.*/big&\t$filler/" | kv put --from tsv --timeout 60s --quiet >/dev/null
same 60000 "$(kv get big400 --timeout 60s | wc -c)"
kill -0 "$narrow"
grep -q 'as many as may be' narrow.log || fail "no connection was refused: $(cat narrow.log)"
