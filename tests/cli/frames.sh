# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Frames and captures made by hand, in hexadecimal, so that a test can send what no kernel would.
us=020000825990 # who is asked: to be set by mac=, for a tunnel's twin has another
peer=020000000002
our_ip=0a523b01 # 10.82.59.1
peer_ip=0a523b02

# internet_sum HEX: the checksum of RFC 1071.
internet_sum() {
  local hex=$1 sum=0 i
  [ $((${#hex} % 4)) -eq 0 ] || hex=${hex}00
  for ((i = 0; i < ${#hex}; i += 4)); do
    sum=$((sum + 16#${hex:i:4}))
  done
  while [ $((sum >> 16)) -ne 0 ]; do
    sum=$(((sum & 0xffff) + (sum >> 16)))
  done
  printf '%04x' $((~sum & 0xffff))
}

# ipv4 PROTOCOL SOURCE DESTINATION FRAGMENT PAYLOAD: a datagram with a right checksum.
ipv4() {
  local head tail
  head=4500$(printf '%04x' $((20 + ${#5} / 2)))1234${4}40$1
  tail=$2$3
  echo "$head$(internet_sum "${head}0000$tail")$tail$5"
}

# echo_request [TYPE]: an ICMP message of 24 bytes, with a right checksum.
echo_request() {
  local tail=0042000168656c6c6f2c20746865726520212121
  echo "${1:-08}00$(internet_sum "${1:-08}000000$tail")$tail"
}

# udp PORT: a datagram without a checksum.
udp() {
  echo "2328${1}000c000070696e67"
}

# arp TARGET: a request.
arp() {
  echo "0001080006040001${peer}${peer_ip}000000000000$1"
}

# ethernet DESTINATION TYPE PAYLOAD
ethernet() {
  echo "$1$peer$2$3"
}

little32() {
  printf '%s%s%s%s' "${1:6:2}" "${1:4:2}" "${1:2:2}" "${1:0:2}"
}

# capture FILE FRAME...: a classic pcap file (draft-ietf-opsawg-pcap), a frame each millisecond.
capture() {
  local file=$1 frame hex i=0 length
  shift
  hex=d4c3b2a1020004000000000000000000ffff000001000000
  for frame in "$@"; do
    length=$(little32 "$(printf '%08x' $((${#frame} / 2)))")
    hex+=$(little32 00000001)$(little32 "$(printf '%08x' $((i * 1000)))")$length$length$frame
    i=$((i + 1))
  done
  printf "$(sed 's/../\\x&/g' <<<"$hex")" >"$file"
}
