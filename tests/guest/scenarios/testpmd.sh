# SPDX-License-Identifier: BSD-2-Clause
# DPDK's own driver on the twin, through vfio-pci behind an IOMMU: testpmd sends back what our
# sender sends it; our receiver, on a third twin, sees each frame on both ways.
# shellcheck shell=bash

# DPDK counts what it received by QPRC, which lies in a page that a client may map and clears when
# it is read: only where every access is a message does the twin see that (areas=off).

guest_mb=1024
guest_devices=(-device intel-iommu,caching-mode=on)
guest_append="intel_iommu=on hugepages=128"
extra=(testpmd)
frames=2000 # at 1000 a second, which emulation can hold

host() {
  bring_programs shunt
  twins "guest?areas=off" sender receiver
  boot guest "$work/guest.sock"
  no_faults guest
}
# Answers: the receiver's exit code, frames as they were sent, frames with their addresses swapped.
host_exchange() {
  local receiver
  rm -f "$work/recv.log"
  "$build/bin/shunt" recv "ixgbe:vfio-user:$work/receiver.sock" --json --queue-wait wait \
    --pcap "$work/received.pcapng" --expect $((2 * frames)) --seconds 60 >"$work/recv.log" 2>&1 &
  receiver=$!
  running+=("$receiver")
  await "our receiver is ready" grep -q -s ready "$work/recv.log"
  "$build/bin/shunt" send "ixgbe:vfio-user:$work/sender.sock" --json --queue-wait wait \
    --count $frames --udp 10.0.0.1:9000,10.0.0.2:9001 --mac 02:00:00:82:59:90 >"$work/send.log" 2>&1
  wait $receiver
  echo $? "$(frames_from_to '\x91' '\x90')" "$(frames_from_to '\x90' '\x91')"
}
# Twins' addresses differ in the last byte, in the order of their making: guest 90, sender 91.
frames_from_to() { # BYTE BYTE
  LC_ALL=C grep -aob -P "\\x02\\x00\\x00\\x82\\x59$2\\x02\\x00\\x00\\x82\\x59$1\\x08\\x00" \
    "$work/received.pcapng" | wc -l
}

guest() {
  modprobe vfio-pci
  modprobe vfio_iommu_type1
  succeeds "take for vfio-pci" shunt bind "$(card)"
  mkdir -p /dev/hugepages
  mount -t hugetlbfs none /dev/hugepages
  mkfifo /tmp/commands
  # Rings that hold all frames: whoever has to wait for a CPU here, none is dropped.
  dpdk-testpmd -l 0,1 -n 1 -a "$(card)" -- -i --total-num-mbufs=8192 --rxd=2048 --txd=2048 </tmp/commands \
    >/tmp/testpmd.log 2>&1 &
  exec 5>/tmp/commands
  await grep -q -s 'testpmd>' /tmp/testpmd.log ||
    not_ok "testpmd starts" "$(tail -n 5 /tmp/testpmd.log | tr '\n' ';')"
  forward io $((2 * frames)) 0
  forward macswap $frames $frames
  echo quit >&5
  wait
  equal_statistics
}

forward() { # MODE AS-SENT SWAPPED
  printf '%s\n' "set fwd $1" "clear port stats all" start >&5
  is "testpmd $1: our receiver got all frames, both ways" "0 $2 $3" "$(ask exchange)"
  printf '%s\n' stop "show port stats 0" >&5
}

# What testpmd prints comes in blocks, the last at its end.
equal_statistics() {
  local statistics=''
  [[ -s /tmp/testpmd.log ]] && statistics=$(sed -n '/NIC statistics for port/,/Throughput/p' \
    /tmp/testpmd.log | grep -E 'RX-packets|TX-packets' | tr '\n' ' ' | tr -s ' ')
  local once=" RX-packets: $frames RX-missed: 0 .*TX-packets: $frames TX-errors: 0 "
  has "testpmd: as many in its statistics, both ways, both times" "$once.*$once" " $statistics "
}
