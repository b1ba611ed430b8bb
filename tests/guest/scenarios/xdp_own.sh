# SPDX-License-Identifier: BSD-2-Clause
# Our AF_XDP driver where the kernel's driver lets it have the card's own DMA: on Linux's ixgbe over
# the twin, with the kernel's TCP and UDP beside it. Frames go both ways, a program stops reading,
# rings are full, a program is killed, and the interface is as it was.
# shellcheck shell=bash

host() {
  [[ -c /dev/net/tun ]] || skip "there is no /dev/net/tun"
  bring_programs shunt guest-xdp-ring
  twins "guest?tap=shunt0" far
  outside "$busybox" ip addr add 10.0.0.1/24 dev shunt0
  outside "$busybox" sysctl -q net.ipv6.conf.all.disable_ipv6=1
  head -c 8000000 /dev/urandom >"$work/data"
  boot guest "$work/guest.sock"
  no_faults guest
}

# ---- The far end: our commands on a twin, and the host's kernel ----

guest_mac=02:00:00:82:59:90 far_mac=02:00:00:82:59:91
far() { # NAME COMMAND ARGUMENT...: in the background
  start "$1" "$build/bin/shunt" "$2" "ixgbe:vfio-user:$work/far.sock" --json --queue-wait wait "${@:3}"
}
number_of() { sed -n "s/^ *\"$2\":\([0-9]*\).*/\1/p" "$work/$1.log" | head -n 1; } # NAME KEY
# However long an answer takes: what was lost is lost.
host_ping_on() { # BYTES [ARGUMENT...]
  far ping ping 10.0.0.2 --mac $guest_mac --ip 10.0.0.4/24 --size "$1" --timeout 30 --seconds 120 "${@:2}"
  echo pinging
}
host_ping_ended() {
  wait "$pid_ping"
  echo $? "$(number_of ping answered)"
}
host_ping() { # COUNT BYTES
  host_ping_on "$2" --count "$1" >/dev/null
  host_ping_ended
}
# One at a time, until one is answered: how many that took.
host_ping_until() {
  local asked
  for asked in {1..30}; do
    far ping ping 10.0.0.2 --mac $guest_mac --ip 10.0.0.4/24 --count 1 --timeout 2
    wait "$pid_ping" && break
  done
  echo "$asked"
}
# Until the end is asked for.
host_send_on() { # RATE BYTES
  far send send --mac $guest_mac --udp 10.0.0.4:9000,10.0.0.2:9000 --rate "$1" --size "$2" --seconds 120
  echo sending
}
host_send_ended() {
  stop send
  number_of send sent_frames
}
host_receive() { # COUNT
  far recv recv --expect "$1" --seconds 60
  await "the far end receives" grep -q -s ready "$work/recv.log"
  echo receiving
}
host_received() {
  wait "$pid_recv"
  number_of recv frames
}
iperf3_here() { # of the chroot
  outside "$cache/root/usr/lib64/ld-linux-x86-64.so.2" \
    --library-path "$cache/root/usr/lib/x86_64-linux-gnu" "$cache/root/usr/bin/iperf3" "$@"
}
# At once: our pings, the data by TCP, and a server of UDP.
host_serve() {
  outside "$busybox" nc -l -p 5000 <"$work/data" >/dev/null &
  running+=($!)
  iperf3_here -s -1 -p 5001 >"$work/iperf3.log" 2>&1 &
  running+=($!)
  host_ping_on 1000 --count 1000000 >/dev/null
  await "the host has the data" listens 1388
  await "the host takes UDP" listens 1389
  echo serving
}
listens() { outside grep -q ":$1 0*:0000 0A" /proc/net/tcp /proc/net/tcp6; } # PORT, in hex digits
host_served() {
  stop ping
  echo "$?" "$(number_of ping lost)" "$(number_of ping corrupted)" "$(number_of ping duplicates)"
}
host_sum() { sha256sum <"$work/data"; }

# ---- The guest ----

guest() {
  nic_up 10.0.0.3/24
  # Less under way by TCP than the card's own buffer takes, so that none is lost there.
  echo "4096 65536 131072" >/proc/sys/net/ipv4/tcp_rmem
  before=$(interface_state)
  granted
  both_ways
  beside_the_kernel
  as_it_was "after the program's end"
  stalled
  full
  killed
}

