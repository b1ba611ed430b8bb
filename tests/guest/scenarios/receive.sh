# SPDX-License-Identifier: BSD-2-Clause
# What Linux's ixgbe asks the card to receive, and into which queue: VLANs, multicast, promiscuous
# mode, RSS over four queues, an n-tuple rule. Our echo and our sender are the far end.
# shellcheck shell=bash

guest_cpus=4

host() {
  twins guest far sender
  start echo "$build/bin/shunt" echo "ixgbe:vfio-user:$work/far.sock" --ip 10.0.0.1/24 \
    --queue-wait wait
  boot guest "$work/guest.sock"
  no_faults guest
}
# 20 frames from 10.0.0.FLOW to the guest's port 9001, to a MAC address.
host_send() { # FLOW MAC
  if "$build/bin/shunt" send "ixgbe:vfio-user:$work/sender.sock" --quiet --rate 0 --count 20 \
    --udp "10.0.0.$1:9000,10.0.0.2:9001" --mac "$2" >"$work/send.log" 2>&1; then
    echo sent
  else
    tail -n 1 "$work/send.log"
  fi
}

received() { cat "/sys/class/net/$nic/statistics/rx_packets"; }
# How many of the 20 frames that the host sends the kernel gets.
arrive() { # FLOW MAC
  local before answer
  before=$(received)
  answer=$(ask send "$1" "$2")
  [[ $answer = sent ]] || echo "$answer"
  sleep 0.3
  echo $(($(received) - before))
}
queues() {
  local queue
  for queue in 0 1 2 3; do
    statistic rx_queue_${queue}_packets
  done | tr '\n' ' '
}
# By how much each queue's count grows by 20 answered pings from each of 8 addresses.
spread() {
  local before after host queue
  read -r -a before <<<"$(queues)"
  for host in 10 11 12 13 14 15 16 17; do
    ping -q -c 20 -i 0.005 -w 5 -I "10.0.0.$host" 10.0.0.1 >/dev/null
  done
  read -r -a after <<<"$(queues)"
  for queue in 0 1 2 3; do
    printf '%s ' $((after[queue] - before[queue]))
  done
}

guest() {
  nic_up 10.0.0.2/24
  mac=$(cat "/sys/class/net/$nic/address")

  vlans
  addresses
  steering
}

vlans() {
  ip link add link "$nic" name vlan7 type vlan id 7
  ip link set vlan7 up
  ip route add 10.0.0.1 dev vlan7 src 10.0.0.2
  has "VLAN 7: ping, tags inserted and stripped" ' 0% packet loss' \
    "$(ping -q -c 5 -i 0.1 -w 10 10.0.0.1)"
  is "VLAN 7: what came was counted there" yes \
    "$( (($(cat /sys/class/net/vlan7/statistics/rx_packets) >= 5)) && echo yes)"
  ip link del vlan7
  has "no VLAN: ping afterwards" ' 0% packet loss' "$(ping -q -c 5 -i 0.1 -w 10 10.0.0.1)"
}

addresses() {
  local group=01:00:5e:01:02:03 stranger=02:00:00:00:00:77
  is "unicast to us" 20 "$(arrive 9 "$mac")"
  is "multicast that nobody joined" 0 "$(arrive 9 $group)"
  ip maddr add $group dev "$nic"
  is "multicast, joined" 20 "$(arrive 9 $group)"
  ip maddr del $group dev "$nic"
  is "multicast, left" 0 "$(arrive 9 $group)"
  is "unicast to someone else" 0 "$(arrive 9 $stranger)"
  ip link set "$nic" promisc on
  is "unicast to someone else, promiscuous" 20 "$(arrive 9 $stranger)"
  ip link set "$nic" promisc off
  is "unicast to someone else, no longer promiscuous" 0 "$(arrive 9 $stranger)"
}

steering() {
  local counts host
  for host in 10 11 12 13 14 15 16 17; do
    ip addr add "10.0.0.$host/24" dev "$nic"
  done
  # Nobody asks for addresses meanwhile.
  ip neigh replace 10.0.0.1 lladdr "$(ip neigh show 10.0.0.1 | grep -o '..:..:..:..:..:..')" dev "$nic"
  has "RSS: 4 queues" 'with 4 RX ring' "$(ethtool -x "$nic")"
  counts=$(spread)
  is "RSS: 160 answers, each in a queue ($counts)" 160 "$((${counts// /+}0))"
  is "RSS: in more than one queue" yes \
    "$( (($(tr ' ' '\n' <<<"$counts" | grep -c '[1-9]') > 1)) && echo yes)"
  ethtool -X "$nic" weight 0 0 0 1
  is "RSS: the table says queue 3 alone" "0 0 0 160 " "$(spread)"

  ethtool -K "$nic" ntuple on
  await carrier "$nic"
  ethtool -X "$nic" weight 1 0 0 0
  ethtool -N "$nic" flow-type udp4 dst-port 9001 action 2 ||
    not_ok "n-tuple: a rule" "$(dmesg | tail -n 2)"
  counts=$(statistic rx_queue_2_packets)
  is "n-tuple: 20 frames of its flow come" 20 "$(arrive 9 "$mac")"
  is "n-tuple: in the rule's queue" 20 $(($(statistic rx_queue_2_packets) - counts))
}
