#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The kernel's ping, answered over AF_XDP on a veth pair in skb and drv mode: every size, jumbo
# frames in pieces, several queues, asleep and awake; and the interface is left as it was, also by
# kill -9.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"

for mode in skb drv; do
  make_veth
  start echo echo --ip $near_ip "xdp:v0?mode=$mode"
  kernel_ping 3 -i 0.2
  for size in 0 1 18 56 1000 1472; do
    kernel_ping 20 -i 0.005 -s $size -p 5a00ff1e
  done
  kernel_ping 5000 -f -q
  stop echo
  says "AF_XDP, $mode, copy"
  says "inline"
  count "no room to send" 0
  count "missed by the NIC" 0
  program_gone

  # One frame a round; every check; asleep between frames.
  for how in "--batch 1" "--validate" "--queue-wait wait"; do
    # shellcheck disable=SC2086
    start echo echo --ip $near_ip $how "xdp:v0?mode=$mode"
    kernel_ping 200 -i 0.002 -q
    stop echo
    count "no room to send" 0
  done

  # Its buffers' owners are followed.
  start echo echo --ip $near_ip "xdp:v0?mode=$mode&checked=1"
  kernel_ping 200 -i 0.002 -q
  stop echo
  says "portable"

  # The kernel does not say when to wake it; it is asked to poll, though a veth has nothing to poll;
  # it sends few frames a call.
  for keys in "wakeup=0" "busy_poll_us=20" "tx_budget=32"; do
    start echo echo --ip $near_ip "xdp:v0?mode=$mode&$keys"
    kernel_ping 500 -f -q
    stop echo
    count "no room to send" 0
    [ $keys != busy_poll_us=20 ] || [ $mode != skb ] || says "busy_poll_us does nothing here"
  done

  # kill -9 leaves no program, and a port can be opened again at once.
  for _ in 1 2 3; do
    start echo echo --ip $near_ip "xdp:v0?mode=$mode"
    kernel_ping 2 -i 0.01
    kill -KILL "$child"
    wait "$child" 2>/dev/null
  done
  program_gone
  start echo echo --ip $near_ip "xdp:v0?mode=$mode"
  kernel_ping 2 -i 0.01
  stop echo

  # Two queues: each of the sender's CPUs may choose either.
  make_veth 1500 2
  start echo echo --ip $near_ip "xdp:v0?mode=$mode&queues=2"
  kernel_ping 1000 -f -q
  stop echo
  count "no room to send" 0
done

# Frames longer than a buffer come and go in pieces (Linux 6.6).
make_veth 9000
if near "$real_shunt" info "xdp:v0?mode=skb"; then
  for mode in skb drv; do
    start echo echo --ip $near_ip "xdp:v0?mode=$mode"
    # One at a time: of answers that long, ping's own socket holds eight.
    for size in 56 1472 1750 1751 3542 4000 8000 8972; do
      kernel_ping 20 -A -s $size -p 5a00ff1e
    done
    kernel_ping 300 -A -q -s 8972
    stop echo
    says "several buffers a frame"
  done
else
  says "6.6" # the version that brings it is named
  echo "this kernel has no frames of several buffers"
fi

# A smaller MTU than the interface's is a wish, too, also where it is everybody's default.
start echo echo --ip $near_ip "xdp:v0?mtu=1400"
ip -n "$near_space" link show v0 | grep -q 'mtu 1400' || fail "the MTU was not changed"
stop echo
ip -n "$near_space" link show v0 | grep -q 'mtu 9000' || fail "the MTU was not put back"
run 0 info "xdp:v0?multi_buffer=0&mtu=1500"
quiet_about "several buffers"
run 0 info --json xdp:v0
holds mtu 9000

# Received frames are stamped by the program, of one buffer or of several.
for mode in skb drv; do
  run 0 info "xdp:v0?mode=$mode&rx_time=1"
  says "time stamps: by the kernel's program"
  says "clock              no: a clock of its own, which stamps frames; frames are stamped by the kernel's"
done
run 0 info xdp:v0
says "which stamps frames; opened without time stamps: add rx_time=1"
start echo echo --ip $near_ip "xdp:v0?mode=drv&rx_time=1"
kernel_ping 20 -i 0.01
stop echo

# The configuration file's [net.xdp], and what a name says against it.
make_veth
cat >"$scratch/config" <<CONFIG
[net.xdp]
xdp_mode = "skb"
xdp_zero_copy = false
CONFIG
run 0 info --config "$scratch/config" xdp:v0
says "AF_XDP, skb, copy"
run 0 info --config "$scratch/config" "xdp:v0?mode=drv"
says "AF_XDP, drv, copy"

run 0 info --config "$scratch/config" "xdp:v0?drv=require" # against mode=skb there
says "AF_XDP, drv, copy"
printf '[net.xdp]\nrules = udp port 9\n' >"$scratch/other"
start echo echo --ip $near_ip "xdp:v0?mode=skb&queue=0"
run 1 info --config "$scratch/other" "xdp:v0?join=1&mode=skb" # against rules there
says "queue 0"
stop echo

# What was refused before, with the kernel's words; busy polling that can't work.
run 0 info "xdp:v0?busy_poll_us=20"
says "refused      drv, zero copy: the driver (veth) has no zero copy (EOPNOTSUPP)"
says "no NAPI id"
run 0 info --json xdp:v0
says '"mode":"drv, copy"'
says '"code":-95'
echo 'xdp_zero_copy = true' >>"$scratch/config"
sed -i '/false/d' "$scratch/config"
run 1 info --config "$scratch/config" xdp:v0
says "zero copy"

done_testing
