#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What holds for every command: help, versions, mistakes, the configuration file, man pages.
set -euo pipefail
shunt=$1/bin/shunt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/tree.sh
source "$2/tests/cli/tree.sh"

run 0 --version
[[ $out =~ ^shunt\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || complain "the version is \"$out\""
run 2
has "$err" "usage: shunt COMMAND"
run 2 no-such-command
has "$err" 'there is no command "no-such-command"'
case $err in *"did you mean"*) complain "no-such-command is near to nothing" ;; esac
run 2 pin
has "$err" "did you mean ping?"
run 2 ''
run 2 help pnig
has "$err" "did you mean ping?"
run 0 --help
overview=$out
run 0 --complete
commands=$out
for command in info doctor bind unbind echo ping forward send recv bench report twin fabric; do
  case " ${commands//$'\n'/ } " in *" $command "*) ;; *) complain "no command $command" ;; esac
done

printf '[shunt]\nno-such-key = 1\n' >"$work/wrong.ini"
printf 'no section and no key' >"$work/broken.ini"
for command in $commands; do
  has "$overview" "$command"
  printf '[%s]\nno-such-key = 1\n' "$command" >"$work/own.ini"

  # Help names each option, and so does the man page.
  run 0 "$command" --help
  help=$out
  has "$help" "usage: shunt $command "
  run 0 help "$command"
  [ "$out" = "$help" ] || complain "help $command is not $command --help"
  page=$2/docs/man/shunt-$command.1.scd
  if [ ! -f "$page" ]; then
    complain "there is no $page"
    page=/dev/null
  fi
  run 0 --complete "$command"
  for option in $out; do
    has "$help" "$option"
    case $option in
    --help | --json | --quiet | --log-level | --config) ;; # in shunt(1)
    *) grep -qF -e "$option" "$page" || complain "shunt-$command(1) does not tell of $option" ;;
    esac
  done

  # Mistakes end with 2, before anything is done.
  run 2 "$command" --jsom
  has "$err" "did you mean --json?"
  run 2 "$command" --no-such-option-at-all
  has "$err" "there is no option --no-such-option-at-all"
  run 2 "$command" --log-level
  has "$err" "needs an argument"
  run 2 "$command" --log-level loud
  has "$err" '"loud" is none of error, warning, info, debug'
  run 2 "$command" --config "$work/none.ini"
  has "$err" "can't read the configuration $work/none.ini"
  run 2 "$command" --config "$work/wrong.ini"
  has "$err" "no-such-key in [shunt]: there is no such option"
  run 2 "$command" --config "$work/own.ini"
  has "$err" "no-such-key in [$command]: there is no such option"
  run 2 "$command" --config "$work/broken.ini"
  has "$err" "line 1"
  case $help in
  "usage: shunt $command "*...*) ;;
  *)
    run 2 "$command" a b c d e f g h
    has "$err" "one argument too many"
    ;;
  esac
  case $help in
  "usage: shunt $command [options] "[A-Z]*)
    run 2 "$command"
    has "$err" "an argument is missing"
    ;;
  esac
done

# Nearly an option, nearly a section; what is neither may be another program's.
printf '[echo]\nbatchh = 3\n' >"$work/slip.ini"
run 2 echo ixgbe:twin --config "$work/slip.ini"
has "$err" "batchh in [echo]: there is no such option; did you mean batch?"
for section in ehco ech net.xpd device; do
  printf '[%s]\nbatch = 3\n' $section >"$work/slip.ini"
  run 2 doctor --config "$work/slip.ini"
  has "$err" "there is no section [$section]; did you mean ["
done
printf '[layout]\ntiles = 3\n[rpc]\nport = 8899\n' >"$work/others.ini"
run 0 bind --help --config "$work/others.ini"

# [net.xdp] is looked at by every command, whether it opens such a device or not.
printf '\n[net.xdp]\nqueue = 1\nbogus = 1\n' >"$work/xdp.ini"
for command in "info" "info xdp:nosuch" "doctor xdp:nosuch" "recv ixgbe:twin"; do
  # shellcheck disable=SC2086
  run 2 $command --config "$work/xdp.ini"
  has "$err" "$work/xdp.ini:4: in [net.xdp]: the key bogus is not known"
done
printf '[net.xdp]\nxdp_zero_copy = true\nzero_copy = never\n' >"$work/xdp.ini"
run 2 info --config "$work/xdp.ini"
has "$err" "$work/xdp.ini:3: in [net.xdp]: the key zero_copy is given twice: by xdp_zero_copy in line 2"
printf '[net.xdp]\nxdp_mode = native\n' >"$work/xdp.ini"
run 2 info --config "$work/xdp.ini"
has "$err" "$work/xdp.ini:2: in [net.xdp]: mode=native is refused"
printf '[net.xdp]\nrules = arp\njoin = 1\n' >"$work/xdp.ini"
run 2 info --config "$work/xdp.ini"
has "$err" "$work/xdp.ini: in [net.xdp]: rules and join exclude each other"
printf '[net.xdp]\nrules = %0250d\n' 1 >"$work/xdp.ini"
run 2 info --config "$work/xdp.ini"
has "$err" "line 2"
printf '[shunt]\n\nquite = yes\n' >"$work/xdp.ini"
run 2 info --config "$work/xdp.ini"
has "$err" "$work/xdp.ini:3: quite in [shunt]"

# Names of devices that are none say what one looks like.
run 1 echo ixgb:twin
has "$err" "such as ixgbe:0000:03:00.0, ixgbe:twin or xdp:eth0"
run 1 echo eth0
has "$err" "such as ixgbe:0000:03:00.0, ixgbe:twin or xdp:eth0"
run 1 echo ixgbe:twn
has "$err" "or twin, or vfio-user:/run/x.sock"
run 1 fabric ping efa:twin efatwin
has "$err" "such as efa:0000:00:06.0 or efa:twin"
run 1 send ixgbe:twin --pcap "$work/none" # without a wait for the link
has "$err" "$work/none"

# The file is read, and the command line wins.
printf '[doctor]\nroot = %s\n' "$work/from-file" >"$work/good.ini"
mkdir "$work/from-file" "$work/from-line"
put "$work/from-file" proc/sys/kernel/osrelease 5.11.1
put "$work/from-line" proc/sys/kernel/osrelease 5.12.2
run 0 doctor --config "$work/good.ini"
has "$out" "Linux 5.11.1"
run 0 doctor --root "$work/from-line" --config "$work/good.ini"
has "$out" "Linux 5.12.2"
finish
