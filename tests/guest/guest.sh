# SPDX-License-Identifier: BSD-2-Clause
# The guest's side of a scenario: how it says what it found, and asks the host to act.
# shellcheck shell=bash

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: $2"; }
# is NAME WANTED GOT
is() {
  if [[ $2 = "$3" ]]; then ok "$1"; else not_ok "$1" "wanted $2, got $3"; fi
}
# has NAME PATTERN TEXT: a regular expression, as evidence the text's first lines
has() {
  if [[ $3 =~ $2 ]]; then ok "$1"; else not_ok "$1" "no \"$2\" in: $(head -c 300 <<<"$3" | tr '\n' ';')"; fi
}

# succeeds NAME COMMAND...
succeeds() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "$(tr '\n' ';' <<<"$output")"; fi
}

# Have the host run host_WORD; its answer is printed.
ask() {
  local answer
  echo "@$*" >/dev/console
  read -r answer </dev/console
  echo "${answer%$'\r'}"
}

# Wait for a condition, 20 s at most: await COMMAND...
await() {
  local turn
  for ((turn = 0; turn < 200; turn++)); do
    "$@" && return
    sleep 0.1
  done
  return 1
}

# So many pings, none of them lost, however late an answer is (20 s). Told to wait (-w), ping would send
# more of them meanwhile, and else give the last ones two round trips. (-S: room for all of them.)
pings_at_once() { ping -q -c "$1" -l "$1" -S 200000 -i 20 "${@:2}"; } # COUNT ARGUMENT...

# The name that boot was given.
guest_name=$(sed 's/.*guest=\([^ ]*\).*/\1/' /proc/cmdline)
# Programs of the build, if the scenario brings any.
PATH=/root/host/bin:$PATH

# ---- The card ----

carrier() { [[ $(cat "/sys/class/net/$1/carrier" 2>/dev/null) = "${2:-1}" ]]; }
# The 82599's address on the bus: found by its ids, as drivers do.
card() {
  local device
  for device in /sys/bus/pci/devices/*; do
    [[ $(cat "$device/vendor") = 0x8086 && $(cat "$device/device") =~ 0x10f[b9c] ]] &&
      basename "$device" && return
  done
}
interface() {
  local folder
  for folder in "/sys/bus/pci/devices/$(card)/net/"*; do
    [[ -d $folder ]] && basename "$folder" && return
  done
}

# Load Linux's ixgbe, give the interface an address and wait for its link.
nic_up() { # ADDRESS/BITS
  modprobe ixgbe || not_ok "modprobe ixgbe" "$(dmesg | tail -n 3)"
  await interface >/dev/null
  nic=$(interface)
  # Nothing but what the scenario sends: no router solicitations, no duplicate address detection.
  echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
  ip link set "$nic" up
  ip addr add "$1" dev "$nic"
  await carrier "$nic" || not_ok "the link comes up" "$(dmesg | tail -n 5 | tr '\n' ';')"
}

# Load Linux's efa. That it was built outside of the kernel is a warning.
efa_up() {
  modprobe ib_uverbs
  modprobe efa || not_ok "modprobe efa" "$(dmesg | tail -n 3)"
  await [ -c /dev/infiniband/uverbs0 ] || not_ok "efa has a device" "$(dmesg | tail -n 5 | tr '\n' ';')"
}

# The Ethernet between guests (lib.sh's cable).
cable_up() { # ADDRESS/BITS
  modprobe virtio_net
  await [ -d /sys/class/net/eth0 ] || not_ok "there is a cable" "$(dmesg | tail -n 5 | tr '\n' ';')"
  echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
  ip link set eth0 up
  ip addr add "$1" dev eth0
}

# A number of ethtool -S, 0 where there is none of that name.
statistic() { ethtool -S "$nic" | sed -n "s/^ *$1: //p" | grep . || echo 0; }

# ---- Our own commands ----

# One in the background, until it is ready: for a link that comes up, 30 s.
begin() { # COMMAND DEVICE ARGUMENT...
  local command=$1 turn
  shift
  rm -f "/tmp/$command.err"
  shunt "$command" "$@" --json --queue-wait wait --link-wait 30 \
    >"/tmp/$command.log" 2>"/tmp/$command.err" &
  begun=$!
  for ((turn = 0; turn < 400; turn++)); do
    grep -q -s ready "/tmp/$command.err" && return
    kill -0 "$begun" 2>/dev/null || break
    sleep 0.1
  done
  not_ok "shunt $command starts" "$(tr '\n' ';' <"/tmp/$command.err")"
}
finish() { # COMMAND
  kill -TERM "$begun"
  wait "$begun"
  is "shunt $1 ends well" 0 $?
}
# A number of its report.
reported() { sed -n "s/^ *\"$2\":\([0-9]*\).*/\1/p" "/tmp/$1.log" | head -n 1; } # COMMAND KEY

# Nothing that the kernel warns of since the scenario began. (The emulated machine itself is not
# without faults; init has put what came of those aside. That the host gave it no time for a while is
# one, that vfio-pci resets the card it is given is a warning to newer kernels, and that a virtio-net
# has too few queues for one a CPU is said at each XDP program.)
complaints() {
  is "the kernel has no complaint" "" "$(dmesg -r | grep '^<[0-4]>' |
    grep -v -e 'efa: loading out-of-tree module' -e 'vfio-pci .*: reset' -e 'virtio_net .*: XDP request [0-9]* queues but max is' -e 'hrtimer: interrupt took' -e 'workqueue: .* hogged CPU' |
    head -n 5 | tr '\n' ';')"
}
