# SPDX-License-Identifier: BSD-2-Clause
# Our AF_XDP driver where the kernel's driver lets it have the card's own DMA: on Linux's ixgbe over
# the twin, with the kernel's TCP and UDP beside it. Frames go both ways, a program stops reading, a
# ring is full, a program is killed, and the interface is as it was.
# shellcheck shell=bash

# ixgbe starts anew when a program comes or goes, and for up to 30 s has no link.
link_wait=30
host() {
  [[ -c /dev/net/tun ]] || skip "there is no /dev/net/tun"
  bring_programs shunt
  twins "guest?tap=shunt0" far
  outside "$busybox" ip addr add 10.0.0.1/24 dev shunt0
  outside "$busybox" sysctl -q net.ipv6.conf.all.disable_ipv6=1
  head -c 32000000 /dev/urandom >"$work/data"
  boot guest "$work/guest.sock"
  no_faults guest
}

# ---- The far end: our commands on a twin, and the host's kernel ----

guest_mac=02:00:00:82:59:90 far_mac=02:00:00:82:59:91
far() { # COMMAND ARGUMENT...
  "$build/bin/shunt" "$1" "ixgbe:vfio-user:$work/far.sock" --json --queue-wait wait "${@:2}" \
    2>"$work/far.err"
}
number_of() { sed -n "s/^ *\"$1\":\([0-9]*\).*/\1/p" | head -n 1; } # KEY
host_ping() { # COUNT BYTES
  far ping 10.0.0.2 --mac $guest_mac --ip 10.0.0.4/24 --count "$1" --size "$2" --seconds 20 \
    >"$work/ping.log"
  echo $? "$(number_of answered <"$work/ping.log")"
}
host_send() { # COUNT RATE BYTES
  far send --mac $guest_mac --udp 10.0.0.4:9000,10.0.0.2:9000 --count "$1" --rate "$2" \
    --size "$3" >"$work/send.log"
  number_of sent_frames <"$work/send.log"
}
host_send_on() { # COUNT RATE BYTES
  host_send "$@" >"$work/sent" &
  sending=$!
  echo sending
}
host_send_ended() {
  wait "$sending"
  cat "$work/sent"
}
host_receive() { # COUNT
  rm -f "$work/far.err"
  far recv --expect "$1" --seconds 30 >"$work/recv.log" &
  receiving=$!
  await "the far end receives" grep -q -s ready "$work/far.err"
  echo receiving
}
host_received() {
  wait "$receiving"
  number_of frames <"$work/recv.log"
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
  (host_ping 2000 1000 >"$work/served") &
  pinging=$!
  await "the host listens" outside grep -q ':1388 0*:0000 0A' /proc/net/tcp /proc/net/tcp6
  echo serving
}
host_served() {
  wait "$pinging"
  cat "$work/served"
}
host_sum() { sha256sum <"$work/data"; }

# ---- The guest ----

guest() {
  nic_up 10.0.0.3/24
  before=$(interface_state)
  granted
  both_ways
  beside_the_kernel
  as_it_was "after the program's end"
  stalled
  flooded
  killed
}

ours() { echo "xdp:$nic?mode=drv&zero_copy=require&channels=1&rules=dst 10.0.0.2${1:-}"; } # KEYS
# A command of ours in the background, until it is ready.
begin() { # COMMAND DEVICE ARGUMENT...
  local command=$1
  shift
  rm -f "/tmp/$command.err"
  shunt "$command" "$@" --json --queue-wait wait --link-wait $link_wait \
    >"/tmp/$command.log" 2>"/tmp/$command.err" &
  begun=$!
  for ((turn = 0; turn < 10 * (link_wait + 5); turn++)); do
    grep -q -s ready "/tmp/$command.err" && return
    kill -0 $begun 2>/dev/null || break
    sleep 0.1
  done
  not_ok "shunt $command starts" "$(tr '\n' ';' <"/tmp/$command.err")"
}
finish() { # COMMAND: its exit code
  kill -TERM "$begun"
  wait "$begun"
  is "shunt $1 ends well" 0 $?
}
# Number of a report.
told() { sed -n "s/^ *\"$2\":\([0-9]*\).*/\1/p" "/tmp/$1.log" | head -n 1; } # COMMAND KEY

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
  succeeds "the kernel's ping goes, $1" ping -q -c 20 -i 0.01 -w 20 10.0.0.1
}

granted() {
  has "zero copy is granted" 'AF_XDP, drv, zero copy' "$(shunt info "$(ours)" -w $link_wait 2>&1)"
}

both_ways() {
  local bytes
  begin echo "$(ours)" --ip 10.0.0.2/24
  for bytes in 0 1 56 1000 1472; do
    is "pings of $bytes bytes, each answer as the question" "0 200" "$(ask ping 200 $bytes)"
  done
}

# Of what the rules leave to it.
beside_the_kernel() {
  local sum
  sum=$(ask sum)
  is "we are asked" serving "$(ask serve)"
  is "TCP beside us, SHA-256 equal" "$sum" "$(timeout 30 sha256sum </dev/tcp/10.0.0.1/5000)"
  has "UDP beside us, none lost" ' 0/1[0-9]{3} \(0%\) +receiver' \
    "$(iperf3 -c 10.0.0.1 -p 5001 -u -b 8M -l 1000 -n 1000000 2>&1 | tail -n 4)"
  is "pings meanwhile, each answered" "0 2000" "$(ask served)"
  finish echo
}

# The card's own buffer takes 512 KiB of what finds no room in ours; the rest it drops, and counts.
stalled() {
  local sent missed
  begin recv "$(ours)"
  missed=$(statistic rx_missed_errors)
  kill -STOP $begun
  is "frames come" sending "$(ask send_on 3000 4000 1000)"
  sleep 1.5
  kill -CONT $begun
  sent=$(ask send_ended)
  sent=$((sent + $(ask send 500 1000 60)))
  sleep 0.5
  missed=$(($(statistic rx_missed_errors) - missed))
  finish recv
  is "a program that stopped reading: what it got and what the card missed is what was sent" \
    "$sent" $(($(told recv frames) + missed))
  is "some were missed meanwhile, and those sent afterwards came" yes \
    "$( ((missed > 0 && missed < 2500)) && echo yes || echo "missed $missed of $sent")"
}

# More than the ring holds, all at once.
flooded() {
  is "the far end listens" receiving "$(ask receive 20000)"
  shunt send "$(ours '&tx_ring=64')" --json --link-wait $link_wait --rate 0 --count 20000 \
    --mac $far_mac >/tmp/send.log 2>/tmp/send.err
  is "a full ring: the command sends all" "0 20000" "$? $(told send sent_frames)"
  is "a full ring: the far end gets all" 20000 "$(ask received)"
}

killed() {
  begin recv "$(ours)"
  is "frames come, and a program dies" sending "$(ask send_on 10000 10000 60)"
  sleep 0.3
  has "a program is on the interface" 'prog/xdp' "$(ip link show "$nic")"
  kill -KILL $begun
  wait $begun 2>/dev/null
  is "kill -9 leaves no program" "" "$(ip -d link show "$nic" | grep xdp)"
  is "all were sent" 10000 "$(ask send_ended)"
  carries_again "after kill -9"
  has "the next port comes up" 'zero copy' "$(shunt info "$(ours)" -w $link_wait 2>&1)"
  as_it_was "after kill -9 and the next start"
  carries_again "after all"
}
