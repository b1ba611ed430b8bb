#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt ping against shunt's own responder, on twins joined by a wire.
source "$2/tests/cli/check.sh"

twin='ixgbe:twin?wire=a'
second_mac=02:00:00:82:59:91 # of the second twin
target=10.82.59.1

# Options and errors.
run 0 ping --help
says --rate
run 2 ping "$twin"
run 2 ping "$twin" 10.82.59
says '"10.82.59"'
run 2 ping "$twin" $target --mac 02:00
run 2 ping "$twin" $target --rate 10 --flood
run 2 ping "$twin" $target --sise 10
says "did you mean --size?"
run 2 ping "$twin" $target --echo "$twin" --size 1473
says "MTU"
run 1 ping "$twin" $target --link-wait 0.05
says "link"
run 1 ping "ixgbe:twin?udp=$near,$far" $target
says "nobody answered"
run 1 ping "$twin" $target --echo "$twin" --count 10 --hgrm "$scratch/none/x"

# Nothing is lost, doubled or damaged on a wire without impairments, whatever the card.
sound() {
  run 0 ping "$@" --timeout 30 --json
  holds lost 0
  holds duplicates 0
  holds corrupted 0
  holds missed_frames 0
  holds bad_descriptor 0
  holds dma_faults 0
  says '"model":true'
}
sound "$twin" $target --echo "$twin" --count 5000
holds answered 5000
[ "$(number p50_ns)" -gt 0 ] || fail "the median is 0"
[ "$(number p50_ns)" -le "$(number max_ns)" ] || fail "the median is above the maximum"
for id in 10f9 10fc; do
  sound "$twin&id=$id" $target --echo "$twin&id=$id" --count 500
done
sound "$twin&mode=trap" $target --echo "$twin&mode=trap" --count 500
sound "$twin&checked=1" $target --echo "$twin&checked=1" --count 500
sound "$twin" $target --echo "$twin" --count 500 --device-cpu 0
sound "$twin&queues=4" $target --echo "$twin" --count 500
for size in 0 1 7 8 9 18 1472; do
  sound "$twin" $target --echo "$twin" --count 200 --size $size
done
for size in 1473 2006 2007 8972; do
  sound "$twin&mtu=9000" $target --echo "$twin&mtu=9000" --count 200 --size $size
done
sound "$twin" $target --echo "$twin" --rate 5000 --seconds 0.5
between sent 1 2500
sound "$twin" $target --echo "$twin" --rate 5000 --count 2500
holds sent 2500
between seconds 0.49 60
sound "$twin" $target --echo "$twin" --interval 0.02 --count 10
holds sent 10
# More requests than sequence numbers.
sound "$twin" $target --echo "$twin" --count 70000
holds answered 70000

# What a person sees, and the percentile curve.
run 0 ping "$twin" $target --echo "$twin" --count 100 --hgrm "$scratch/curve.hgrm"
says "RTT"
says "p99.99"
says "model, not a hardware figure"
head -n 1 "$scratch/curve.hgrm" | grep -q "Percentile" || fail "curve.hgrm has no head"

# What is lost is what the wire has lost, exactly. The MAC address is given, so that ARP, which
# repeats what was lost, is not in the count.
for seed in 1 2 3; do
  run 3 ping "$twin&loss=0.05&seed=$seed" $target --echo "$twin" --mac $second_mac --count 2000 \
    --timeout 0.02 --json
  lost=$(number lost)
  [ "$lost" -gt 0 ] || fail "nothing was lost with seed $seed"
  holds lost_frames "$lost"
  holds answered $((2000 - lost))
  run 0 ping "$twin&duplicate=0.05&seed=$seed" $target --echo "$twin" --mac $second_mac \
    --count 2000 --timeout 0.2 --json
  holds duplicated_frames "$(number duplicates)"
  holds lost 0
done
# With loss, ARP asks again.
run 3 ping "$twin&loss=0.5&seed=5" $target --echo "$twin" --count 50 --timeout 0.02

# Damage comes back as damage: none is taken for an answer.
run 3 ping "$twin&corrupt=0.1&seed=1" $target --echo "$twin" --mac $second_mac --count 2000 \
  --timeout 0.02 --json
[ "$(number corrupted)" -gt 0 ] || fail "nothing was found damaged"
[ $(($(number answered) + $(number corrupted) + $(number lost))) -ge 2000 ] || fail "some are missing"
# Nobody answers: after ten time-outs it is not asked ten thousand times. An open loop asks on.
run 3 ping "ixgbe:twin?udp=$near,$far" $target --mac $second_mac --timeout 0.02
says "0 of 10000 requests answered, then not one more for 0.2 s"
says "look whether the target still answers"
run 3 ping "ixgbe:twin?udp=$near,$far" $target --mac $second_mac --timeout 0.02 --give-up 0.1 \
  --interval 0.05 --count 10 --json
holds lost 10
# An answer after the time-out is late, and its request stays lost. Without a CPU meanwhile all are sent
# at once, and lost before the first answer comes: then again.
for _ in 1 2 3; do
  run 3 ping "$twin&delay_us=3000" $target --echo "$twin" --mac $second_mac --rate 1000 --count 20 \
    --timeout 0.004 --json
  holds lost 20
  [ "$(number late)" -eq 0 ] || break
done
[ "$(number late)" -gt 0 ] || fail "none came late"

done_testing
