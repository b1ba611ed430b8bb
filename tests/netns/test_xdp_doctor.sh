#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the doctor and the list of devices say of AF_XDP on a veth pair: the ways that are granted,
# what a stranger's program changes, and a user who may not.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"

make_veth
run 0 doctor xdp:v0
says "pass  drv-copy"
says "pass  skb-copy"
says "warn  drv-zero-copy"
says "has no zero copy"
program_gone
run 0 doctor --json xdp:v0
holds pass 2
run 1 doctor xdp:nosuch
says "no network interface"
run 2 doctor ixgbe:twin
run 0 info
says "xdp:v0: skb and drv, copy (a hint); its other end is in another network namespace"
run 0 doctor --json
says '"name":"xdp:v0"'
says '"name":"xdp-kernel"'

# What the name or the configuration file says of ways and rules gives way; a mistake is told once.
printf '[net.xdp]\nxdp_mode = skb\nrules = udp port 7\nrx_ring = 128\n' >"$scratch/config"
for name in "xdp:v0?rules=udp port 7" "xdp:v0?mode=skb" "xdp:v0?join=1&queue=0" \
  "xdp:v0?drv=require&zero_copy=never&setup=1" "--config $scratch/config xdp:v0"; do
  case $name in
  --*) read -ra arguments <<<"$name" ;;
  *) arguments=("$name") ;;
  esac
  run 0 doctor "${arguments[@]}"
  says "pass  drv-copy"
  says "pass  skb-copy"
  quiet_about "given twice"
done
for name in bogus=1 mode=native "rules=udp prot 7" "rules=arp&join=1"; do
  run 1 doctor "xdp:v0?$name"
  says "try:"
  quiet_about "drv-copy"
done
run 3 doctor "xdp:v0?queues=9"
says "it has 1 receive queue"

# By a helper whose policy allows some rules: those of the name, as "pass".
start helper xdp-helper --socket "$scratch/socket" --allow "user=0 interface=v0 rules=arp;udp port 7-9"
helper=$child
run 0 doctor "xdp:v0?helper=$scratch/socket&rules=arp;udp port 7"
says "pass  drv-copy"
run 3 doctor "xdp:v0?helper=$scratch/socket"
says "it lies within none that the helper's policy allows"
run 3 doctor "xdp:v0?helper=$scratch/socket&rules=udp port 10"
says "it lies within none that the helper's policy allows"
child=$helper
kill -INT "$(pgrep -P "$child" 2>/dev/null || echo "$child")"
finish helper 0

# A program of someone else: named, and nothing is taken from it.
start echo echo --ip $near_ip xdp:v0
run 0 info
says "is attached (drv)"
run 3 doctor xdp:v0
says "a program is there: drv mode, program"
kernel_ping 3 -i 0.05
stop echo

# Long frames.
make_veth 9000
run 0 info
says "an MTU of 9000 takes several buffers a frame"

done_testing
