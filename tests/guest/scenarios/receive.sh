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
# 20 times the frame that stands there in hex digits: a capture of one record (pcap) in a loop.
host_frame() { # FRAME
  local frame=$1 bytes
  while ((${#frame} < 120)); do frame+=00; done
  bytes=$(printf '%02x000000' $((${#frame} / 2)))
  "$busybox" xxd -r -p >"$work/frame.pcap" <<<"d4c3b2a1020004000000000000000000 0000040001000000 \
    0000000000000000 $bytes $bytes $frame"
  if "$build/bin/shunt" send "ixgbe:vfio-user:$work/sender.sock" --quiet --rate 0 --loops 20 \
    --pcap "$work/frame.pcap" >"$work/send.log" 2>&1; then
    echo sent
  else
    tail -n 1 "$work/send.log"
  fi
}

received() { cat "/sys/class/net/$nic/statistics/rx_packets"; }
have_come() { (($(received) >= $1)); }
# So many of the 20 frames that the host sends are what the kernel gets, and no more.
arrive() { # NAME HOW-MANY send FLOW MAC, or frame FRAME
  local before answer
  before=$(received)
  answer=$(ask "${@:3}")
  [[ $answer = sent ]] || not_ok "the host sends" "$answer"
  await have_come $((before + $2))
  sleep 0.3
  is "$1" "$2" $(($(received) - before))
}
guest() {
  nic_up 10.0.0.2/24
  mac=$(cat "/sys/class/net/$nic/address")

  vlans
  addresses
  steering
}

# A frame to us with a tag, of an EtherType for experiments (IEEE 802).
tagged() { echo "${mac//:/}0200000000018100${1}88b5"; } # TAG
vlans() {
  ip link add link "$nic" name vlan7 type vlan id 7
  ip link set vlan7 up
  ip route add 10.0.0.1 dev vlan7 src 10.0.0.2
  has "VLAN 7: ping, tags inserted and stripped" ' 0% packet loss' \
    "$(pings_at_once 5 10.0.0.1)"
  is "VLAN 7: what came was counted there" yes \
    "$( (($(cat /sys/class/net/vlan7/statistics/rx_packets) >= 5)) && echo yes)"
  arrive "VLAN 7: frames of the host's come" 20 frame "$(tagged 0007)"
  arrive "VLAN 8, which nobody joined: none" 0 frame "$(tagged 0008)"
  ip link del vlan7
  arrive "VLAN 7, left: none" 0 frame "$(tagged 0007)"
  has "no VLAN: ping afterwards" ' 0% packet loss' "$(pings_at_once 5 10.0.0.1)"
}

addresses() {
  local group=01:00:5e:01:02:03 stranger=02:00:00:00:00:77
  arrive "unicast to us" 20 send 9 "$mac"
  arrive "multicast that nobody joined" 0 send 9 $group
  ip maddr add $group dev "$nic"
  arrive "multicast, joined" 20 send 9 $group
  ip maddr del $group dev "$nic"
  arrive "multicast, left" 0 send 9 $group
  arrive "unicast to someone else" 0 send 9 $stranger
  ip link set "$nic" promisc on
  arrive "unicast to someone else, promiscuous" 20 send 9 $stranger
  ip link set "$nic" promisc off
  arrive "unicast to someone else, no longer promiscuous" 0 send 9 $stranger
}

# ---- Queues ----

queues() { ethtool -S "$nic" | sed -n 's/^ *rx_queue_[0-3]_packets: //p' | tr '\n' ' '; }
queues_got() { # FRAMES
  local got
  read -r -a got <<<"$(queues)"
  ((got[0] + got[1] + got[2] + got[3] >= $1))
}
# The queue that 20 frames came to, all of them, of what a command has sent to us.
queue_of() { # COMMAND...
  local before after queue
  read -r -a before <<<"$(queues)"
  "$@" >/dev/null
  await queues_got $((before[0] + before[1] + before[2] + before[3] + 20))
  read -r -a after <<<"$(queues)"
  for queue in 0 1 2 3; do
    ((after[queue] - before[queue] == 20)) && printf '%s ' $queue
  done
}

# Toeplitz: the key's 32 bits at the place of each bit that is set (datasheet 7.1.2.8.1).
toeplitz() { # INPUT, both it and the key in hex digits
  local bit hash=0
  for ((bit = 0; bit < 4 * ${#1}; bit++)); do
    ((16#${1:bit / 8 * 2:2} >> (7 - bit % 8) & 1)) &&
      hash=$((hash ^ (16#${key:bit / 8 * 2:10} >> (8 - bit % 8) & 0xFFFFFFFF)))
  done
  echo $hash
}
# What ethtool -x tells: the key, the table, and by them the queues of some inputs.
queues_told() { # INPUT...
  local told key table input
  told=$(ethtool -x "$nic")
  key=$(grep -A 1 'RSS hash key' <<<"$told" | tail -n 1 | tr -d ':')
  read -r -a table <<<"$(sed -n 's/^ *[0-9]*: //p' <<<"$told" | tr '\n' ' ')"
  for input; do
    printf '%s ' "${table[$(toeplitz "$input") % 128]}"
  done
}

# Flows of pings, by the last byte of our address; and of TCP, by the other side's port.
example_key=6d:5a:56:da:25:5b:0e:c2:41:67:25:3d:43:a3:8f:b0:d0:ca:2b:cb
example_key+=:ae:7b:30:b4:77:cb:2d:a3:80:30:f2:0c:6a:42:b7:3b:be:ac:01:fa
hosts=(10 11 14 15 16 17)
ports=(03e8 03e9 03ea 03eb)
answers() { pings_at_once 20 -I "10.0.0.$1" 10.0.0.1; } # OUR-HOST
segments() { # SOURCE-PORT: 20 acknowledgements, from 10.0.0.1 to 10.0.0.2, port 9001
  local ethernet=${mac//:/}0200000000010800 ip=4500002800004000400626ce0a0000010a000002
  ask frame "$ethernet$ip${1}2329000000010000000150101000000000000000"
}
spread() { # WHAT
  local host port inputs=() seen=''
  for host in "${hosts[@]}"; do
    inputs+=("$(printf '0a0000010a0000%02x' "$host")")
    seen+=$(queue_of answers "$host")
  done
  for port in "${ports[@]}"; do
    inputs+=("0a0000010a000002${port}2329")
    seen+=$(queue_of segments "$port")
  done
  told=$(queues_told "${inputs[@]}")
  is "RSS, $1: ${#inputs[@]} flows in the queues that ethtool -x tells" "$told" "$seen"
}

steering() {
  local host before
  for host in "${hosts[@]}"; do
    ip addr add "10.0.0.$host/24" dev "$nic"
  done
  # Nobody asks for addresses meanwhile.
  ip neigh replace 10.0.0.1 lladdr "$(ip neigh show 10.0.0.1 | grep -o '..:..:..:..:..:..')" dev "$nic"
  has "RSS: 4 queues" 'with 4 RX ring' "$(ethtool -x "$nic")"
  spread "the driver's key"
  # The key of the datasheet's examples, by which these hosts are in four queues.
  succeeds "RSS: a key" ethtool -X "$nic" hkey "$example_key"
  spread "the example's key"
  is "RSS: all four queues are in use" 4 "$(tr ' ' '\n' <<<"$told" | grep . | sort -u | wc -l)"
  succeeds "RSS: a table" ethtool -X "$nic" weight 0 1 0 3
  spread "another table"

  ethtool -K "$nic" ntuple on
  await carrier "$nic"
  ethtool -X "$nic" weight 1 0 0 0
  succeeds "n-tuple: a rule" ethtool -N "$nic" flow-type udp4 dst-port 9001 action 2
  before=$(statistic rx_queue_2_packets)
  arrive "n-tuple: 20 frames of its flow come" 20 send 9 "$mac"
  is "n-tuple: in the rule's queue" 20 $(($(statistic rx_queue_2_packets) - before))
  is "n-tuple: others are where the table says" 0 "$(queue_of answers 10 | tr -d ' ')"
}
