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
