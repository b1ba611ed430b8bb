#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt echo: its options and errors, and every frame that it gets answered or counted by its cause.
source "$2/tests/cli/check.sh"
source "$2/tests/cli/frames.sh"

# Options and errors.
run 0 echo --help
says --validate
run 2 echo
says "an argument is missing"
run 2 echo ixgbe:twin --bach 1
says "did you mean --batch?"
run 2 echo ixgbe:twin --batch 65
run 2 echo ixgbe:twin --ip 10.0.0.256
says "10.0.0.256"
run 2 echo ixgbe:twin --ip 224.0.0.1
run 2 echo ixgbe:twin --queue-wait nap
run 1 echo nonsense
says "is no device name"
run 1 echo "ixgbe:twin?wave=a"
says wave
run 1 echo ixgbe:0000:7f:1f.7
says "try:"
run 1 echo ixgbe:0000:7f:1f.7 --json
says '"remedy"'
run 2 echo ixgbe:twin --cpu 5000
run 1 echo ixgbe:twin --cpu 1023
says "try:"

# A link that is down is said, and no reason to end.
run 0 echo ixgbe:twin --link-wait 0.05 --seconds 0.05
says "the link of ixgbe:twin is down"
says "model, not a hardware figure"

# A frame of each kind. What shunt echo makes of it stands beside it.
bad_sum=$(echo_request)
bad_sum=${bad_sum:0:4}dead${bad_sum:8}
ip_bad_sum=$(ipv4 01 $peer_ip $our_ip 0000 "$(echo_request)")
ip_bad_sum=${ip_bad_sum:0:20}dead${ip_bad_sum:24}
too_long=$(ipv4 01 $peer_ip $our_ip 0000 "$(echo_request)$(printf '00%.0s' {1..200})")
good=$(ipv4 01 $peer_ip $our_ip 0000 "$(echo_request)")
frames=(
  "$(ethernet $us 0800 "$good")"                                                  # answered
  "$(ethernet $us 81000005 "0800$good")"                                          # answered
  "$(ethernet ffffffffffff 0806 "$(arp $our_ip)")"                                # answered
  "$(ethernet $us 0800 "$(ipv4 11 $peer_ip $our_ip 0000 "$(udp 0007)")")"         # answered
  "$(ethernet $us 0800 "$(ipv4 11 $peer_ip $our_ip 0000 "$(udp 0009)")")"         # another port
  "$(ethernet ffffffffffff 0806 "$(arp 0a523b63)")"                               # for another
  "$(ethernet $us 0800 "$(ipv4 01 $peer_ip 0a523b63 0000 "$(echo_request)")")"    # for another
  "$(ethernet $us 0800 "$(ipv4 01 $peer_ip $our_ip 2000 "$(echo_request)")")"     # first fragment
  "$(ethernet $us 0800 "$(ipv4 01 $peer_ip $our_ip 0010 "$(echo_request)")")"     # last fragment
  "$(ethernet $us 0800 "${too_long:0:100}")"                                      # truncated
  "$(ethernet $us 0800 "$ip_bad_sum")"                                            # wrong checksums
  "$(ethernet $us 0800 "$(ipv4 01 $peer_ip $our_ip 0000 "$bad_sum")")"
  "$(ethernet ffffffffffff 0800 "$(ipv4 01 $peer_ip 0a523bff 0000 "$(echo_request)")")" # broadcast
  "$(ethernet ffffffffffff 0800 "$good")"                                         # in a broadcast
  "$(ethernet $us 0800 "$(ipv4 01 $our_ip $our_ip 0000 "$(echo_request)")")"      # from us
  "$(ethernet $us 0800 "$(ipv4 06 $peer_ip $our_ip 0000 "$(udp 0007)")")"         # TCP
  "$(ethernet $us 0800 "$(ipv4 01 $peer_ip $our_ip 0000 "$(echo_request 00)")")"  # an answer
  "$(ethernet $us 86dd "6000000000003a40")"                                       # IPv6
  "$(ethernet 020000000077 0800 "$good")"                                         # not our MAC
)
capture "$scratch/frames.pcap" "${frames[@]}"
answerer="ixgbe:twin?mac=$(sed 's/../&:/g;s/:$//' <<<$us)&udp=$near,$far"

