#!/usr/bin/env bash
# Proves that the net catches: builds the program with seeded bugs, one patch each in this folder, switches them on one
# at a time, and notes which test finds each, or, where none does, which seed of `simulate`. The bugs live in a copy of
# the tree alone.
#
#   check.sh [-w DIR] [-s SEEDS] [-B | -n] [-a | -m] [NAME…]
#
# -w: where to build. It is kept, and with it the table: a second run builds what has changed alone.
# -s: how many seeds at most, of each profile that a patch names (200).
# -B: builds, and checks nothing; -n: builds nothing, and checks what was built before.
# -a: runs the seeds also where a test has found the bug; -m: leaves out what the table has as found.
# NAME…: these alone; else all.
#
# A patch begins with what the bug is, the tests that should find it (`Tests: FILTER…`, the quickest first), and perhaps
# the profiles of `simulate` that come nearest (`Profiles: NAME…`). Ends with the table of all that were ever
# checked in DIR, and with 1 if a bug that was asked for was not found.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=""
seeds=200
builds=1
checks=1
always_seeds=0
only_missing=0
while getopts w:s:Bnam option; do
  case $option in
    w) work=$OPTARG ;;
    s) seeds=$OPTARG ;;
    B) checks=0 ;;
    n) builds=0 ;;
    a) always_seeds=1 ;;
    m) only_missing=1 ;;
    *) exit 64 ;;
  esac
done
shift $((OPTIND - 1))
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work/tree" "$work/table"

# The tree with all bugs in it, each asleep, in $1.
seed_bugs() {
  # The manual pages as well: tests read them.
  cp -r "$root/Sources" "$root/Tests" "$root/man" "$root/Package.swift" "$1/"
  [ ! -e "$root/Package.resolved" ] || cp "$root/Package.resolved" "$1/"
  cat >"$1/Sources/Bytes/Mutation.swift" <<'SWIFT'
import Glibc

/// Which seeded bug is switched on.
public enum Mutation {
  private static let active = getenv("KV_MUTANT").map { String(cString: $0) } ?? ""
  public static func on(_ name: String) -> Bool { active == name }
}
SWIFT
  local patch
  for patch in "$here"/*.patch; do
    patch -s -p1 --no-backup-if-mismatch -d "$1" <"$patch" || { echo "$patch does not apply" >&2 && return 1; }
  done
}

# Makes the tree $2 what $1 is; what is the same keeps its time, so that it is not built again.
follow() {
  local name
  (cd "$2" && find . -path './.build*' -prune -o -type f -print) | while read -r name; do
    [ -e "$1/$name" ] || rm "$2/$name"
  done
  (cd "$1" && find . -type f -print) | while read -r name; do
    cmp -s "$1/$name" "$2/$name" || { mkdir -p "$(dirname "$2/$name")" && cp "$1/$name" "$2/$name"; }
  done
}

# One optimized build serves both: the suites run many times as fast in it.
build() {
  swift build --package-path "$work/tree" -c release "$@" -Xswiftc -enable-testing
}

if [ "$builds" = 1 ]; then
  fresh=$(mktemp -d "$work/fresh.XXXXXX")
  seed_bugs "$fresh"
  follow "$fresh" "$work/tree"
  rm -rf "$fresh"
  build --build-tests
  rm -rf "$work/sound"
fi
mkdir -p "$work/sound"
[ "$checks" = 1 ] || exit 0

# Runs a command in the copy for so many seconds at most, its words in the file.
try() {
  local limit=$1 words=$2
  shift 2
  (cd "$work/tree" && timeout "$limit" "$@") >"$words" 2>&1
}

# Runs the tests that fit. What `swift test` would run: that would plan the build again for each bug.
run_tests() {
  NO_COLOR=1 try 300 "$1" .build/release/kvPackageTests.xctest --testing-library swift-testing --filter "$2"
}

# Whether tests pass with all bugs asleep; they are run once for each build.
pass_without_bugs() {
  local known="$work/sound/${1//\//_}"
  [ -e "$known" ] || { KV_MUTANT='' run_tests "$known.words" "$1" && mv "$known.words" "$known"; }
}

# The test that finds the bug that is switched on, by an issue, a crash or a hang; nothing where none does. What fails
# without the bug too proves nothing.
by_test() {
  local filter found status
  for filter in $1; do
    status=0
    run_tests "$work/output" "$filter" || status=$?
    [ "$status" -ne 0 ] || continue
    grep -q 'Test run started' "$work/output" || { cat "$work/output" >&2 && return 1; }
    pass_without_bugs "$filter" || { echo "$filter fails with all bugs asleep: $work/sound" >&2 && return 1; }
    found=$(sed -n 's/^✘ Test "\([^"]*\)".*\/\([a-z0-9-]*\)\.scenario".*/\1: \2/p
      t
      s/^✘ Test "\([^"]*\)".*/\1/p
      t
      s/^✘ Test \([A-Za-z]*([^)]*)\) .*/\1/p' "$work/output" | head -1)
    if [ -z "$found" ] && [ "$status" -eq 124 ]; then found="$filter: the process hung"; fi
    echo "${found:-$filter: the process crashed}"
    return
  done
}

# The profile and seed that finds it, and by what.
by_seed() {
  local profile found
  for profile in $1; do
    try 120 "$work/output" .build/release/simulate --seeds "1..$seeds" --profile "$profile" --first-failure --budget 60 --jobs "$(nproc)" && continue
    found=$(sed -n 's/^seed \([0-9]*\) FAILED: \(.\{0,70\}\).*/\1: \2/p' "$work/output" | head -1)
    echo "$profile ${found:-: the simulator stopped}"
    return
  done
}

missed=0
for patch in "$here"/*.patch; do
  name=$(basename "$patch" .patch)
  [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
  if [ "$only_missing" = 1 ] && [ -e "$work/table/$name" ] && ! grep -q '| - | - |$' "$work/table/$name"; then continue; fi
  profiles=$(sed -n 's/^Profiles: //p' "$patch")
  export KV_MUTANT=$name
  test=$(by_test "$(sed -n 's/^Tests: //p' "$patch")")
  seed=""
  if [ -z "$test" ] || [ "$always_seeds" = 1 ]; then seed=$(by_seed "${profiles:-default members damage}"); fi
  unset KV_MUTANT
  [ -n "$test$seed" ] || missed=$((missed + 1))
  echo "| $name | $(head -1 "$patch") | ${test:--} | ${seed:--} |" | tee "$work/table/$name"
done
echo
echo "| bug | what it does | found by the test | found by the seed |"
echo "|---|---|---|---|"
cat "$work/table"/*
echo
echo "$(cat "$work/table"/* | grep -vc '| - | - |$') found, $(cat "$work/table"/* | grep -c '| - | - |$') not found"
[ "$missed" -eq 0 ]
