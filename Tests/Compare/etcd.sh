#!/usr/bin/env bash
# Runs kv and etcd in turn on this machine, three nodes each, over mutual TLS, and prints how they compare: in each round
# both get the same work, one after the other, and whoever isn't measured is stopped meanwhile (SIGSTOP), so that it
# takes no processor time. What counts is the ratio of a round: figures of different rounds differ by the machine's mood.
#
#   etcd.sh [-r ROUNDS] [-s SECONDS] [-c CLIENTS] [-n RECORDS] [-w "WORK…"]
#
# -r: rounds (3); -s: how long each load runs (5); -c: clients (64); -n: records in both beforehand (100,000);
# -w: what is measured, of
#   put         writes of random keys, 16 bytes and 256
#   get         linearizable reads of one key
#   range       reads of 1,000 records
#   command     one `get` by a whole process, 50 times, alone
#   snapshot    the whole data into one file
#   restore     from such a file to a node of its own that answers; needs snapshot before it
#   failover    writes while the node that leads most is killed: the longest time in which none was acknowledged
#   footprint   what a node takes of memory and disk, in the mean
# by default all but the last three. A load with another number of clients: put@256, get@1. kv: $KV (a release build, named `kv`); etcd, etcdctl and openssl: from the PATH.
# $ETCDLOAD: a load generator for etcd's gRPC interface, one connection for each client, which takes
#   --cacert F --cert F --key F --endpoints LIST --pids LIST --mode put|get-linearizable|range|txnput --clients N
#   --seconds N --warmup N --n N (records of a range) --seq --keyspace N --total N --failover (go on without a node)
# and prints ops_s=N and srv_cpu_us=N, and longest_gap_ms=N with --failover. Without it the loads are left out.

set -euo pipefail
rounds=3 seconds=5 clients=64 records=100000 work="put get range command snapshot"
while getopts r:s:c:n:w: option; do
  case $option in
    r) rounds=$OPTARG ;;
    s) seconds=$OPTARG ;;
    c) clients=$OPTARG ;;
    n) records=$OPTARG ;;
    w) work=$OPTARG ;;
    *) exit 64 ;;
  esac
done
: "${KV:?names the kv to measure}"
for program in etcd etcdctl openssl "$KV"; do
  command -v "$program" >/dev/null || { echo "etcd.sh: no $program" >&2 && exit 69; }
done
load=${ETCDLOAD:-}
[ -n "$load" ] || echo "etcd.sh: ETCDLOAD names no load generator: put, get and range are left out" >&2

