#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt bind and unbind on a tree of our own. A tree of plain files does not react as a kernel does,
# so what succeeds here is what needs no reaction; test_pci_bind plays the kernel.
set -euo pipefail
shunt=$1/bin/shunt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/tree.sh
source "$2/tests/cli/tree.sh"

root=$work/root
put_pci "$root" 0000:03:00.0 0x8086 0x10fb 0x020000 ixgbe 7
put_interface "$root" 0000:03:00.0 wan 1 10000
put_pci "$root" 0000:04:00.0 0x8086 0x10fb 0x020000 ixgbe ''
put_pci "$root" 0000:05:00.0 0x8086 0x10fb 0x020000 '' ''
put_pci "$root" 0000:06:00.0 0x8086 0x10fb 0x020000 vfio-pci 8
put_pci "$root" 0000:09:00.0 0x144d 0xa808 0x010802 nvme 11
put "$root" proc/net/route "$route_header
wan	00000000	0100000A	0003	0	0	0	00000000	0	0	0"

# Addresses.
run 1 bind --root "$root" 0000:33:00.0
has "$err" "there is no PCI device 0000:33:00.0"
has "$err" "the nearest that there are: 0000:09:00.0"
for address in eth0 3:0 0000:03:00.8 0000:03:20.0 0000:03:00.0x ../../etc ''; do
  run 1 bind --root "$root" "$address"
  has "$err" "why: "
  run 1 unbind --root "$root" "$address"
done
run 2 bind --root "$root"
has "$err" "an argument is missing: ADDRESS"
run 2 bind --root "$root" 0000:03:00.0 none
has "$err" '"none" is one argument too many'

# What is refused, with the remedy, and nothing was written.
run 1 bind --root "$root" 0000:03:00.0
has "$err" "carries this machine's default route"
has "$err" "shunt bind --force 0000:03:00.0"
run 1 bind --root "$root" 04:00.0
has "$err" "no IOMMU group"
has "$err" "shunt bind 0000:04:00.0 --driver none"
run 1 bind --root "$root" --driver uio_pci_generic 0000:04:00.0
has "$err" "modprobe uio_pci_generic"
run 1 bind --root "$root" --driver ../ixgbe 0000:04:00.0
has "$err" "is no driver's name"
run 1 bind --root "$root" 0000:06:00.0
has "$err" "bound to vfio-pci already"
run 1 bind --root "$root" 0000:09:00.0
has "$err" "is no network device"
run 1 unbind --root "$root" 0000:04:00.0
has "$err" "is not taken"
run 1 bind --json --root "$root" 0000:03:00.0
has "$out" '"code":-16'
has "$out" '"remedy":'
for device in "$root"/sys/bus/pci/devices/*; do
  [ "$(cat "$device/driver_override")" = "(null)" ] || complain "$device was changed"
done

# There and back, for a card that nobody drives. Plain files keep what is not overwritten.
put "$root" sys/bus/pci/devices/0000:05:00.0/driver_override ''
run 0 bind --root "$root" --driver none 05:00.0
has "$out" "0000:05:00.0: taken from none, now with nobody, for use through sysfs"
has "$(cat "$root/sys/bus/pci/devices/0000:05:00.0/driver_override")" none
run 1 bind --root "$root" --driver none 0000:05:00.0
has "$err" "bound to none already"
run 0 info --root "$root"
has "$out" "driver none (taken from none)"
run 0 unbind --json --root "$root" 0000:05:00.0
has "$out" '"driver":null'
run 0 bind --json --root "$root" -d none 0000:05:00.0
has "$out" '"taken_from":"none"'
run 0 unbind --root "$root" 0000:05:00.0
has "$out" "0000:05:00.0: given back to nobody"

# A kernel that does not react: what was asked for did not happen, and is not claimed.
put "$root" sys/bus/pci/drivers/ixgbe/unbind ''
run 1 bind --root "$root" --driver none --force 0000:03:00.0
has "$err" "can't bind 0000:03:00.0 to none"
has "$err" "its driver is ixgbe now"
finish
