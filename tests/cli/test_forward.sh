#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt forward: both ways, uncopied, on twins of two wires.
source "$2/tests/cli/check.sh"
source "$2/tests/cli/frames.sh"

run 0 forward --help
says --mac-swap
run 2 forward ixgbe:twin
says "an argument is missing"
run 1 forward ixgbe:twin "ixgbe:twin?queues=2"
says "queues"
run 2 forward ixgbe:twin ixgbe:twin --mac-swop
says "did you mean --mac-swap?"
run 1 forward ixgbe:twin ixgbe:0000:7f:1f.7

# A capture in on the left, out on the right: every frame of it, as it was. Frames of all lengths,
# to anybody.
frames=()
bytes=0
for ((i = 1; i <= 60; i++)); do
  payload=$(printf "$(printf '%02x' $i)%.0s" $(seq $((i * 24 + 40))))
  frames+=("$(ethernet 020000000077 88b5 "$payload")")
  bytes=$((bytes + 14 + i * 24 + 40))
done
capture "$scratch/in.pcap" "${frames[@]}"
left="ixgbe:twin?wire=l&udp=$near,$far"
right="ixgbe:twin?wire=r&udp=127.0.0.1:$((port + 2)),127.0.0.1:$((port + 3))"
right+="&record=$scratch/out.pcapng"

# pass TIMES ARGUMENTS...: send the capture through shunt forward.
pass() {
  local times=$1
  shift
  start forward forward "$@" --count $((times * 60)) --seconds 30 --json
  timeout 60 "$shunt" send "ixgbe:twin?udp=$far,$near" --pcap "$scratch/in.pcap" --loops "$times" \
    >"$scratch/send" 2>&1 || fail "shunt send: $(cat "$scratch/send")"
  finish forward 0
  holds frames $((times * 60))
  holds bytes $((times * bytes))
  holds no_room_frames 0
  holds missed_frames 0
  holds bad_descriptor 0
  holds dma_faults 0
}
pairs() { # how often these 14 bytes stand in what came out
  od -An -v -tx1 "$scratch/out.pcapng" | tr -d ' \n' | grep -o "$1" | wc -l
}
pass 5 "$left" "$right"
says '"loop":"inline"'
[ "$(pairs 020000000077${peer}88b5)" -eq 300 ] || fail "not every frame came out as it was"
pass 2 "$left" "$right" --mac-swap --touch
[ "$(pairs ${peer}02000000007788b5)" -eq 120 ] || fail "not every frame had its addresses swapped"
pass 2 "$left&mode=trap" "$right&mode=trap"
says '"loop":"portable"'
pass 2 "$left&checked=1" "$right"
pass 2 "$left" "$right" --device-cpu 0

# Where nothing comes it gives up; a link that is down is said to be why.
run 3 forward "$left" "ixgbe:twin?wire=r" --count 1 --give-up 0.2 --link-wait 0.05
says "0 of 1 frames forwarded, then not one more for 0.2 s"
says "ixgbe:twin?wire=r: link down: no signal"
says "get the link up"

# Pinger, forwarder, responder: three processes, both ways, jumbo frames among them.
middle=127.0.0.1:$((port + 2))
middle_far=127.0.0.1:$((port + 3))
start forward forward "ixgbe:twin?wire=l&udp=$far,$near&mtu=9000" \
  "ixgbe:twin?wire=r&udp=$middle,$middle_far&mtu=9000"
forwarder=$child
start echo echo "ixgbe:twin?mac=02:00:00:00:00:01&udp=$near,$far&mtu=9000"
responder=$child
pinger="ixgbe:twin?mac=02:00:00:00:00:02&udp=$middle_far,$middle&mtu=9000"
run 0 ping "$pinger" 10.82.59.1 --count 300 --timeout 5 --json
holds lost 0
run 0 ping "$pinger" 10.82.59.1 --count 100 --size 8972 --timeout 5 --json
holds lost 0
kill -INT $forwarder $responder
child=$forwarder
finish forward 0
count "no room to send" 0
says "second to first"
child=$responder
finish echo 0
count unanswered 0

done_testing
