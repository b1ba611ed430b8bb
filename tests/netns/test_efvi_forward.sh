#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Three ef_vi programs, a process each: a feed's sender, a forwarder between two ports whose memory
# is registered in the protection domain of each, and the receiver. Once on the kernel's interfaces
# through AF_XDP, once on the twins of one `shunt twin`.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
bin=$1/bin
group=239.82.2.1

# until_says FILE WORD: at most 20 s.
until_says() {
  for _ in $(seq 200); do
    grep -qs "$2" "$1" && return
    sleep 0.1
  done
  fail "$(basename "$1") did not say \"$2\": $(cat "$1")"
}

# inside PROGRAM ARGUMENTS...: in the namespace, in place of a subshell, so that $! is the program.
inside() {
  exec ip netns exec "$near_space" "$bin/$1" "${@:2}"
}

# chain WHAT FEED IN OUT HOME: a datagram's way, by interfaces.
chain() {
  local what=$1 feed=$2 in=$3 out=$4 home=$5 forwarder receiver sender received forwarded
  inside example_efvi_forward "$in" "$out" >"$scratch/forward" 2>&1 &
  forwarder=$!
  children+=("$forwarder")
  until_says "$scratch/forward" forwarding
  # The sender goes on until the receiver has what it wants, which does not wait for ever.
  inside example_efvi_timestamps "$feed" $group 12345 1000000 500 >"$scratch/timestamps" 2>&1 &
  sender=$!
  inside example_efvi_multicast "$home" $group 12345 200 >"$scratch/multicast" 2>&1 &
  receiver=$!
  children+=("$sender" "$receiver")
  until_says "$scratch/multicast" listening
  reap "$receiver" || fail "$what: the receiver: $(cat "$scratch/multicast" "$scratch/timestamps")"
  kill -TERM "$sender"
  reap "$sender"
  kill -TERM "$forwarder"
  reap "$forwarder" || fail "$what: the forwarder: $(cat "$scratch/forward")"
  grep -q ' 0 late, 0 damaged' "$scratch/multicast" || fail "$what: $(cat "$scratch/multicast")"
  received=$(grep -o '^[0-9]* datagrams' "$scratch/multicast" | cut -d' ' -f1)
  forwarded=$(sed -n "s/^$in to $out: \([0-9]*\) forwarded.*/\1/p" "$scratch/forward")
  [ "${received:-0}" -ge 200 ] || fail "$what: ${received:-0} datagrams received, not 200"
  [ "${forwarded:-0}" -ge "${received:-1}" ] ||
    fail "$what: ${forwarded:-0} forwarded, ${received:-0} received"
  echo "$what: ${forwarded:-0} forwarded, ${received:-0} received"
}

# ---- The kernel's interfaces ----
ip netns exec "$near_space" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
for pair in 0 1; do
  ip -n "$near_space" link add "a$pair" type veth peer name "b$pair" || skip "no veth interfaces"
  ip -n "$near_space" link set "a$pair" up
  ip -n "$near_space" link set "b$pair" up
done
chain "AF_XDP on veth" a0 b0 a1 b1
for interface in a0 b0 a1 b1; do
  ip -n "$near_space" -details link show "$interface" | grep -q 'prog/xdp' &&
    fail "a program was left on $interface"
done

# ---- Twins: one process has all four cards, and each program is a client of one or two ----
# serve SOCKET=KIND?KEYS...
serve() {
  "$real_shunt" twin "$@" >"$scratch/twin" 2>&1 &
  twin=$!
  children+=("$twin")
  until_says "$scratch/twin" ready
}

# served_is_over: the twins, and all of their sockets.
served_is_over() {
  kill -TERM "$twin"
  reap "$twin" || fail "shunt twin ended with $?"
  for socket in "$scratch"/*.sock; do
    [ ! -e "$socket" ] || fail "a socket is left behind"
  done
}

sockets=()
for socket in feed in out home; do
  wire=first
  case $socket in out | home) wire=second ;; esac
  sockets+=("$scratch/$socket.sock=ixgbe?wire=$wire&id=10f9") # which asks for fewer messages
done
serve "${sockets[@]}"
SHUNT_EFVI_DEVICE=
for socket in feed in out home; do
  SHUNT_EFVI_DEVICE+="$socket=ixgbe:vfio-user:$scratch/$socket.sock,"
done
export SHUNT_EFVI_DEVICE=${SHUNT_EFVI_DEVICE%,}
chain "one shunt twin" feed in out home
served_is_over

# ---- Two wires with a socket each: programs that have one name in common share it, as they would a
# NIC, and get a card of it each ----
serve "$scratch/first.sock=ixgbe?wire=first&id=10f9&cards=2" \
  "$scratch/second.sock=ixgbe?wire=second&id=10f9&cards=2"
export SHUNT_EFVI_DEVICE="one=ixgbe:vfio-user:$scratch/first.sock"
SHUNT_EFVI_DEVICE+=",other=ixgbe:vfio-user:$scratch/second.sock"
chain "two sockets with two cards" one one other other
# Again, with the cards that the programs have left.
chain "the same cards" one one other other
served_is_over

done_testing
