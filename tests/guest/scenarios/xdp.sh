# SPDX-License-Identifier: BSD-2-Clause
# Linux's ixgbe in AF_XDP zero-copy mode on the twin: an XSK socket on queue 0 answers our pings.
# Then the card's clock: it advances, and stamps what is sent.
# shellcheck shell=bash

host() {
  bring_programs guest-xdp-echo guest-clock
  twins guest far
  boot guest "$work/guest.sock"
  no_faults guest
}
ping_guest() { # COUNT
  timeout 200 "$build/bin/shunt" ping "ixgbe:vfio-user:$work/far.sock" 10.0.0.2 --ip 10.0.0.1/24 \
    --count "$1" --timeout 30 --give-up 60 --quiet --queue-wait wait >"$work/ping.log" 2>&1
}
# However long an answer takes; but ARP waits for 3 s only.
host_ping() {
  local turn
  for turn in {1..5}; do
    ping_guest 1 && break
  done
  ping_guest 200
  echo $?
}

guest() {
  nic_up 10.0.0.3/24
  # One queue, so that all comes to the socket's.
  ethtool -L "$nic" combined 1
  await carrier "$nic"
  zero_copy
  clock
}

zero_copy() {
  guest-xdp-echo "$nic" 10.0.0.2 300 >/tmp/xdp.log 2>&1 &
  local echo=$! answered
  await grep -q -E -s 'bound|guest-xdp' /tmp/xdp.log
  has "AF_XDP binds in zero-copy mode" bound "$(cat /tmp/xdp.log)"
  await carrier "$nic"
  is "AF_XDP answers 200 pings, none lost" 0 "$(ask ping)"
  kill -TERM $echo
  wait $echo
  answered=$(sed -n 's/answered //p' /tmp/xdp.log)
  is "AF_XDP answered them all, and ARP" yes "$( ((answered >= 202)) && echo yes)"
  await carrier "$nic"
}

clock() {
  local report advanced stamped again
  ip neigh replace 10.0.0.9 lladdr 02:00:00:00:00:09 dev "$nic"
  report=$(guest-clock "$nic" /dev/ptp0 10.0.0.9 2>&1)
  advanced=$(sed -n 's/advanced //p' <<<"$report")
  stamped=$(sed -n 's/stamped //p' <<<"$report")
  again=$(sed -n 's/again //p' <<<"$report")
  is "the card's clock goes as the kernel's, within 5 %" yes \
    "$( ((advanced > 950 && advanced < 1050)) && echo yes || echo "$report")"
  is "a sent frame is stamped, within a second" yes \
    "$([[ $stamped ]] && ((stamped >= 0 && stamped < 1000)) && echo yes || echo "$report")"
  is "the next is stamped later, by the pause between them" yes \
    "$([[ $again ]] && ((again >= 195 && again < 1200)) && echo yes || echo "$report")"
}
