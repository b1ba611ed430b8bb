# SPDX-License-Identifier: BSD-2-Clause
# Our own driver inside of a real kernel takes the card from Linux's ixgbe, answers, and gives it
# back: once through vfio-pci behind an IOMMU, once through sysfs with huge pages and no IOMMU.
# shellcheck shell=bash

pings=0
host() {
  bring_programs shunt
  twins guest far
  guest_devices=(-device intel-iommu,caching-mode=on)
  guest_append="intel_iommu=on hugepages=16"
  boot vfio "$work/guest.sock"
  guest_devices=()
  guest_append="hugepages=16"
  boot sysfs "$work/guest.sock"
  no_faults guest
}
# Pings from the far twin, with our driver there as well. However long an answer takes: what was lost is
# lost.
host_ping() {
  pings=$((pings + 1))
  timeout 200 "$build/bin/shunt" ping "ixgbe:vfio-user:$work/far.sock" 10.0.0.2 --ip 10.0.0.1/24 \
    --mac 02:00:00:82:59:90 --count 200 --timeout 30 --give-up 60 --queue-wait wait --quiet --json \
    >"$work/ping$pings.log" 2>&1
  echo "$? $(grep -E '"(answered|lost|error|message)"' "$work/ping$pings.log" | tr -d '\n')"
}

guest() {
  nic_up 10.0.0.2/24
  ip link set "$nic" down
  case $guest_name in
  vfio)
    modprobe vfio-pci
    modprobe vfio_iommu_type1
    succeeds "take for vfio-pci" shunt bind "$(card)"
    is "vfio-pci has it" vfio-pci "$(driver)"
    has "an IOMMU stands before it" '/iommu_groups/' "$(readlink "$(folder)/iommu_group")"
    answers wait
    ;;
  sysfs)
    succeeds "take from Linux" shunt bind -d none "$(card)"
    is "no driver has it" "" "$(driver)"
    answers yield
    is "our driver was in huge pages" yes "$( ((huge_pages_taken > 0)) && echo yes)"
    ;;
  esac
  succeeds "give back" shunt unbind "$(card)"
  linux_again
}

folder() { echo "/sys/bus/pci/devices/$(card)"; }
driver() { basename "$(readlink "$(folder)/driver")"; }
huge_pages_free() { sed -n 's/^HugePages_Free: *//p' /proc/meminfo; }

answers() { # WAIT: how our driver waits for frames; interrupts come through vfio alone
  local free
  free=$(huge_pages_free)
  shunt echo "ixgbe:$(card)" --ip 10.0.0.2/24 --queue-wait "$1" >/tmp/log 2>&1 &
  local echo=$!
  await grep -q -s ready /tmp/log || not_ok "our driver starts" "$(tr '\n' ';' </tmp/log)"
  cat /tmp/log
  huge_pages_taken=$((free - $(huge_pages_free)))
  has "our driver answers 200 pings" '^0 ' "$(ask ping)"
  kill -TERM $echo
  wait $echo
  is "our driver ends well" 0 $?
}
linux_again() {
  await interface >/dev/null
  nic_up 10.0.0.2/24
  has "Linux's ixgbe has it again" 'driver: ixgbe' "$(ethtool -i "$nic")"
  has "Linux's ixgbe answers 200 pings" '^0 ' "$(ask ping)"
}
