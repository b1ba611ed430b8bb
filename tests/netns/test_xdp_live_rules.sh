#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The example of rules that change while traffic flows: of a stream that was ours before nothing is
# missing, whatever comes and goes beside it.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
example=$1/bin/example_xdp_rules
[ -x "$example" ] || skip "there is no $example"

# answered TEXT: the example has said so, within twenty seconds.
answered() {
  for _ in $(seq 400); do
    grep -qF -- "$1" "$scratch/example" && return
    sleep 0.05
  done
  cp "$scratch/example" "$scratch/out"
  cp "$scratch/example.err" "$scratch/err"
  fail "\"$1\" was not said"
}

say() {
  echo "$*" >&"$words"
}

# shown TEXT: the example's answer to show. Asked again, since what it counts may still lie on the ring.
shown() {
  for _ in $(seq 50); do
    ! grep -qF -- "$1" "$scratch/example" || return 0
    say show
    sleep 0.2
  done
  answered "$1"
}

# send_to PORT COUNT: so many datagrams, some 2000 a second.
send_to() {
  perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => $ARGV[1]);
    for (1 .. $ARGV[2]) { $s->send("x" x 50); select(undef, undef, undef, 0.0005); }' \
    $near_ip "$1" "$2"
}
export -f send_to
export near_ip

for mode in skb drv; do
  make_veth
  ip -n "$near_space" addr add $near_ip/24 dev v0
  kernel_ping 1
  mkfifo "$scratch/words"
  ip netns exec "$near_space" "$example" "xdp:v0?mode=$mode&rx_ring=4096&rules=udp port 9" \
    <"$scratch/words" >"$scratch/example" 2>"$scratch/example.err" &
  child=$!
  children+=("$child")
  exec {words}>"$scratch/words"
  rm "$scratch/words"
  answered ready
  ip netns exec "$far_space" bash -c "send_to 9 2000" &
  sender=$!
  for i in $(seq 20); do
    say "add udp port $((100 + i))"
    answered "added $i"
    [ "$i" -eq 20 ] || say "remove $i"
  done
  reap $sender || fail "the sender ended with $?"
  far bash -c "send_to 120 5"
  say "add udp prt 5"
  say "remove 3"
  shown "received 2005"
  shown "0: udp port 9: 2000 packets, 184000 bytes"
  shown "20: udp port 120: 5 packets, 460 bytes"
  grep -q "prt" "$scratch/example.err" || fail "a wrong rule was not named"
  grep -q "has no rule 3" "$scratch/example.err" || fail "a rule that is gone was not named"
  exec {words}>&-
  finish example 0
  program_gone
done

done_testing