ours() { echo "xdp:$nic?mode=drv&zero_copy=require&channels=1&rules=dst 10.0.0.2${1:-}"; } # KEYS

# What a program could leave behind: itself, and settings.
interface_state() { # but whether there is a link
  ip -d link show "$nic" | sed 's/<.*> //; s/state [A-Z]*//'
  ethtool -l "$nic"
  ethtool -k "$nic"
}
as_it_was() { # WHEN
  is "the interface is as it was, $1" "" \
    "$(diff <(echo "$before") <(interface_state) | tr '\n' ';')"
}
carries_again() {
  await carrier "$nic"
  succeeds "the kernel's ping goes, $1" ping -q -c 20 -i 0.01 -W 20 -w 60 10.0.0.1
}

granted() {
  has "zero copy is granted" 'AF_XDP, drv, zero copy' "$(shunt info "$(ours)" -w 30 2>&1)"
}

both_ways() {
  local bytes
  begin echo "$(ours)" --ip 10.0.0.2/24
  for bytes in 0 1 56 1000 1472; do
    is "pings of $bytes bytes, each answer as the question" "0 100" "$(ask ping 100 $bytes)"
  done
}

came() { (($(statistic rx_packets) >= $1)); } # PACKETS
# Of what the rules leave to it. UDP: as many as wait at a receiver that is not given the CPU.
beside_the_kernel() {
  local sum before
  sum=$(ask sum)
  before=$(statistic rx_packets)
  is "we are asked" serving "$(ask serve)"
  succeeds "pings come" await came $((before + 100))
  is "TCP beside us, SHA-256 equal" "$sum" "$(timeout 60 sha256sum </dev/tcp/10.0.0.1/5000)"
  has "UDP beside us, none lost" ' 0/[0-9]{2,3} \(0%\) +receiver' \
    "$(iperf3 -c 10.0.0.1 -p 5001 -u -b 800K -l 1000 -t 1 2>&1 | tail -n 4)"
  is "pings meanwhile, each answered" "0 0 0 0" "$(ask served)"
  finish echo
}

# The card's own buffer takes 512 KiB of what finds no room in ours; the rest it drops, and counts.
missed() { echo $(($(statistic rx_missed_errors) - missed_before)); }
has_missed() { (($(missed) > 0)); }
stalled() {
  local sent lost
  missed_before=$(statistic rx_missed_errors)
  begin echo "$(ours)" --ip 10.0.0.2/24
  kill -STOP "$begun"
  is "frames come" sending "$(ask send_on 4000 1000)"
  await has_missed
  sent=$(ask send_ended)
  is "a program stopped reading: the card misses some, and counts them" yes \
    "$( (($(missed) > 0)) && echo yes || echo "missed $(missed) of $sent")"
  kill -CONT "$begun"
  sent=$((sent + $(ask ping_until)))
  is "it goes on: each ping is answered" "0 100" "$(ask ping 100 1000)"
  lost=$(missed)
  finish echo
  is "what it got and what the card missed is what was sent" $((sent + 100)) \
    $(($(reported echo received_frames) + lost))
  is "it says itself what was missed" "$lost" "$(reported echo missed_frames)"
}

# Both rings are offered more than they hold; the far end's card and rings hold all that is sent.
full() {
  is "the far end listens" receiving "$(ask receive 3840)"
  is "full rings take no more, and all of them comes back" "sent 3840" \
    "$(guest-xdp-ring "$(ours '&tx_ring=64')" $far_mac 60 2>&1)"
  is "the far end gets all" 3840 "$(ask received)"
}

killed() {
  local sent
  begin recv "$(ours)"
  has "a program is on the interface" 'prog/xdp' "$(ip link show "$nic")"
  is "frames come, and a program dies" sending "$(ask send_on 2000 60)"
  await came $(($(statistic rx_packets) + 500))
  kill -KILL "$begun"
  wait "$begun" 2>/dev/null
  is "kill -9 leaves no program" "" "$(ip -d link show "$nic" | grep xdp)"
  sent=$(ask send_ended)
  is "it died while frames came" yes "$( ((sent >= 500)) && echo yes || echo "$sent")"
  carries_again "after kill -9"
  has "the next port comes up" 'zero copy' "$(shunt info "$(ours)" -w 30 2>&1)"
  as_it_was "after kill -9 and the next start"
  carries_again "after all"
}
