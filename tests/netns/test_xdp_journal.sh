#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What was changed at an interface is written down in /run/shunt. Where the process is killed and the
# network namespace goes with the interface, the next start in another one removes the journal; where
# the namespace is still there, it stays, and the next start in it puts the interface back.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
command -v ethtool >/dev/null || skip "there is no ethtool"

other_space=shunt-xdp-c-$$
remove_other() {
  ip netns del "$other_space" 2>/dev/null
  remove_spaces
}
trap remove_other EXIT

channels() {
  ip netns exec "$near_space" ethtool -l v0 | sed -n '/Current/,$s/^RX:[[:space:]]*//p'
}

change_and_die() {
  make_veth 1500 2
  start echo echo --ip $near_ip "xdp:v0?channels=1"
  [ "$(channels)" = 1 ] || fail "its channels are $(channels)"
  file=$(journal "$near_space") || fail "nothing was written down"
  kill -KILL "$child"
  wait "$child" 2>/dev/null
  [ -e "$file" ] || fail "the journal did not outlive its process"
}

# start_elsewhere: a start in a third namespace that changes an interface, too.
start_elsewhere() {
  ip netns add "$other_space"
  ip -n "$other_space" link add w0 numrxqueues 2 numtxqueues 2 type veth peer name w1 \
    numrxqueues 2 numtxqueues 2
  ip netns exec "$other_space" "$real_shunt" info "xdp:w0?channels=1" \
    >"$scratch/out" 2>"$scratch/err" || fail "shunt info xdp:w0 failed"
  ip netns del "$other_space"
}

change_and_die
start_elsewhere
[ -e "$file" ] || fail "the journal of a namespace that is there was removed"
run 0 doctor --repair
[ "$(channels)" = 2 ] || fail "its channels are $(channels), and were 2"
[ -e "$file" ] && fail "the journal stayed though all was put back"

# sees_all: each process can be asked where it is, so that it is known which namespaces are there.
sees_all() {
  local process
  [ "$(readlink /proc/self/ns/pid)" = "pid:[4026531836]" ] || return 1
  for process in /proc/[0-9]*; do
    [ ! -d "$process" ] || readlink "$process/ns/net" >/dev/null || [ ! -d "$process" ] || return 1
  done
}

# can_ask: the kernel knows namespaces by number, and this process may see all of them.
can_ask() {
  [ "$(printf '6.18\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.18 ] &&
    [ "$(readlink /proc/self/ns/user)" = "user:[4026531837]" ]
}

change_and_die
ip netns del "$near_space"
start_elsewhere
if can_ask || sees_all; then
  for _ in $(seq 20); do # what a killed process held is let go a little later
    [ -e "$file" ] || break
    sleep 0.1
    start_elsewhere
  done
  [ -e "$file" ] && fail "the journal of a namespace that is gone stayed"
else
  echo "not every process can be looked at here, so the journal of a namespace that is gone stays"
  [ -e "$file" ] || fail "a journal was removed though its namespace may be there"
  rm -f "$file"
fi

done_testing
