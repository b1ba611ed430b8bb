#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Completion in zsh, as typed at a terminal.
set -uo pipefail
build=$1 source=$2
command -v zsh >/dev/null || { echo "can't run here: there is no zsh"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$source/packaging/completion/shunt.zsh" "$work/_shunt"
zsh -n "$work/_shunt" || exit 1

cat >"$work/type.zsh" <<'END'
# type.zsh FUNCTIONS BIN TYPED WANTED: a shell in which TYPED and a tab make WANTED. The line is then
# made one that prints itself, for the editor draws no more of it than has changed.
zmodload zsh/zpty
zpty shell "PATH=$2:$PATH zsh -f -i"
zpty -w shell "PROMPT= ; unsetopt zle_bracketed_paste; fpath=($1 \$fpath)"
zpty -w shell "autoload -Uz compinit; compinit -u -D; bindkey '^I' complete-word; echo rea''dy"
zpty -r -m shell text '*ready*'
zpty -n -w shell "$3"$'\t\x01print -r -- \n'
zpty -r -m shell text "*$4*"
END

status=0
completes() { # TYPED WANTED
  if ! timeout 20 zsh -f "$work/type.zsh" "$work" "$build/bin" "$1" "$2"; then
    echo "\"$1\" does not complete to \"$2\""
    status=1
  fi
}
completes "shunt doc" "shunt doctor"
completes "shunt help unb" "shunt help unbind"
completes "shunt ping --flo" "shunt ping --flood"
completes "shunt doctor --log-level warn" "--log-level warning"
completes "shunt fabric st" "fabric stats"
completes "shunt fabric ping --lis" "ping --listen"
completes "shunt echo ixg" "echo ixgbe:twin"
completes "shunt echo xdp:l" "echo xdp:lo"
exit $status
