#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The list of devices on machines of our own and on this one; twins, opened and shown.
set -euo pipefail
shunt=$1/bin/shunt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/tree.sh
source "$2/tests/cli/tree.sh"

# Cards in every state.
root=$work/root
put_pci "$root" 0000:03:00.0 0x8086 0x10fb 0x020000 ixgbe 7
put_interface "$root" 0000:03:00.0 enp3s0f0 1 10000
put_pci "$root" 0000:04:00.0 0x8086 0x10f9 0x020000 vfio-pci 8
put "$root" dev/vfio/8 ''
put_pci "$root" 0000:05:00.0 0x8086 0x10fc 0x020000 vfio-pci 9
put_pci "$root" 0000:06:00.0 0x8086 0x10fb 0x020000 ixgbe ''
put_interface "$root" 0000:06:00.0 wan 1 1000
put_pci "$root" 0000:07:00.0 0x8086 0x1563 0x020000 ixgbe 10
put_pci "$root" 0000:08:00.0 0x1af4 0x1041 0x020000 virtio-pci ''
put_pci "$root" 0000:0a:00.0 0x1d0f 0xefa1 0x020000 efa 12
put_pci "$root" 0000:0b:00.0 0x1d0f 0xefa3 0x020000 efa 13
put_pci "$root" 0000:09:00.0 0x144d 0xa808 0x010802 nvme 11
put "$root" proc/net/route "$route_header
wan	00000000	0100000A	0003	0	0	0	00000000	0	0	0"
run 0 info --root "$root"
has "$out" "0000:03:00.0  8086:10fb  driver ixgbe, enp3s0f0, link 10000 Mb/s, NUMA node 0, IOMMU group 7"
has "$out" "ixgbe via vfio, once taken: ixgbe has it: shunt bind 0000:03:00.0"
has "$out" "ixgbe via sysfs, once taken: ixgbe has it: shunt bind 0000:06:00.0 --driver none --force"
has "$out" "IOMMU group 8
              ixgbe via vfio
0000:05"
has "$out" "/dev/vfio/noiommu-9: No such file"
has "$out" "not with shunt: device 1563 is an Intel X550"
has "$out" "not with shunt: the drivers here are for other devices"
has "$out" "efa via vfio, once taken: efa has it: shunt bind 0000:0a:00.0"
has "$out" "not with shunt: device efa3 is a later EFA"
has "$out" "ixgbe:twin"
has "$out" "efa:twin"
case $out in *0000:09*) complain "a disk is listed as a network card" ;; esac

run 0 info --json --root "$root"
has "$out" '"name":"ixgbe:0000:04:00.0"'
if command -v python3 >/dev/null; then
  printf '%s' "$out" | python3 -c '
import json, sys
report = json.load(sys.stdin)
cards = {c["address"][5:7]: c for c in report["cards"]}
assert len(cards) == 8 and report["twins"] == ["ixgbe:twin", "efa:twin"]
assert cards["04"]["ready"] and cards["04"]["use"] == "ixgbe via vfio"
assert not cards["03"]["ready"] and cards["03"]["speed_mbps"] == 10000
assert cards["06"]["default_route"] == "wan" and cards["06"]["iommu_group"] == -1
assert cards["07"]["use"] is None and "X550" in cards["07"]["note"]
' || complain "the JSON does not hold what it should: $out"
fi
mkdir "$work/empty"
run 0 info --root "$work/empty"
has "$out" "can't look for PCI devices in $work/empty/sys"

# This machine: the kernel is asked for its interfaces.
run 0 info
has "$out" "lo "
has "$out" "127.0.0.1/8"

# A twin, alone: no one at the other end.
run 0 info --wait 0 ixgbe:twin
has "$out" "Intel 82599 (10FB, SFP+)"
has "$out" "model: its figures are not hardware figures"
has "$out" "link         down"
has "$out" "no signal"
has "$out" "filter_perfect     yes"
run 0 info --wait 0 'ixgbe:twin?module=none&id=10fb&queues=4&interrupts=1&mac=02:00:00:00:00:05'
has "$out" "no module in the cage"
has "$out" "queues       4 of "
has "$out" "02:00:00:00:00:05"
has "$out" "interrupts         yes"

# With a tunnel at the other end the link comes up.
run 0 info --json 'ixgbe:twin?udp=127.0.0.1:47391,127.0.0.1:47392'
has "$out" '"up":true'
has "$out" '"speed_mbps":10000'
has "$out" '"diagnosis":null'

# An alias of the configuration file.
printf '[devices]\nfeed = ixgbe:twin?id=10f9\n[info]\nwait = 0\n' >"$work/shunt.ini"
run 0 info --config "$work/shunt.ini" feed
has "$out" "10F9, CX4"

# Mistakes.
run 1 info ixgbe:twin?colour=red
has "$err" "colour"
run 1 info xyz:eth0
has "$err" 'there is no driver "xyz"'
run 1 info ixgbe:ffff:1f:1f.7
has "$err" "there is no PCI device"
run 1 info --json ixgbe:nonsense
has "$out" '"error":'
run 2 info --root "$root" ixgbe:twin
has "$err" "can't be opened in a copy"
finish