# taken: wait until nothing lies in the tunnel's socket any more, and for the round that took the last.
taken() {
  for _ in $(seq 200); do
    awk -v port=":$(printf %04X "$port")\$" '$2 ~ port && $5 !~ /:00000000$/ { exit 1 }' /proc/net/udp && break
    sleep 0.05
  done
  sleep 0.2
}

# ask ARGUMENTS...: send the frames above to shunt echo ARGUMENTS, and end it.
ask() {
  start echo echo "$@"
  timeout 60 "$shunt" send "ixgbe:twin?udp=$far,$near" --pcap "$scratch/frames.pcap" \
    >"$scratch/send" 2>&1 || fail "shunt send: $(cat "$scratch/send")"
  taken
  kill -INT $child
  finish echo 0
}

ask "$answerer" --validate --json
holds received_frames 18
holds answered_frames 4
holds unanswered_frames 14
holds udp-port-not-served 1
holds arp-not-for-us 1
holds ipv4-not-for-us 1
holds ipv4-fragment 2
holds ipv4-beyond-frame 1
holds ipv4-bad-checksum 1
holds icmp-bad-checksum 1
holds ipv4-to-broadcast 1
holds ipv4-in-link-broadcast 1
holds ipv4-source-is-us 1
holds ipv4-protocol-not-served 1
holds icmp-not-echo-request 1
holds ethernet-type-not-served 1
holds not_addressed 1
holds missed_frames 0
for fault in bad_access unknown_register bad_ring bad_tail bad_descriptor bad_offload dma_faults; do
  holds $fault 0
done

# Without it the fast path does not look at addresses, total length and checksums of a plain
# request: of the 14, five are answered.
for batch in 1 8 64; do
  ask "$answerer" --batch $batch --json
  says '"loop":"inline"'
  holds received_frames 18
  holds answered_frames 9
  holds ipv4-fragment 2
  holds ipv4-to-broadcast 1
done

# What comes when it has no CPU is answered, though the signal comes before its next round.
start echo echo "$answerer" --validate
kill -STOP $child
timeout 60 "$shunt" send "ixgbe:twin?udp=$far,$near" --pcap "$scratch/frames.pcap" \
  >"$scratch/send" 2>&1 || fail "shunt send: $(cat "$scratch/send")"
kill -INT $child
kill -CONT $child
finish echo 0
count received 18
count answered 4

# For a person.
ask "$answerer" --validate
count received 18
count answered 4
says "ipv4-fragment"

# The same through the portable calls, in a twin that traps every access, and in a checked port.
ask "$answerer&mode=trap" --validate --json
says '"loop":"portable"'
holds answered_frames 4
ask "$answerer&checked=1" --validate --json
holds answered_frames 4

# With the twins in a thread of their own, and asleep until an interrupt comes; an alias names the
# device, the configuration file holds options.
printf '[devices]\nlab = %s\n[echo]\nvalidate = yes\ndevice-cpu = 0\n' "$answerer" >"$scratch/ini"
ask lab --config "$scratch/ini" --json
says '"twin_thread":true'
holds answered_frames 4
ask lab --config "$scratch/ini" --queue-wait wait --json
holds answered_frames 4

# --count ends it, at the end of a round: of one frame here, so that there is no third answer.
start echo echo "$answerer" --validate --count 2 --batch 1
"$shunt" send "ixgbe:twin?udp=$far,$near" --pcap "$scratch/frames.pcap" >/dev/null 2>&1
finish echo 0
count answered 2

run 3 echo "$answerer" --count 1 --give-up 0.2
says "0 of 1 requests answered, then not one more for 0.2 s"
says "unanswered"

# A signal ends it with the report.
start signal echo "$answerer"
kill -INT $child
finish signal 0
says "answered"

done_testing
