#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What every command sends over AF_XDP: with metadata in front of frames (checksum=, tx_time=) it
# arrives with right sums; frames that the driver drops are not told as sent; and what is recorded
# carries the time of day.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"

# --- Metadata in front of frames: each key with each command ---

# far_errors: what their kernel found wrong with sums: of IP headers, ICMP, UDP.
far_errors() {
  ip netns exec "$far_space" cat /proc/net/snmp | awk '
    { if ($2 ~ /[A-Za-z]/) for (i = 2; i <= NF; i++) name[$1, i] = $i
      else for (i = 2; i <= NF; i++)
        if (name[$1, i] == "InCsumErrors" || name[$1, i] == "InHdrErrors") errors += $i }
    END { print errors + 0 }'
}

# far_socket COUNT: their kernel's UDP port 9000, until so many datagrams came; prints how many
# had each frame's number in its place.
far_socket() {
  rm -f "$scratch/socket"
  ip netns exec "$far_space" perl -e '
    use Socket;
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die $!;
    setsockopt($s, SOL_SOCKET, SO_RCVBUF, 4 << 20);
    bind($s, sockaddr_in(9000, INADDR_ANY)) or die $!;
    $| = 1;
    print "ready\n";
    alarm 50;
    my ($right, $data) = (0);
    for my $i (0 .. $ARGV[0] - 1) {
      recv($s, $data, 2000, 0);
      $right += unpack("Q>", $data) == $i;
    }
    print "right $right\n";' "$1" >"$scratch/socket" 2>&1 &
  socket=$!
  children+=("$socket")
  for _ in $(seq 100); do
    grep -q ready "$scratch/socket" && return
    sleep 0.05
  done
  fail "no socket there"
}

for key in checksum=kernel checksum=device tx_time=1; do
  make_veth
  "$shunt" info "xdp:v0?$key" >"$scratch/out" 2>"$scratch/err" || {
    says "Linux 6.11" # which has no such metadata
    continue
  }
  ip netns exec "$near_space" ip link add w0 type veth peer name w1
  for link in w0 w1; do ip -n "$near_space" link set $link up; done

  far_socket 200
  run 0 send --json --udp $near_ip:9000,$far_ip:9000 --rate 2000 --count 200 "xdp:v0?$key"
  holds sent_frames 200
  wait "$socket"
  grep -q "right 200" "$scratch/socket" || fail "$key: send: $(tail -n 1 "$scratch/socket") of 200"

  run 0 ping --json --ip $near_ip/24 --count 50 "xdp:v0?$key" $far_ip
  holds answered 50
  holds corrupted 0

  start recv recv --ip $near_ip/24 "xdp:v0?$key"
  far ping -n -c 1 -W 1 $near_ip # asks for an address, and then something that nobody answers
  far ip neigh show $near_ip
  grep -q lladdr "$scratch/out" || fail "$key: recv --ip has answered no ARP request"
  stop recv

  start echo echo --ip $near_ip "xdp:v0?$key"
  kernel_ping 5 -i 0.01
  stop echo

  ip -n "$near_space" addr add 10.82.60.3/24 dev w1
  start forward forward "xdp:v0?$key" "xdp:w0?$key"
  near_ip=10.82.60.3 kernel_ping 5 -i 0.01
  stop forward

  ip netns exec "$near_space" ip link del w0
  [ "$(far_errors)" = 0 ] || fail "$key: their kernel found $(far_errors) wrong sums"
done

# --- What is recorded carries the time of day ---

make_veth
before=$(date +%s)
start recv recv --count 1 --pcap "$scratch/day.pcapng" xdp:v0
far ping -n -c 1 -W 1 $near_ip
finish recv 0
after=$(date +%s)
# An enhanced packet block: time stamp in nanoseconds, its upper half first (pcapng 4.3).
stamp=$(perl -e '
  open(my $f, "<:raw", $ARGV[0]) or die $!;
  local $/; my $all = <$f>;
  for (my $at = 0; $at + 20 <= length $all;) {
    my ($type, $bytes, undef, $high, $low) = unpack("V5", substr($all, $at, 20));
    if ($type == 6) { print int((($high << 32) + $low) / 1e9); last }
    $at += $bytes;
  }' "$scratch/day.pcapng")
[ "${stamp:-0}" -ge "$before" ] && [ "$stamp" -le "$after" ] ||
  fail "a frame of $before..$after was stamped ${stamp:-not at all}"

done_testing
