#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A thousand ports from a file of rules: a datagram to each is ours and counted by its rule, and one
# to each of a thousand others is the kernel's. Also by the configuration file, and by the helper.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"

rules=$scratch/feeds.rules
{
  echo "# every other port from 20000 on"
  for i in $(seq 0 998); do
    echo "udp port $((20000 + 2 * i)) # line $i"
  done
  echo
  echo "udp port 21998; pass udp port 7"
  echo "udp port 9 # the last datagram"
} >"$rules"

# send_all: one datagram to each port from 20000 to 21999, and the last one to port 9.
send_all() {
  far perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(Proto => "udp") or die $!;
    for my $port (20000 .. 21999, 9) {
      my $to = pack_sockaddr_in($port, inet_aton($ARGV[0]));
      # The kernel may say first that nobody was on the port before.
      send($s, "x" x 60, 0, $to) or send($s, "x" x 60, 0, $to) or die "$port: $!";
      select(undef, undef, undef, 0.001) unless $port % 64;
    }' $near_ip
  ! [ -s "$scratch/err" ] || fail "not all was sent"
}

# each_counted: of the rules of 1000 ports each has matched one frame, and nothing else came.
each_counted() {
  finish recv 0
  tr -d ' \n' <"$scratch/out" >"$scratch/flat"
  head -c 1000 "$scratch/flat" >"$scratch/out"
  holds frames 1001 "$scratch/flat"
  local once none
  once=$(grep -o '"rule":"udpport2[0-9]*","packets":1,"bytes":102' "$scratch/flat" | sort -u | wc -l)
  none=$(grep -c '"rule":"passudpport7","packets":0,"bytes":0' "$scratch/flat")
  [ "$once" -eq 1000 ] || fail "$once rules of 1000 have matched one frame each"
  [ "$none" -eq 1 ] || fail "the rule that matched nothing is not told"
}

fresh_veth() {
  make_veth
  ip -n "$near_space" addr add $near_ip/24 dev v0
  kernel_ping 1 # both know each other's MAC address from now on
}

for mode in skb drv; do
  fresh_veth
  start recv recv --json --expect 1001 --seconds 30 "xdp:v0?mode=$mode&rx_ring=4096&rules_file=$rules"
  send_all
  each_counted
  program_gone
done

# By the configuration file; for a person, what has matched, and how many rules there are besides.
printf '[net.xdp]\nrules_file = "%s"\n' "$rules" >"$scratch/config"
fresh_veth
start recv recv --config "$scratch/config" --expect 3 --seconds 30 xdp:v0
far perl -MIO::Socket::INET -e '
  my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $ARGV[0], PeerPort => 20010);
  $s->send("x") for 1 .. 3;' $near_ip
finish recv 0
count "rule 5" 3
says "udp port 20010"
says "1001 more rules are not shown here"

# By the helper.
fresh_veth
start helper xdp-helper --socket "$scratch/helper.sock" --allow "user=0 interface=v0 rules=udp"
helper_pid=$child
start recv recv --json --expect 1001 --seconds 30 \
  "xdp:v0?helper=$scratch/helper.sock&rx_ring=4096&rules_file=$rules"
send_all
each_counted
kill -TERM "$(pgrep -P "$helper_pid" 2>/dev/null || echo "$helper_pid")"
program_gone

# What is wrong is named, and nothing is attached.
run 0 info "xdp:v0?rules=pass arp&rules_file=$rules"
says "rules, and what each has matched: 1003"
says "pass arp"
says "987 more rules are not shown here"
echo "tcp prt 9" >>"$rules"
run 1 info "xdp:v0?rules_file=$rules"
says "$rules:1004"
says "prt"
run 1 info "xdp:v0?rules_file=$scratch/none"
says "can't read the rules in $scratch/none"
run 1 info "xdp:v0?rules_file=$rules&join=1"
says "exclude each other"
for i in $(seq 4097); do echo "udp port $i"; done >"$rules"
run 1 info "xdp:v0?rules_file=$rules"
says "$rules:4097"
sed -i '$d' "$rules"
run 0 info --json "xdp:v0?rules_file=$rules"
[ "$(grep -c '"rule":"udp port' "$scratch/out")" -eq 4096 ] || fail "4096 rules are not told"
program_gone

done_testing
