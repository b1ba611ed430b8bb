# SPDX-License-Identifier: BSD-2-Clause
# What happens to a card in its life under Linux's ixgbe: the cable is pulled and plugged in, the
# card is reset under traffic, the driver is unloaded and loaded ten times.
# shellcheck shell=bash

host() {
  twins guest far
  start echo "$build/bin/shunt" echo "ixgbe:vfio-user:$work/far.sock" --ip 10.0.0.1/24 \
    --queue-wait wait
  boot guest "$work/guest.sock"
  no_faults guest
}
host_cut() { order_twins cut "$work/guest.sock" && echo ordered; }
host_join() { order_twins join "$work/guest.sock" && echo ordered; }
# What the twins' process holds: open files, mappings, memory of its own.
host_holds() {
  local files=("/proc/$twins_pid/fd/"*)
  echo "${#files[@]} files, $(wc -l <"/proc/$twins_pid/maps") mappings," \
    "$(sed -n 's/^VmData:[[:space:]]*//p' "/proc/$twins_pid/status") of data"
}

guest() {
  nic_up 10.0.0.2/24
  cable
  resets
  reloads
}

cable() {
  ask cut >/dev/null
  if await carrier "$nic" 0; then ok "carrier goes down with the cable"
  else not_ok "carrier goes down with the cable" "carrier 1"; fi
  ask join >/dev/null
  if await carrier "$nic"; then ok "carrier comes back with the cable"
  else not_ok "carrier comes back with the cable" "carrier 0"; fi
  has "ping with the cable back" ' 0% packet loss' "$(pings_at_once 5 10.0.0.1)"
}

received() { cat "/sys/class/net/$nic/statistics/rx_packets"; }
has_grown() { (($(received) >= $1 + $2)); }
# It flows: 200 more frames have come.
flows() { # AFTER-WHAT
  if await has_grown "$(received)" 200; then ok "a flood goes on after $1"
  else not_ok "a flood goes on after $1" "$(dmesg | tail -n 2 | tr '\n' ';')"; fi
}
# While a flood of pings runs: the chip is reset, and its rings are made anew in other sizes.
resets() {
  local turn flood
  # Without -w, with which it would end when told that nobody is there, as a link that is long in coming
  # up has the kernel say.
  ping -q -f 10.0.0.1 >/tmp/flood &
  flood=$!
  flows start
  for turn in 1 2 3; do
    succeeds "reset $turn" ethtool -r "$nic"
    flows "reset $turn"
    succeeds "rings of $((512 * turn))" ethtool -G "$nic" rx $((512 * turn)) tx $((512 * turn))
    flows "rings of $((512 * turn))"
  done
  kill -INT $flood
  wait $flood
  await carrier "$nic"
  has "ping after resets" ' 0% packet loss' "$(pings_at_once 5 10.0.0.1)"
}

reloads() {
  local turn first now
  for turn in 1 2 3 4 5 6 7 8 9 10; do
    rmmod ixgbe
    nic_up 10.0.0.2/24
    has "ping after load $turn" ' 0% packet loss' "$(pings_at_once 2 10.0.0.1)"
    now=$(ask holds)
    first=${first:-$now}
  done
  is "the twin holds what it held" "$first" "$now"
}
