#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt send and shunt recv, in two processes with a UDP tunnel between their wires.
source "$2/tests/cli/check.sh"
source "$2/tests/cli/frames.sh"

mac=02:00:00:00:00:01
receiver="ixgbe:twin?mac=$mac&udp=$near,$far"
sender="ixgbe:twin?udp=$far,$near"

# Options and errors.
run 0 send --help
run 0 recv --help
run 2 send "$sender" --udp 10.0.0.1
says "10.0.0.1"
run 2 send "$sender" --udp 10.0.0.1:80,10.0.0.2:65536
run 2 send "$sender" --mac nothing
run 2 send "$sender" --mac $mac --size 59
run 2 send "$sender" --mac $mac --size 1515
says MTU
run 2 send "$sender" --sped 2
says "did you mean --speed?"
run 1 send "$sender" --mac $mac --pcap "$scratch/nowhere"
says "nowhere"
head -c 30 /dev/zero >"$scratch/zeros"
run 1 send "$sender" --mac $mac --pcap "$scratch/zeros"
says "zeros"
capture "$scratch/empty.pcap"
run 1 send "$sender" --mac $mac --pcap "$scratch/empty.pcap"
says "no frame"
run 1 recv "$receiver" --count 1 --pcap "$scratch/none/x"
run 2 recv "$receiver" --ip 10

# calm: the sender had its CPU whenever a frame was due, so that its rate is its own doing.
calm() {
  [ "$(number max_ns)" -lt 20000000 ]
}

# At a rate, counted and recorded.
start recv recv "$receiver" --expect 500 --seconds 20 --pcap "$scratch/first.pcapng"
run 0 send "$sender" --mac $mac --rate 1000 --count 500 --size 100 --json
holds sent_frames 500
holds sent_bytes 50000
holds intended_pps 1000
holds behind_frames 0
between seconds 0.49 60
! calm || between achieved_pps 900 1100
[ "$(grep -c '"count":500' "$scratch/out")" -ge 1 ] || fail "not every frame has a lateness"
finish recv 0
count frames 500
count bytes 50000
count "missed by the NIC" 0
count "driver faults" 0

# What was recorded, sent again with its own timing, twice as fast, is recorded the same.
start recv recv "$receiver" --expect 500 --seconds 20 --pcap "$scratch/second.pcapng"
run 0 send "$sender" --pcap "$scratch/first.pcapng" --speed 2 --json
holds sent_frames 500
finish recv 0
packets() {
  tshark -r "$1" -T fields -e frame.len -e eth.dst -e udp.port -e data 2>/dev/null
}
if command -v tshark >/dev/null; then
  packets "$scratch/first.pcapng" >"$scratch/first"
  packets "$scratch/second.pcapng" >"$scratch/second"
  [ "$(wc -l <"$scratch/first")" -eq 500 ] || fail "500 frames were not recorded"
  cmp -s "$scratch/first" "$scratch/second" || fail "what was sent again is not the same"
  [ "$(cut -f 4 "$scratch/first" | cut -c 1-16 | sort -u | wc -l)" -eq 500 ] ||
    fail "the frames are not numbered"
fi

# 50 frames of a millisecond each, ten times as slow.
frame=$(ethernet $us 88b5 "$(printf '5a%.0s' {1..46})")
mapfile -t frames < <(for _ in {1..50}; do echo "$frame"; done)
capture "$scratch/timed.pcap" "${frames[@]}"
run 0 send "$sender" --pcap "$scratch/timed.pcap" --speed 0.1 --json
holds sent_frames 50
between seconds 0.49 60
! calm || between achieved_pps 90 110

# In loops, and to another address.
start recv recv "$receiver" --expect 6 --seconds 20
capture "$scratch/two.pcap" "$(ethernet 020000000099 88b5 "$(printf '5a%.0s' {1..64})")" \
  "$(ethernet 020000000099 88b5 01)"
