# SPDX-License-Identifier: BSD-2-Clause
# TCP between Linux's ixgbe on the twin and the host's kernel, through a TAP interface: checksum and
# segmentation offload, both ways, at two MTUs. The transfers are HTTP, busybox at both ends.
# shellcheck shell=bash

megabytes=64
guest_mb=768

host() {
  [[ -c /dev/net/tun ]] || skip "there is no /dev/net/tun"
  twins "guest?tap=shunt0"
  outside "$busybox" ip addr add 10.0.0.1/24 dev shunt0
  outside "$busybox" sysctl -q net.ipv6.conf.all.disable_ipv6=1
  mkdir "$work/web"
  head -c "${megabytes}M" /dev/urandom >"$work/web/data"
  start web outside "$busybox" httpd -f -p 5000 -h "$work/web"
  boot guest "$work/guest.sock"
  no_faults guest
}
sum() { sha256sum | cut -c 1-64; }
host_sum() { sum <"$work/web/data"; }
host_fetch() { outside "$busybox" wget -q -O - http://10.0.0.2:5000/data | sum; }

transfer() { # MTU
  local wanted began
  wanted=$(ask sum)
  began=${EPOCHREALTIME/./}
  wget -q -O /tmp/data http://10.0.0.1:5000/data
  echo "received in $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
  is "MTU $1: received, sha256 equal" "$wanted" "$(sum </tmp/data)"
  began=${EPOCHREALTIME/./}
  is "MTU $1: sent, sha256 equal" "$wanted" "$(ask fetch)"
  echo "sent in $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
  rm /tmp/data
}

guest() {
  nic_up 10.0.0.2/24
  has "offloads are on" 'rx-checksumming: on.*tx-checksumming: on.*tcp-segmentation-offload: on' \
    "$(ethtool -k "$nic")"
  httpd -p 5000 -h /tmp
  transfer 1500
  is "no checksum was wrong" 0 "$(statistic rx_csum_offload_errors)"

  ip link set "$nic" mtu 9000
  await carrier "$nic"
  has "ping of 9000 bytes" ' 0% packet loss' "$(ping -q -M "do" -s 8972 -c 5 -i 0.1 -w 10 10.0.0.1)"
  transfer 9000
  is "no checksum was wrong at 9000" 0 "$(statistic rx_csum_offload_errors)"
}
