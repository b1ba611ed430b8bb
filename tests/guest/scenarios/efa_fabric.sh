# SPDX-License-Identifier: BSD-2-Clause
# Debian's libfabric on software EFAs: fi_info finds its efa provider, and what fi_pingpong sends
# comes across whole, datagrams and messages of all sizes to 6 MB: between two devices of one guest,
# between two guests, and on a wire that loses and reorders.
# shellcheck shell=bash

host() {
  extra=(fabric)
  has_efa
  make_initramfs
  guest_append=wire=clean
  pair left=efa near=efa right=efa
  guest_append=wire=bad
  pair "left=efa?loss=0.01&reorder=0.3&seed=5" near=efa right=efa
  echo "lost, late: $impaired"
  is "1 % is lost, and 30 % come late: more than fifty frames" yes "$(
    for times in $impaired; do ((times > 50)) || echo "$impaired"; done | sort -u | grep . || echo yes)"
}
# The left guest has two twins, the right one has one.
pair() { # LEFT NEAR RIGHT
  rm -f "$work"/served.*
  twins "$@"
  cable right left
  guest_devices=("${cable[@]}")
  (boot right "$work/right.sock" && ((failures == 0))) &
  local right=$!
  cable left right
  guest_devices=("${cable[@]}" -device '{"driver":"vfio-user-pci","socket":{"path":"'"$work"'/near.sock","type":"unix"},"addr":"10"}')
  boot left "$work/left.sock"
  wait $right || not_ok "the right guest" "see above"
  impaired=$(impaired)
  no_faults left near right
  end "shunt twin" "$twins_pid"
}
# What the wire did to frames on their way to either guest.
impaired() {
  local lost late sum=()
  for end in left right; do
    read -r lost late <<<"$(told $end lost reordered)"
    sum=($((sum[0] + lost)) $((sum[1] + late)))
  done
  echo "${sum[@]}"
}
host_told() { told "$@"; }
# The right guest says what it serves, and the left one waits for that.
host_serves() { touch "$work/served.$1" && echo; }
host_is_served() {
  await "$1 is served" [ -e "$work/served.$1" ]
  echo
}

# A guest that begins takes seconds to post its 8192 buffers; the device is to try for so long.
guest() {
  export FI_EFA_ENABLE_SHM_TRANSFER=0 FI_EFA_RNR_RETRY=7
  efa_up
  "$guest_name"
}

# fi_pingpong's endpoints. What the direct one sends has to fit into one packet, as datagrams do;
# that of tagged messages has libfabric's own protocol above SRD.
endpoint() { # WAY DEVICE
  case $1 in
  datagrams) echo "-e dgram -d $2-dgrm" ;;
  direct) echo "-e rdm -d $2-rdm" ;;
  messages) echo "-e rdm -m tagged -d $2-rdm" ;;
  esac
}
ping_pong() { # WAY DEVICE [HOST]
  # shellcheck disable=SC2046
  timeout 100 fi_pingpong -p efa $(endpoint "$1" "$2") -I 1 -c -S all ${3:+"$3"}
}
listens() { netstat -ltn | grep -q ':47592 '; }
serve() { # WAY DEVICE
  local output
  output=$(ping_pong "$@" 2>&1) || not_ok "$1: the one that answers" "$(tail -n 3 <<<"$output" | tr '\n' ';')"
}
asks() { # WHERE WAY DEVICE HOST
  local output largest=8k
  [[ $2 = messages ]] && largest=6m
  output=$(ping_pong "${@:2}" 2>&1) || not_ok "$1, $2: the one that asks" "$(tail -n 3 <<<"$output" | tr '\n' ';')"
  has "$1, $2: each size to $largest" $'\n'"$largest +1 +=1 " "$output"
  is "$1, $2: no size is missed" "" "$(awk 'NR > 1 && $3 != "=1"' <<<"$output")"
}

right() {
  cable_up 10.0.0.2/24
  for way in $(ways); do
    serve "$way" efa_0 &
    await listens
    ask serves "$way"
    wait
  done
}
left() {
  cable_up 10.0.0.1/24
  [[ $(wire) = bad ]] || one_guest
  for way in $(ways); do
    ask is_served "$way"
    asks "two guests, $(wire) wire" "$way" efa_0 10.0.0.2
  done
  [[ $(wire) = clean ]] || retransmits
}
one_guest() {
  local endpoints kind
  endpoints=$(fi_info -p efa)
  for kind in efa-direct:efa_1-rdm:FI_EP_RDM efa:efa_1-rdm:FI_EP_RDM efa:efa_1-dgrm:FI_EP_DGRAM; do
    IFS=: read -r fabric domain type <<<"$kind"
    has "fi_info: $fabric, $domain" "fabric: ${fabric}[[:space:]]+domain: ${domain}[^:]*: [0-9.]+[[:space:]]+type: $type" "$endpoints"
  done
  for way in $(ways); do
    serve "$way" efa_1 &
    await listens
    asks "one guest" "$way" efa_0 127.0.0.1
    wait
  done
}
wire() { sed 's/.*wire=\([a-z]*\).*/\1/' /proc/cmdline; }
# A datagram that is lost is not sent again: fi_pingpong would wait for it.
ways() { if [[ $(wire) = clean ]]; then echo datagrams direct messages; else echo direct messages; fi; }

retransmits() {
  local told counter=/sys/class/infiniband/efa_0/ports/1/hw_counters/retrans_pkts
  told=$(ask told left retrans_pkts)
  has "what is lost is sent again" '^[1-9]' "$told"
  if [[ -e $counter ]]; then
    is "Linux counts what the device sent again" "$told" "$(cat $counter)"
  fi
}
