#!/usr/bin/env bash
# The completions that kv prints are read by their shells, and complete commands and options.
# shellcheck source=Tests/CommandTests/scripts/lib.sh
. "$(dirname "$0")/lib.sh"

for shell in bash zsh fish; do
  kv completion "$shell" >"kv.$shell"
  if command -v "$shell" >/dev/null; then "$shell" -n "kv.$shell"; else echo "$shell is not installed: not read"; fi
done
status 64 kv completion tcsh
status 64 kv completion

# complete_after WORD…: what bash offers behind these words. Who reads it reads all: a pipe that closes early is an error.
complete_after() {
  bash -c '
    source kv.bash
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_KEY=9
    _kv kv "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
    printf "%s\n" "${COMPREPLY[@]}"' bash "$@"
}
complete_after kv sta | grep -x 'status *' >/dev/null
complete_after kv status --w | grep -e '--wait' >/dev/null
complete_after kv put --from '' | grep tsv >/dev/null
same '' "$(complete_after kv put --from '' | grep keys || true)"

# Files and directories are offered where one is wanted.
mkdir files.d
touch file.tsv
for line in 'put --from tsv' 'get --from keys' 'get --to' 'delete --from json' 'get --file' 'range --file' \
  'history --file' 'watch --checkpoint' 'verify --file' 'verify --proof' 'verify --resume' 'serve --from' \
  'serve --config' 'snapshot verify' 'snapshot verify --proof' 'snapshot import' 'snapshot export' 'debug dump' \
  'cert issue --to' 'status --cluster'; do
  read -ra words <<<"$line"
  complete_after kv "${words[@]}" fil >offered
  grep -x 'file.tsv' offered >/dev/null || fail "kv $line: $(cat offered)"
done
for line in 'serve -d' 'demo -d' 'leave -d' 'recover plan -d' 'recover plan --from' 'debug log' 'debug find' \
  'cert issue --directory'; do
  read -ra words <<<"$line"
  same files.d "$(complete_after kv "${words[@]}" fil)"
done

# The unit is one that systemd reads.
kv serve --print-unit --zone 'rack 1' -d data >kv.unit
grep -q '^ExecStart=.* --zone "rack 1"$' kv.unit
grep -q "^ReadWritePaths=$work/data\$" kv.unit
