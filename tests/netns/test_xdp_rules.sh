#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# With rules only their flow is bypassed: beside it, the kernel's own TCP, UDP, ARP and ICMP on the
# same address and interface pass untouched, and what is bypassed the kernel never sees.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
command -v ethtool >/dev/null || skip "there is no ethtool"

# udp_client PORT COUNT: datagrams whose echoes must come back as they were sent.
udp_client() {
  cat <<'PERL'
    use IO::Socket::INET;
    my ($to, $port, $count) = @ARGV;
    my $s = IO::Socket::INET->new(Proto => "udp", PeerAddr => $to, PeerPort => $port) or die $!;
    my $good = 0;
    for my $i (1 .. $count) {
      my $sent = "datagram $i " . ("x" x ($i % 1400));
      my ($got, $ready);
      $s->send($sent);
      vec($ready = "", fileno($s), 1) = 1;
      if (select($ready, undef, undef, 2)) { $s->recv($got, 2000); $good++ if $got eq $sent; }
    }
    print "echoed $good of $count\n";
PERL
}

# udp_server PORT COUNT: in our kernel, answers so many, in capitals, which shunt would not.
udp_server() {
  cat <<'PERL'
    use IO::Socket::INET;
    my ($port, $count) = @ARGV;
    my $s = IO::Socket::INET->new(Proto => "udp", LocalPort => $port) or die $!;
    $SIG{ALRM} = sub { exit 1 }; alarm 60;
    open(my $ready, ">", $ARGV[2]); close($ready);
    for (1 .. $count) { $s->recv(my $got, 2000); $s->send($got); }
PERL
}

# tcp_server PORT FILE READY: one connection's bytes.
tcp_server() {
  cat <<'PERL'
    use IO::Socket::INET;
    my ($port, $file, $ready) = @ARGV;
    my $l = IO::Socket::INET->new(LocalPort => $port, Listen => 1, ReuseAddr => 1) or die $!;
    $SIG{ALRM} = sub { exit 1 }; alarm 60;
    open(my $r, ">", $ready); close($r);
    my $s = $l->accept();
    open(my $out, ">", $file);
    print $out $_ while sysread($s, $_, 65536);
PERL
}

tcp_client() {
  cat <<'PERL'
    use IO::Socket::INET;
    my ($to, $port, $file) = @ARGV;
    my $s = IO::Socket::INET->new(PeerAddr => $to, PeerPort => $port, Timeout => 10) or die $!;
    open(my $in, "<", $file);
    while (sysread($in, $_, 65536)) { print $s $_; }
PERL
}

await() { # FILE
  for _ in $(seq 100); do
    [ -e "$1" ] && return
    sleep 0.05
  done
  fail "$1 did not appear"
}

head -c 20000000 /dev/urandom >"$scratch/sent"

for mode in skb drv; do
  make_veth
  ip -n "$near_space" addr add $near_ip/24 dev v0
  # Their kernel leaves UDP's checksums to hardware that is not there: said, with what turns it off
  # there, or every answer would be wrong without a word.
  near "$real_shunt" info "xdp:v0?mode=$mode"
  says "ethtool -K v0 tx off"
  ip netns exec "$far_space" ethtool -K v0 tx off >/dev/null || fail "ethtool -K"
  start echo echo --ip $near_ip --udp-port 4789 \
    "xdp:v0?mode=$mode&rules=udp dst $near_ip port 4789;drop udp port 9999"
  echo_child=$child

  # The kernel's own: ICMP, TCP and UDP, while the bypassed flow is used, too.
  kernel_ping 100 -i 0.002 -q
  rm -f "$scratch/ready" "$scratch/got"
  ip netns exec "$near_space" perl -e "$(tcp_server)" 5001 "$scratch/got" "$scratch/ready" &
  server=$!
  await "$scratch/ready"
  ip netns exec "$far_space" perl -e "$(tcp_client)" $near_ip 5001 "$scratch/sent" &
  client=$!
  far perl -e "$(udp_client)" $near_ip 4789 500
  says "echoed 500 of 500"
  reap $client
  reap $server
  cmp "$scratch/sent" "$scratch/got" || fail "TCP beside the bypass is not what was sent"

  rm -f "$scratch/ready"
  ip netns exec "$near_space" perl -e "$(udp_server)" 4790 200 "$scratch/ready" &
  server=$!
  await "$scratch/ready"
  far perl -e "$(udp_client)" $near_ip 4790 200
  says "echoed 200 of 200"
  reap $server

  # Dropped by rule: not even the kernel's "port unreachable" comes back.
  far perl -e "$(udp_client)" $near_ip 9999 1
  says "echoed 0 of 1"
  child=$echo_child
  stop echo
  count "received" 500
  count "answered" 500
  count "rule 0" 500
  count "rule 1" 1
  program_gone

  # Without the program the port is the kernel's again, which has nobody on it.
  far perl -e "$(udp_client)" $near_ip 4789 1
  says "echoed 0 of 1"
done

# A station of its own on the kernel's interface, by its MAC address alone: it takes nothing that is
# for the kernel's.
station_ip=10.82.60.9
station_mac=02:00:00:00:00:77
for mode in skb drv; do
  make_veth
  ip -n "$near_space" addr add $near_ip/24 dev v0
  ip -n "$far_space" neigh replace $station_ip lladdr $station_mac dev v0
  start echo echo --ip $station_ip "xdp:v0?mode=$mode&rules=mac $station_mac"
  echo_child=$child
  kernel_ping 20 -i 0.002 -q
  far ping -n -c 20 -i 0.002 -W 10 -q $station_ip
  says "20 packets transmitted, 20 received"
  child=$echo_child
  stop echo
  count "received" 20
  count "answered" 20
  program_gone
done

run 1 info "xdp:v0?rules=udp port seventy"
says "seventy"
run 1 info "xdp:v0?rules=arp;mac 02:00:00:00:00:7g"
says "character 9, \"02:00:00:00:00:7g\""
says "six pairs of hexadecimal digits"
says "write mac 02:00:00:00:00:01, mac unicast or mac multicast"
run 1 info "xdp:v0?rules=arp&join=1"
says "exclude each other"

done_testing
