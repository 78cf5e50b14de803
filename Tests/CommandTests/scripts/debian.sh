#!/usr/bin/env bash
# The Debian package: built by one command, installed into a root of its own, used from there, removed.
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$here/lib.sh"

if ! command -v dpkg-deb >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "skipped: packages are built and installed by root on Debian"
  exit 0
fi

package=$(KV_BINARY=$KV "$here/../../../.ci/package" "$work" 2>build.log) || fail "not built: $(cat build.log)"
version=$(kv version)
same "${version#kv }" "$(dpkg-deb -f "$package" Version)"
dpkg-deb -f "$package" Depends | grep -q libssl || fail "depends on $(dpkg-deb -f "$package" Depends)"

mkdir -p root/var/lib/dpkg/info root/var/lib/dpkg/updates root/var/lib/kv
touch root/var/lib/dpkg/status
echo data >root/var/lib/kv/file
dpkg=(dpkg --root="$work/root" --force-depends --force-script-chrootless)
"${dpkg[@]}" -i "$package" >install.log 2>&1 || fail "not installed: $(cat install.log)"

# The program, every page, the completions, the unit, the configuration.
same "$version" "$(root/usr/bin/kv version)"
for page in "$here"/../../../man/kv*.[1-8]; do
  installed=root/usr/share/man/man${page##*.}/$(basename "$page").gz
  gzip -dc "$installed" | cmp - "$page"
done
bash -n root/usr/share/bash-completion/completions/kv
[ -s root/usr/share/zsh/vendor-completions/_kv ] && [ -s root/usr/share/fish/vendor_completions.d/kv.fish ]
grep -q '^ExecStart=/usr/bin/kv serve --config /etc/kv/serve.conf --directory /var/lib/kv$' \
  root/usr/lib/systemd/system/kv.service
if command -v systemd-analyze >/dev/null; then
  sed -e "s|/usr/bin/kv|$work/root/usr/bin/kv|" -e '/^User=/d' -e '/^Group=/d' \
    root/usr/lib/systemd/system/kv.service >kv.service
  systemd-analyze verify --man=no "$work/kv.service" >verify.log 2>&1 || true
  ! grep 'kv.service' verify.log || fail "the unit is wrong"
fi

# A node with the installed configuration serves.
echo "listen 127.0.0.1:$(free_port)" >>root/etc/kv/serve.conf
root/usr/bin/kv serve --config root/etc/kv/serve.conf -d node >node.log 2>&1 &
pids+=($!)
node=$!
export KV_CLUSTER=$work/node/cluster.kv
await_healthy
root/usr/bin/kv put key value >/dev/null
stop "$node"

# Removed: the data and the configuration stay.
"${dpkg[@]}" -r kv >remove.log 2>&1 || fail "not removed: $(cat remove.log)"
[ ! -e root/usr/bin/kv ] || fail "the program is still there"
same data "$(cat root/var/lib/kv/file)"
[ -s root/etc/kv/serve.conf ] || fail "the configuration is gone"