dir=$(mktemp -d)
kv_pid="" etcd_pids=()
stop() {
  [ ${#etcd_pids[@]} -eq 0 ] || kill -CONT "${etcd_pids[@]}" 2>/dev/null || true
  [ ${#etcd_pids[@]} -eq 0 ] || kill "${etcd_pids[@]}" 2>/dev/null || true
  for pid in $(kv_pids); do kill -CONT "$pid" 2>/dev/null || true; done
  [ -z "$kv_pid" ] || kill -INT "$kv_pid" 2>/dev/null || true
  wait || true
  rm -rf "$dir"
}
trap stop EXIT

# The demo and its nodes.
kv_pids() { [ -z "$kv_pid" ] || { echo "$kv_pid" && pgrep -P "$kv_pid"; } || true; }

certificates() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=node \
    -keyout "$dir/node.key" -out "$dir/node.csr" 2>/dev/null
  openssl x509 -req -in "$dir/node.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") -out "$dir/node.crt" 2>/dev/null
}

# Three free ports and three more.
base=$((20000 + RANDOM % 9000))
endpoints="127.0.0.1:$base,127.0.0.1:$((base + 10)),127.0.0.1:$((base + 20))"
tls=(--cacert="$dir/ca.crt" --cert="$dir/node.crt" --key="$dir/node.key")

etcd_ctl() { ETCDCTL_API=3 etcdctl "${tls[@]}" --endpoints="$endpoints" "$@"; }

# etcd_node NUMBER: starts the node, again too.
etcd_node() {
  local number=$1 other peers=""
  local client=https://127.0.0.1:$((base + number * 10)) peer=https://127.0.0.1:$((base + number * 10 + 1))
  for other in 0 1 2; do peers+="n$other=https://127.0.0.1:$((base + other * 10 + 1)),"; done
  etcd --name "n$number" --data-dir "$dir/etcd$number" --listen-client-urls "$client" \
    --advertise-client-urls "$client" --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
    --initial-cluster "${peers%,}" --initial-cluster-state new --client-cert-auth --trusted-ca-file "$dir/ca.crt" \
    --cert-file "$dir/node.crt" --key-file "$dir/node.key" --peer-client-cert-auth \
    --peer-trusted-ca-file "$dir/ca.crt" --peer-cert-file "$dir/node.crt" --peer-key-file "$dir/node.key" \
    --quota-backend-bytes 8589934592 >"$dir/etcd$number.log" 2>&1 &
  etcd_pids[number]=$!
}

# Waits until all three answer.
etcd_healthy() {
  for _ in $(seq 100); do
    etcd_ctl endpoint health >/dev/null 2>&1 && return
    sleep 0.2
  done
  echo "etcd.sh: etcd does not come up" >&2
  exit 69
}

start_etcd() {
  local number
  for number in 0 1 2; do etcd_node "$number"; done
  etcd_healthy
}

start_kv() {
  "$KV" demo -d "$dir/kv" >"$dir/kv.out" 2>"$dir/kv.err" &
  kv_pid=$!
  for _ in $(seq 100); do
    if [ -e "$dir/kv/cluster.kv" ] && kv_ctl status --wait healthy --timeout 20s >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  echo "etcd.sh: kv does not come up" >&2
  exit 69
}

kv_ctl() { local command=$1 && shift && "$KV" "$command" --cluster "$dir/kv/cluster.kv" "$@"; }

# turn etcd|kv: the other rests; who was woken gets a moment to settle.
turn() {
  local pids
  mapfile -t pids < <(kv_pids)
  if [ "$1" = etcd ]; then
    kill -STOP "${pids[@]}" && kill -CONT "${etcd_pids[@]}"
  else
    kill -STOP "${etcd_pids[@]}" && kill -CONT "${pids[@]}"
  fi
  sleep 3
}

# Records of 256 bytes in both, under the keys that the loads draw from.
fill() {
  turn etcd && etcd_generator --endpoints "$(leader)" --mode txnput --seq --clients 4 --keyspace "$records" \
    --total "$records" >/dev/null
  turn kv && seq 0 $((records - 1)) | awk '{ printf "k%015d\t%0256d\n", $1, $1 }' | kv_ctl put --from tsv >/dev/null
}

# Each, for a work and a number of clients, prints operations a second, the median time of one and the nodes' processor
# time for one, both in microseconds.
etcd_load() {
  local mode=$1 clients=$2
  [ "$mode" != get ] || mode=get-linearizable
  etcd_generator --endpoints "$(leader)" --pids "$(IFS=, && echo "${etcd_pids[*]}")" --mode "$mode" \
    --clients "$clients" --seconds "$seconds" --warmup 500 --n 1000 |
    sed -n 's/.* ops_s=\([0-9.]*\) p50_us=\([0-9.]*\).* srv_cpu_us=\([0-9.]*\).*/\1 \2 \3/p'
}

etcd_generator() { "$load" --cacert "$dir/ca.crt" --cert "$dir/node.crt" --key "$dir/node.key" "$@"; }

# Where etcd takes writes without passing them on.
leader() {
  etcd_ctl endpoint status -w fields |
    awk -F'"' '/MemberID/ { member = $3 } /Leader/ { led = $3 } /Endpoint/ { if (member == led) print $4 }' | head -1
}

kv_load() {
  kv_ctl bench "$1" --clients "$2" --seconds "$seconds" --limit 1000 --json |
    sed -n 's/.*"ops_per_s":\([0-9.]*\),"p50_us":\([0-9.]*\).*"server_cpu_us_per_op":\([0-9.]*\).*/\1 \2 \3/p'
}

# Each notes the longest pause of writes, in milliseconds, while the node that leads most is killed after a quarter of
# the time and comes back later. Nothing runs out of time: clients ask as long as it takes.
etcd_failover() {
  local port number generator
  port=$(leader) && number=$(((${port##*:} - base) / 10))
  etcd_generator --endpoints "$endpoints" --mode put --clients "$clients" --seconds "$((seconds * 2))" --failover \
    --op-timeout-ms 0 >"$dir/failover" &
  generator=$!
  sleep "$((seconds / 2))"
  kill -KILL "${etcd_pids[number]}"
  { wait "${etcd_pids[number]}" || true; } 2>/dev/null
  wait "$generator"
  etcd_node "$number" && etcd_healthy
  etcd=$(sed -n 's/.*longest_gap_ms=\([0-9]*\).*/\1/p' "$dir/failover")
}
kv_failover() {
  local victim generator
  victim=$(kv_ctl status | awk '$4 ~ /^[0-9]/ && $5 == "up" && $6 >= most { most = $6; pid = $NF } END { print pid }')
  kv_ctl bench put --clients "$clients" --seconds "$((seconds * 2))" --timeout 60s --json >"$dir/failover" &
  generator=$!
  sleep "$((seconds / 2))"
  kill -KILL "$victim"
  wait "$generator"
  kv_ctl status --wait healthy --timeout 60s >/dev/null
  kv=$(sed -n 's/.*"longest_pause_ms":\([0-9.]*\).*/\1/p' "$dir/failover")
}

# resident PID…: the mean of what the processes have in RAM, in KiB. taken DIR…: that of what directories hold on disk.
resident() { cat "${@/%//status}" | awk '/^VmRSS/ { sum += $2; n++ } END { printf "%.0f\n", sum / n }'; }
taken() { du -sk "$@" | awk '{ sum += $1 } END { printf "%.0f\n", sum / NR }'; }

# The milliseconds that a command takes, the median of so many runs.
median_ms() {
  local runs=$1 began ended
  shift
  for _ in $(seq "$runs"); do
    began=$(date +%s%N)
    "$@" >/dev/null
    ended=$(date +%s%N)
    echo $(((ended - began) / 1000))
  done | sort -n | awk '{ v[NR] = $1 } END { printf "%.2f\n", v[int((NR + 1) / 2)] / 1000 }'
}

# An endpoint answers for itself alone: the first.
etcd_save() {
  rm -f "$dir/etcd.db"
  ETCDCTL_API=3 etcdctl "${tls[@]}" --endpoints="${endpoints%%,*}" snapshot save "$dir/etcd.db" 2>/dev/null
}
kv_save() { rm -f "$dir/kv.snapshot" && kv_ctl snapshot export "$dir/kv.snapshot" 2>/dev/null; }

# answers COMMAND…: waits until a command prints the value that both hold, for two minutes at most.
answers() {
  local end=$((SECONDS + 120))
  until [ "$("$@" 2>/dev/null)" = value ]; do
    [ "$SECONDS" -lt "$end" ] || { echo "etcd.sh: no answer after a restore" >&2 && exit 69; }
    sleep 0.02
  done
}

# Each prints the milliseconds from a file to the answer of a new node with its data.
etcd_restore() {
  local port=$((base + 5)) began ended pid
  rm -rf "$dir/restored"
  began=$(date +%s%N)
  ETCDCTL_API=3 etcdctl snapshot restore "$dir/etcd.db" --name r --data-dir "$dir/restored" \
    --initial-cluster "r=https://127.0.0.1:$((port + 1))" \
    --initial-advertise-peer-urls "https://127.0.0.1:$((port + 1))" >/dev/null 2>&1
  etcd --name r --data-dir "$dir/restored" --listen-client-urls "https://127.0.0.1:$port" \
    --advertise-client-urls "https://127.0.0.1:$port" --listen-peer-urls "https://127.0.0.1:$((port + 1))" \
    --client-cert-auth --trusted-ca-file "$dir/ca.crt" --cert-file "$dir/node.crt" --key-file "$dir/node.key" \
    --peer-client-cert-auth --peer-trusted-ca-file "$dir/ca.crt" --peer-cert-file "$dir/node.crt" \
    --peer-key-file "$dir/node.key" --quota-backend-bytes 8589934592 >"$dir/restored.log" 2>&1 &
  pid=$!
  ETCDCTL_API=3 answers etcdctl "${tls[@]}" --endpoints="127.0.0.1:$port" get compare --print-value-only
  ended=$(date +%s%N)
  kill "$pid" && { wait "$pid" || true; }
  echo $(((ended - began) / 1000000))
}
kv_restore() {
  local port=$((base + 5)) began ended pid
  rm -rf "$dir/restored"
  began=$(date +%s%N)
  "$KV" serve -d "$dir/restored" --listen "127.0.0.1:$port" --from "$dir/kv.snapshot" >"$dir/restored.log" 2>&1 &
  pid=$!
  answers "$KV" get compare --cluster "$dir/restored/cluster.kv"
  ended=$(date +%s%N)
  kill "$pid" && { wait "$pid" || true; }
  echo $(((ended - began) / 1000000))
}

certificates
start_etcd
start_kv
etcd_ctl put compare value >/dev/null
echo value | kv_ctl put compare - >/dev/null
[ -z "$load" ] || fill

# report WORK ETCD… KV…: a line for a round.
report_load() { awk -v w="$1" -v e="$2" -v em="$3" -v ec="$4" -v k="$5" -v km="$6" -v kc="$7" 'BEGIN {
  printf "%-9s etcd %8.0f/s p50 %6.0f us cpu %5.1f us  kv %8.0f/s p50 %6.0f us cpu %5.1f us  throughput %5.2f x  p50 %4.2f x  cpu %4.2f x\n",
    w, e, em, ec, k, km, kc, k / e, km / em, kc / ec }'; }
report_size() { awk -v w="$1" -v e="$2" -v k="$3" 'BEGIN {
  printf "%-9s etcd %9.0f KiB  kv %9.0f KiB  %5.2f x\n", w, e, k, k / e }'; }
report_time() { awk -v w="$1" -v e="$2" -v k="$3" 'BEGIN {
  printf "%-9s etcd %9.2f ms   kv %9.2f ms   time %5.2f x\n", w, e, k, k / e }'; }

for round in $(seq "$rounds"); do
  echo "round $round"
  for kind in $work; do
    count=$clients
    case $kind in *@*) count=${kind#*@} ;; esac
    case ${kind%@*} in
      put | get | range)
        [ -n "$load" ] || continue
        turn etcd && etcd=$(etcd_load "${kind%@*}" "$count")
        turn kv && kv=$(kv_load "${kind%@*}" "$count")
        # shellcheck disable=SC2086 # three numbers each
        report_load "$kind" $etcd $kv
        ;;
      failover)
        [ -n "$load" ] || continue
        turn etcd && etcd_failover
        turn kv && kv_failover
        report_time failover "$etcd" "$kv"
        ;;
      footprint)
        mapfile -t nodes < <(pgrep -P "$kv_pid")
        turn etcd && etcd=$(resident "${etcd_pids[@]/#//proc/}")
        turn kv && kv=$(resident "${nodes[@]/#//proc/}")
        report_size memory "$etcd" "$kv"
        report_size disk "$(taken "$dir"/etcd[0-2])" "$(taken "$dir"/kv/node[1-3])"
        ;;
      command)
        turn etcd && etcd=$(median_ms 50 etcd_ctl get compare)
        turn kv && kv=$(median_ms 50 kv_ctl get compare)
        report_time command "$etcd" "$kv"
        ;;
      snapshot)
        turn etcd && etcd=$(median_ms 1 etcd_save)
        turn kv && kv=$(median_ms 1 kv_save)
        report_time snapshot "$etcd" "$kv"
        ;;
      restore)
        turn etcd && etcd=$(etcd_restore)
        turn kv && kv=$(kv_restore)
        report_time restore "$etcd" "$kv"
        ;;
      *) echo "etcd.sh: $kind: no such work" >&2 && exit 64 ;;
    esac
  done
done
