#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Completion in bash, driven as readline drives it.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shunt=$build/bin/shunt
# shellcheck source=/dev/null
source "$source/packaging/completion/shunt.bash"

status=0
complete_line() { # words; the last is the one at the cursor
  COMP_WORDS=("$shunt" "$@")
  COMP_CWORD=$#
  COMP_LINE="shunt $*"
  COMP_POINT=${#COMP_LINE}
  COMPREPLY=()
  _shunt
}
expect() { # wanted reply, words
  local wanted=$1
  shift
  complete_line "$@"
  if [ "${COMPREPLY[*]}" != "$wanted" ]; then
    echo "\"shunt $*\" completes to \"${COMPREPLY[*]}\", not \"$wanted\""
    status=1
  fi
}

expect "doctor" doc
expect "bind" bi
expect "bw" fabric b
expect "--listen" fabric ping --lis
expect "info" in
expect "--driver" bind --dr
expect "--force" bind --fo
expect "--json" doctor --js
expect "warning" doctor --log-level warn
expect "unbind" help unb
expect "ixgbe:twin" info ixg

# Every command and every option that the command itself names can be completed.
for command in $("$shunt" --complete); do
  expect "$command" "$command"
  for option in $("$shunt" --complete "$command"); do
    complete_line "$command" "$option"
    case " ${COMPREPLY[*]} " in
    *" $option "*) ;;
    *)
      echo "shunt $command: $option is not offered"
      status=1
      ;;
    esac
  done
done

# Addresses of network functions, and of those alone.
mkdir -p "$work"/sys/bus/pci/devices/0000:0{3,4}:00.0
echo 0x020000 >"$work/sys/bus/pci/devices/0000:03:00.0/class"
echo 0x010802 >"$work/sys/bus/pci/devices/0000:04:00.0/class"
export SHUNT_COMPLETE_ROOT=$work
expect "0000:03:00.0" bind 0000
# readline breaks words at colons: what stands before the last one is typed already.
COMP_WORDS=("$shunt" bind 0000 : 03) COMP_CWORD=4 COMP_LINE="shunt bind 0000:03"
COMP_POINT=${#COMP_LINE}
_shunt
if [ "${COMPREPLY[*]}" != 03:00.0 ]; then
  echo "behind a colon: \"${COMPREPLY[*]}\", not \"03:00.0\""
  status=1
fi
exit $status
