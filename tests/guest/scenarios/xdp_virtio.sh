# SPDX-License-Identifier: BSD-2-Clause
# Our AF_XDP driver on virtio-net: two NICs of one guest, joined by a cable, the far one in a network
# namespace. The newest kernel grants zero copy, the stable one has none: either way shunt says so, and
# frames go both ways, a program stops reading, rings are full.
# shellcheck shell=bash

host() {
  bring_programs shunt guest-xdp-ring
  nic near
  nic far
  boot guest ""
}
# Without a legacy interface and behind the IOMMU's rules, or the kernel's driver has no zero copy.
nic() { # NAME
  guest_devices+=(-netdev "hubport,id=$1,hubid=0" -device
    "virtio-net-pci,netdev=$1,iommu_platform=on,disable-legacy=on,romfile=,mac=${macs[$1]}")
}
declare -A macs=([near]=02:00:00:00:00:02 [far]=02:00:00:00:00:01)

# ---- The guest ----

guest() {
  modprobe virtio_net
  await [ -d /sys/class/net/eth1 ] || not_ok "there are two NICs" "$(ls /sys/class/net)"
  echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
  echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
  ip netns add far
  ip link set eth1 netns far
  # 10.0.0.2 is ours, the others are the kernel's.
  near=eth0 far=eth1
  ip addr add 10.0.0.3/24 dev $near
  ip link set $near up
  ip -n far addr add 10.0.0.1/24 dev $far
  ip -n far link set $far up
  ip -n far neigh add 10.0.0.2 lladdr "${macs[near]}" dev $far
  await carrier $near
  granted
  both_ways
  beside_the_kernel
  busy_polled
  stalled
  full
}

far() { ip netns exec far "$@"; } # COMMAND...
near_port() { echo "xdp:$near?mode=drv&rules=dst 10.0.0.2${1:-}"; } # KEYS
far_port() { echo "xdp:$far?mode=drv&rules=dst 10.0.0.4${1:-}"; }   # KEYS
has_zero_copy() { grep -q kernel=newest /proc/cmdline; }

granted() {
  if has_zero_copy; then
    has "zero copy is granted" 'AF_XDP, drv, zero copy' "$(shunt info "$(near_port)" 2>&1)"
    has "also where it is required" 'AF_XDP, drv, zero copy' \
      "$(shunt info "$(near_port '&zero_copy=require')" 2>&1)"
    has "at the far end, too" 'AF_XDP, drv, zero copy' "$(far shunt info "$(far_port)" 2>&1)"
    return
  fi
  has "a copy is granted" 'AF_XDP, drv, copy' "$(shunt info "$(near_port)" 2>&1)"
  has "why no zero copy" 'refused +drv, zero copy: the driver \(virtio_net\) has no zero copy' \
    "$(shunt info "$(near_port)" 2>&1)"
  has "zero copy that is required is refused, with the reason" \
    'does not grant drv, zero copy.*the driver \(virtio_net\) has no zero copy.*try' \
    "$(shunt info "$(near_port '&zero_copy=require')" 2>&1 | tr '\n' ' ')"
}

# Pings of the far end's port to the near one's, one after the other: how they ended.
pings() { # COUNT BYTES
  far shunt ping "$(far_port)" 10.0.0.2 --mac "${macs[near]}" --ip 10.0.0.4/24 --count "$1" --size "$2" \
    --timeout 30 --seconds 120 --json --queue-wait wait >/tmp/ping.log 2>/tmp/ping.err
  echo $? "$(reported ping answered)"
}

both_ways() {
  local bytes
  begin echo "$(near_port)" --ip 10.0.0.2/24
  for bytes in 0 1 56 1000 1472; do
    is "pings of $bytes bytes, each answer as the question" "0 100" "$(pings 100 $bytes)"
  done
}

# So many at a time as no queue on the way is too short for, and the next ones when these are answered.
kernel_pings() {
  local turn
  for turn in {1..10}; do
    far ping -q -c 10 -l 10 -S 200000 -i 20 -s 1000 -p 5a00ff1e 10.0.0.2
  done
}

# Of what the rules leave to it, and what it sends itself.
beside_the_kernel() {
  local sum
  head -c 4000000 /dev/urandom >/tmp/data
  sum=$(sha256sum </tmp/data)
  far nc -l -p 5000 </tmp/data >/dev/null &
  await far grep -q ':1388 0*:0000 0A' /proc/net/tcp /proc/net/tcp6
  is "the far kernel's pings are answered by us" "$(yes ' 0% packet loss' | head -n 10)" \
    "$(kernel_pings | grep -o ' [0-9.]*% packet loss')"
  is "TCP beside us, SHA-256 equal" "$sum" "$(timeout 60 sha256sum </dev/tcp/10.0.0.1/5000)"
  finish echo
}

# The driver is run by the program itself; where that were not so, a warning would say it.
busy_polled() {
  begin echo "$(near_port '&busy_poll_us=20')" --ip 10.0.0.2/24
  is "pings of a port that polls its driver" "0 100" "$(pings 100 1000)"
  finish echo
  is "nothing says that it polls nobody" "" "$(grep -o 'busy_poll_us does nothing' /tmp/echo.err)"
}

frames() { cat "/sys/class/net/$near/statistics/rx_packets"; }
came() { (($(frames) >= $1)); } # PACKETS
# What comes while a program does not read fills its ring. The rest waits at the sender where the NIC
# fills the ring itself, and is missed, and counted, where the kernel copies.
stalled() {
  local before asked sending send=2000 ring=512 missed no_room=0 comes=512
  has_zero_copy || no_room=$((send - ring)) comes=$send
  begin echo "$(near_port "&rx_ring=$ring")" --ip 10.0.0.2/24
  kill -STOP "$begun"
  before=$(frames)
  far shunt send "$(far_port)" --mac "${macs[near]}" --udp 10.0.0.4:9000,10.0.0.2:9000 --count $send \
    --rate 0 --size 1000 --seconds 120 --json >/tmp/send.log 2>/tmp/send.err &
  sending=$!
  succeeds "frames come, and a program does not read" await came $((before + comes))
  kill -CONT "$begun"
  wait "$sending"
  is "all are sent" "0 $send" "$? $(reported send sent_frames)"
  for asked in {1..30}; do
    far ping -q -c 1 -W 2 10.0.0.2 >/dev/null && break
  done
  is "it goes on: each ping is answered" "0 100" "$(pings 100 1000)"
  finish echo
  missed=$(reported echo missed_frames)
  is "what it got and what was missed is what was sent" $((send + asked + 100)) \
    $(($(reported echo received_frames) + missed))
  is "missed was what the ring had no room for, and pings that came too soon" yes \
    "$( ((missed >= no_room && missed < no_room + asked)) && echo yes || echo "$missed")"
}

# Both rings are offered more than they hold, and the other end gets what was sent, for all of which its
# own ring has room.
full() {
  begin recv "xdp:$near?mode=drv&rx_ring=4096" --expect 4096 --seconds 60
  is "full rings take no more, and all of them comes back" "sent 4096" \
    "$(far guest-xdp-ring "$(far_port '&tx_ring=64')" "${macs[near]}" 64 2>&1)"
  wait "$begun"
  is "the near end gets all" "0 4096 0" "$? $(reported recv frames) $(reported recv missed_frames)"
}
