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

  run 1 forward ixgbe:twin "xdp:v0?$key" # no room in front of what the twin has received
  says "24 bytes in front of each"

  ip netns exec "$near_space" ip link del w0
  [ "$(far_errors)" = 0 ] || fail "$key: their kernel found $(far_errors) wrong sums"
done

# --- Frames that the driver drops are not sent: their end of the pair is down meanwhile ---

# book SPACE NAME: what that space counts of v0.
book() {
  ip netns exec "$1" cat "/sys/class/net/v0/statistics/$2"
}

# rises SPACE NAME NUMBER: it has come so far, within a while.
rises() {
  for _ in $(seq 300); do
    [ "$(book "$1" "$2")" -ge "$3" ] && return
    sleep 0.05
  done
  fail "$2 of v0 did not reach $3"
}

# goes_away: their end goes down once frames come, and up again when some were dropped; then more come.
# Sets dropped_then, what was dropped before.
goes_away() {
  rises "$far_space" rx_packets $(($(book "$far_space" rx_packets) + 20))
  dropped_then=$(book "$near_space" tx_dropped)
  ip -n "$far_space" link set v0 down
  rises "$near_space" tx_dropped $((dropped_then + 20))
  ip -n "$far_space" link set v0 up
  rises "$far_space" rx_packets $(($(book "$far_space" rx_packets) + 20))
}

# begin NAME ARGUMENTS...: as start, for what says no "ready".
begin() {
  local name=$1
  shift
  "$shunt" "$@" >"$scratch/$name" 2>"$scratch/$name.err" &
  child=$!
  children+=("$child")
}

# stop_with EXIT NAME PID
stop_with() {
  child=$3
  kill -INT "$(pgrep -P "$child" 2>/dev/null || echo "$child")" 2>/dev/null
  finish "$2" "$1"
}

# sums_up TOTAL NUMBER...: the numbers make up the total.
sums_up() {
  local total=$1 sum=0 number
  shift
  for number; do sum=$((sum + ${number:-0})); done
  [ "${total:-none}" = $sum ] || fail "$* are not ${total:-none}"
}

for mode in skb drv; do
  make_veth
  begin send send --json --mac 02:00:00:00:00:01 --rate 500 "xdp:v0?mode=$mode"
  goes_away
  stop_with 3 send $child
  dropped=$(number tx_dropped_frames)
  sums_up "$(book "$near_space" tx_dropped)" "$dropped_then" "$dropped"
  sums_up "$(number count)" "$(number sent_frames)" "$dropped" # of lateness: what was taken
done

make_veth
mac=$(ip netns exec "$far_space" cat /sys/class/net/v0/address)
begin send send --mac "$mac" --rate 500 xdp:v0
goes_away
stop_with 3 send $child
count "dropped by the driver" "$(($(book "$near_space" tx_dropped) - dropped_then))"

begin ping ping --json --ip $near_ip/24 --mac "$mac" --rate 500 --count 100000 xdp:v0 $far_ip
goes_away
stop_with 3 ping $child
dropped=$(number tx_dropped_frames)
sums_up "$(book "$near_space" tx_dropped)" "$dropped_then" "$dropped"
sums_up $(($(number sent) + dropped)) "$(number answered)" "$(number lost)"

# What goes through: frames from w1 to their end, which is away for a while.
ip netns exec "$near_space" ip link add w0 type veth peer name w1
for link in w0 w1; do ip -n "$near_space" link set $link up; done
start forward forward --json xdp:w0 xdp:v0
forward=$child
tx_then=$(($(book "$near_space" tx_packets) + $(book "$near_space" tx_dropped)))
begin send send --json --mac "$mac" --rate 500 xdp:w1
goes_away
stop_with 0 send $child
total=$(number sent_frames)
rises "$near_space" tx_packets $((tx_then + total - $(book "$near_space" tx_dropped)))
stop_with 3 forward "$forward"
dropped=$(number dropped_frames)
holds tx_dropped_frames "$dropped"
sums_up "$(book "$near_space" tx_dropped)" "$dropped_then" "$dropped"
sums_up "$total" "$(number frames)" "$dropped"

# Answers: their end has asked, and is gone when echo comes to answer.
ip netns exec "$near_space" ip link del w0
start echo echo --json --ip $near_ip xdp:v0
kernel_ping 5 -i 0.01
dropped_then=$(book "$near_space" tx_dropped)
kill -STOP "$child"
far ping -n -c 10 -i 0.01 -W 1 $near_ip
ip -n "$far_space" link set v0 down
kill -CONT "$child"
rises "$near_space" tx_dropped $((dropped_then + 10))
stop_with 3 echo $child
sums_up "$(book "$near_space" tx_dropped)" "$dropped_then" "$(number tx_dropped_frames)"
sums_up "$(number received_frames)" "$(number answered_frames)" "$(number unanswered_frames)" \
  "$(number no_room_frames)" "$(number tx_dropped_frames)"

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
