#!/usr/bin/env bash
# Proves that the net catches: builds the program with seeded bugs, one patch each in this folder, switches them on one
# at a time, and notes which test finds each, or which seed of `simulate`. The bugs live in a copy of the tree alone.
#
#   check.sh [-w DIR] [-s SEEDS] [NAME…]
#
# -w: where to build (kept, so that a second run is fast); -s: how many seeds at most (200). Ends with a table, and with
# 1 if a bug was not found.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=""
seeds=200
while getopts w:s: option; do
  case $option in
    w) work=$OPTARG ;;
    s) seeds=$OPTARG ;;
    *) exit 64 ;;
  esac
done
shift $((OPTIND - 1))
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi

mkdir -p "$work/tree"
rm -rf "$work/tree/Sources" "$work/tree/Tests"
cp -r "$root/Sources" "$root/Tests" "$root/Package.swift" "$work/tree/"
[ ! -e "$root/Package.resolved" ] || cp "$root/Package.resolved" "$work/tree/"
cat >"$work/tree/Sources/Bytes/Mutation.swift" <<'SWIFT'
import Glibc

/// Which seeded bug is switched on.
public enum Mutation {
  private static let active = getenv("KV_MUTANT").map { String(cString: $0) } ?? ""
  public static func on(_ name: String) -> Bool { active == name }
}
SWIFT
for patch in "$here"/*.patch; do
  patch -s -p1 -d "$work/tree" <"$patch"
done

build() {
  (cd "$work/tree" && swift build "$@")
}
build --build-tests
build -c release --product simulate --scratch-path .build-release

# Runs a command in the copy for so many seconds at most; a crash or a hang counts as found.
try() {
  local limit=$1
  shift
  (cd "$work/tree" && timeout "$limit" "$@") >"$work/output" 2>&1
}

found=0
missed=0
table=""
for patch in "$here"/*.patch; do
  name=$(basename "$patch" .patch)
  [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
  words=$(head -1 "$patch")
  suite=$(sed -n 's/^Tests: //p' "$patch")
  export KV_MUTANT=$name
  by=""
  if ! try 300 swift test --skip-build --filter "$suite"; then
    by=$(sed -n 's/^✘ Test "\(.*\)" recorded.*/\1/p' "$work/output" | head -1)
    by="test: ${by:-$suite ends without a verdict}"
  fi
  seed=""
  for profile in default members damage; do
    if ! try 120 .build-release/release/simulate --seeds "1..$seeds" --profile "$profile" --first-failure --budget 40; then
      seed=$(sed -n 's/^seed \([0-9]* FAILED: .\{0,70\}\).*/\1/p' "$work/output" | head -1)
      seed="$profile, ${seed:-the simulator stopped}"
      break
    fi
  done
  unset KV_MUTANT
  if [ -n "$by$seed" ]; then found=$((found + 1)); else missed=$((missed + 1)); fi
  line="$name | $words | ${by:--} | ${seed:--}"
  echo "$line"
  table+="$line"$'\n'
done
echo
echo "bug | what it does | found by | found by seed"
printf '%s' "$table"
echo "$found found, $missed not found"
[ "$missed" -eq 0 ]
