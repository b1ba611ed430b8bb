# SPDX-License-Identifier: BSD-2-Clause
# TCP between Linux's ixgbe on the twin and the host's kernel, through a TAP interface: checksum and
# segmentation offload, both ways: a gigabyte, or what a minute carries; then jumbo frames.
# shellcheck shell=bash

megabytes=64 # of data, sent so often as a transfer says
long=16 short=1 # times
guest_mb=768
port=5000

host() {
  [[ -c /dev/net/tun ]] || skip "there is no /dev/net/tun"
  twins "guest?tap=shunt0"
  outside "$busybox" ip addr add 10.0.0.1/24 dev shunt0
  outside "$busybox" sysctl -q net.ipv6.conf.all.disable_ipv6=1
  head -c $((megabytes << 20)) /dev/urandom >"$work/data"
  mkfifo "$work/never"
  boot guest "$work/guest.sock"
  no_faults guest
}

# The data so often, or for a minute. Both sides have the same, so that the host, which is faster,
# can tell the sum of what either sent.
repeat() { # DATA TIMES
  local began=$SECONDS
  for ((turns = 0; turns < $2 && SECONDS < began + 60; turns++)); do
    cat "$1"
  done
}
sum() { sha256sum | cut -c 1-64; }

# ---- The host: a server, for one connection ----

netcat() { outside timeout 200 "$busybox" nc -l -p $port; }
transferred() { wait "$transfer" || not_ok "the transfer ends" "exit code $? (124: not within 200 s)"; }

listens() { outside grep -q ':1388 0*:0000 0A' /proc/net/tcp /proc/net/tcp6; } # port 5000, TCP_LISTEN
host_serve() { # TIMES
  echo 0 >"$work/turns" # until all is sent
  { repeat "$work/data" "$1" && echo "$turns" >"$work/turns"; } | netcat &
  transfer=$!
  await "the host listens" listens
  echo listening
}
host_served() {
  transferred
  repeat "$work/data" "$(<"$work/turns")" | sum
}
host_sum() { repeat "$work/data" "$1" | sum; } # TIMES
host_listen() {
  # Until the other side ends: busybox's nc ends, too, where its own input does.
  netcat 0<>"$work/never" | sum >"$work/received" &
  transfer=$!
  await "the host listens" listens
  echo listening
}
host_received() {
  transferred
  cat "$work/received"
}

# ---- The guest ----

transfer() { # WHAT TIMES
  local got began=$SECONDS
  ask serve "$2" >/dev/null
  got=$(sum </dev/tcp/10.0.0.1/$port)
  echo "received in $((SECONDS - began)) s"
  is "$1: received, SHA-256 equal" "$(ask served)" "$got"
  began=$SECONDS
  ask listen >/dev/null
  repeat /tmp/data "$2" >/dev/tcp/10.0.0.1/$port
  got=$(ask received)
  echo "sent $turns times $megabytes MiB in $((SECONDS - began)) s, at $SECONDS s"
  is "$1: sent, SHA-256 equal" "$(ask sum "$turns")" "$got"
}

# Count an event of the kernel's while a transfer runs.
traced() { # EVENT FILTER COMMAND...
  local event=/sys/kernel/tracing/events/net/$1
  echo "$2" >"$event/filter"
  echo >/sys/kernel/tracing/trace
  echo 1 >"$event/enable"
  "${@:3}"
  echo 0 >"$event/enable"
  events=$(grep -c " $1: " /sys/kernel/tracing/trace)
}

# That the kernel leaves sums and segments to the card: more bytes than a frame has and a checksum
# to be filled in (CHECKSUM_PARTIAL, 3), thousands of segments of which the sum was seen to be right
# (CHECKSUM_UNNECESSARY, 1).
offloads() {
  has "offloads are on" 'rx-checksumming: on.*tx-checksumming: on.*tcp-segmentation-offload: on' \
    "$(ethtool -k "$nic")"
  mount -t tracefs none /sys/kernel/tracing
  traced net_dev_start_xmit 'len > 20000 && gso_size > 0 && ip_summed == 3' transfer TSO $short
  is "TSO: hundreds of long frames go to the card, sums open ($events)" yes \
    "$( ((events >= 500)) && echo yes)"
  traced napi_gro_receive_entry 'ip_summed == 1' transfer "checked by the card" $short
  is "received frames' sums are the card's word ($events)" yes "$( ((events >= 5000)) && echo yes)"
}

guest() {
  nic_up 10.0.0.2/24
  ask serve 1 >/dev/null
  cat </dev/tcp/10.0.0.1/$port >/tmp/data
  is "the data, SHA-256 equal" "$(ask served)" "$(sum </tmp/data)"
  offloads
  transfer "a gigabyte, or a minute" $long

  ip link set "$nic" mtu 9000
  await carrier "$nic"
  has "ping of 9000 bytes" ' 0% packet loss' "$(pings_at_once 5 -M "do" -s 8972 10.0.0.1)"
  transfer "MTU 9000" $short
  is "no checksum was wrong" 0 "$(statistic rx_csum_offload_errors)"
}
