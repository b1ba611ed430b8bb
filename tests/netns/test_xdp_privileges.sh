#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A port of AF_XDP works without any capability once it is open, as another user, too; and what was
# changed at the interface is put back nonetheless, also after kill -9.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"

stop() { # not its child, which puts things back when it has ended
  kill -INT "$child"
  finish "$1" 0
}

is_restored() {
  for _ in $(seq 60); do
    ip -n "$near_space" link show v0 | grep -q 'mtu 1500' && return 0
    sleep 0.05
  done
  fail "the MTU was not put back"
}

make_veth
for how in --drop-privileges "--user 65534:65533"; do
  # shellcheck disable=SC2086
  start echo echo --ip $near_ip $how "xdp:v0?mtu=2000"
  status=/proc/$child/status
  for set in CapEff CapPrm CapInh CapBnd CapAmb; do
    grep -q "^$set:.0*$" "$status" || fail "$how: $(grep $set "$status")"
  done
  grep -q '^NoNewPrivs:.1$' "$status" || fail "$how: new privileges could be had"
  kernel_ping 3 -i 0.05
  kernel_ping 1000 -f -q
  ip -n "$near_space" link show v0 | grep -q 'mtu 2000' || fail "the MTU was not changed"
  stop echo
  count "no room to send" 0
  count "missed by the NIC" 0
  program_gone
  is_restored

  # shellcheck disable=SC2086
  start echo echo --ip $near_ip $how "xdp:v0?mtu=2000"
  kill -KILL "$child"
  wait "$child" 2>/dev/null
  program_gone
  is_restored
done
run 1 echo --user nobody-of-this-name --seconds 1 xdp:v0
says "there is no user"

# Without the keeper: by hand.
start echo echo --ip $near_ip "xdp:v0?mtu=2000"
kill -KILL "$child"
wait "$child" 2>/dev/null
ip -n "$near_space" link show v0 | grep -q 'mtu 2000' || fail "someone has put the MTU back"
run 0 doctor --repair
says "settings were put back"
is_restored
run 0 doctor --repair
says "nothing to repair"

done_testing
