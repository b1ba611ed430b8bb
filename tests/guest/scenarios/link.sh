# SPDX-License-Identifier: BSD-2-Clause
# Linux's ixgbe takes the twin for an 82599: link, what ethtool shows, ping, equal counts.
# shellcheck shell=bash

host() {
  twins guest far
  start echo "$build/bin/shunt" echo "ixgbe:vfio-user:$work/far.sock" --ip 10.0.0.1/24 --queue-wait wait
  boot guest "$work/guest.sock"
  # ethtool -d has the driver read the MSI-X pending bits where no register is: they are in BAR 4.
  is "the twin has one fault to report" "unknown_register:1" "$(faults_of guest)"
}
host_wire() { told guest sent sent_bytes delivered delivered_bytes; }

guest() {
  nic_up 10.0.0.2/24
  has "link at 10 Gb/s" 'Speed: 10000Mb/s.*Duplex: Full.*Link detected: yes' "$(ethtool "$nic")"
  has "ethtool -i" 'driver: ixgbe.*bus-info: 0000:' "$(ethtool -i "$nic")"
  has "ethtool -m" 'Identifier *: 0x03 \(SFP\).*Passive Cable' "$(ethtool -m "$nic")"
  has "ethtool -T" 'hardware-transmit.*hardware-receive.*hardware-raw-clock' "$(ethtool -T "$nic")"
  has "ethtool -d" 'LINKS.*Link Status: *up.*Link Speed: *10G' "$(ethtool -d "$nic")"
  has "ethtool -x" 'with 2 RX ring' "$(ethtool -x "$nic")"
  has "ethtool -e" 0x0000 "$(ethtool -e "$nic" length 128)"

  has "ping" ' 0% packet loss' "$(pings_at_once 10 10.0.0.1)"
  succeeds "flood ping" ping -q -f -c 2000 -w 60 10.0.0.1
  succeeds "flood ping of full frames" ping -q -f -c 500 -s 1472 -w 60 10.0.0.1

  counts_equal
}

# The driver reads the chip's counters every 2 s.
all_are_counted() {
  local sent sent_bytes received received_bytes counted
  read -r sent sent_bytes received received_bytes <<<"$(ask wire)"
  counted="$(statistic tx_pkts_nic) $(statistic tx_bytes_nic)"
  counted+=" $(statistic rx_pkts_nic) $(statistic rx_bytes_nic)"
  [[ $counted = "$sent $((sent_bytes + 4 * sent)) $sent $received_bytes" ]]
}
# What the driver and the chip counted is what was on the wire.
counts_equal() {
  local sent sent_bytes received received_bytes
  await all_are_counted
  read -r sent sent_bytes received received_bytes <<<"$(ask wire)"
  is "each frame is answered" "$sent" "$received"
  is "thousands of frames each way" yes "$( ((sent > 2500 && received > 2500)) && echo yes)"
  is "rx_packets is the wire's" "$received" "$(statistic rx_packets)"
  is "tx_packets is the wire's" "$sent" "$(statistic tx_packets)"
  is "rx_bytes is the wire's" "$received_bytes" "$(statistic rx_bytes)"
  is "rx_pkts_nic is the wire's" "$received" "$(statistic rx_pkts_nic)"
  is "tx_pkts_nic is the wire's" "$sent" "$(statistic tx_pkts_nic)"
  # Bytes with CRC, of received frames only where it is not stripped, which Linux has done.
  is "rx_bytes_nic is the wire's" "$received_bytes" "$(statistic rx_bytes_nic)"
  is "tx_bytes_nic is the wire's, with CRC" $((sent_bytes + 4 * sent)) "$(statistic tx_bytes_nic)"
  # (fdir_miss counts what no rule of the flow director's was for: all there is.)
  is "no error is counted" "" "$(ethtool -S "$nic" | grep -E 'err|drop|miss|fail|timeout|no_dma' |
    grep -v -e ': 0$' -e fdir_miss)"
}