run 0 send "$sender" --pcap "$scratch/two.pcap" --loops 3 --speed 0 --mac $mac --json
holds sent_frames 6
holds padded_frames 3
finish recv 0
count frames 6
# What is longer than the MTU allows is left out.
capture "$scratch/long.pcap" "$(ethernet $us 88b5 "$(printf '5a%.0s' {1..1600})")" \
  "$(ethernet $us 88b5 "$(printf '5a%.0s' {1..60})")"
run 0 send "$sender" --pcap "$scratch/long.pcap" --json
holds sent_frames 1
holds skipped_oversized_frames 1

# The receiver's address by ARP; jumbo frames in several buffers.
start recv recv "$receiver&mtu=9000" --ip 10.82.59.1 --expect 51 --seconds 20
run 0 send "$sender&mtu=9000" --rate 500 --count 50 --size 9014 --json
holds sent_frames 50
finish recv 0
count frames 51
grep -q " 50  1519_to_max" "$scratch/out" || fail "50 jumbo frames were not counted"
# To nobody: an error. To a group: no question is asked.
run 1 send "$sender" --count 1
says "--mac"
run 0 send "$sender" --count 1 --udp 10.82.59.2:1,239.1.2.3:2 --json
holds arp_requests 0

# Fewer than expected; and a rate that can't be had is said so.
run 3 recv "$receiver" --expect 1 --seconds 0.3 --json
holds frames 0
run 3 send "$sender" --mac $mac --rate 1e9 --seconds 0.2 --json
[ "$(number behind_frames)" -gt 0 ] || fail "nothing is behind at 1e9 frames per second"

# Where nothing comes a count is given up: it is said what there was, how things stand, what to do.
run 3 recv "$receiver" --count 5 --give-up 0.2
says "0 of 5 frames received, then not one more for 0.2 s"
says "link up, rx_packets 0, tx_packets 0"
says "look whether anybody sends to this device"
run 3 recv "$receiver" --give-up 0.2 --json
says '"what":"0 frames received, then not one more for 0.2 s'
run 0 recv "$receiver" --count 5 --give-up 0 --seconds 0.5 # never, so the time ends it

# A cable is cut behind a sender: what is on the ring stays there. served KEY: a counter of the twins.
mkfifo "$scratch/orders"
exec 7<>"$scratch/orders"
for name in a b; do
  sockets+=("$scratch/$name.sock=ixgbe?wire=w&id=10f9")
done
"$shunt" twin --control --status 0.05 --json "${sockets[@]}" <"$scratch/orders" \
  >"$scratch/twin" 2>"$scratch/twin.err" &
child=$!
children+=("$child")
for _ in $(seq 100); do
  grep -qs '^ready' "$scratch/twin.err" && break
  sleep 0.1
done
served() { # 0 before the first state is told
  local got
  got=$(grep '}$' "$scratch/twin" | tail -n 1 | grep -o "\"$1\":[0-9]*" | head -n 1 | cut -d: -f2)
  echo "${got:-0}"
}
# cut_after FRAMES ARGUMENTS...: cut the cable of a sender that has sent so many; how it ends.
cut_after() {
  local frames=$1
  shift
  echo "join $scratch/b.sock" >&7
  frames=$((frames + $(served wire_frames_out)))
  "$shunt" send "ixgbe:vfio-user:$scratch/a.sock" --mac $mac "$@" >"$scratch/out" 2>"$scratch/err" &
  local sender=$!
  for _ in $(seq 300); do
    [ "$(served wire_frames_out)" -ge "$frames" ] && break
    sleep 0.05
  done
  echo "cut $scratch/b.sock" >&7
  reap $sender
  got=$?
  [ $got -eq 3 ] || fail "the sender ended with $got"
}
cut_after 100 --rate 5000 --count 1000000 --give-up 0.5 --json
says "of 1000000 frames taken by the send ring, then not one more for 0.5 s"
says "link down: no signal"
says "get the link up"
between unsent_buffers 500 511
cut_after 10 --rate 50 --count 100 --give-up 0
says "100 frames taken by the send ring, and"
says "not sent 1 s later"
says "link down: no signal"
kill -INT $child
finish twin 0
exec 7>&-

# A signal ends both with their reports.
start recv recv "$receiver"
kill -INT $child
finish recv 0
says "frames"

done_testing
