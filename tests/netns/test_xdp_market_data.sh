#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The market-data example over AF_XDP on a veth pair, in skb and drv mode: the exchange in one
# network namespace, the receiver in another, two feeds of two bad lines; the books must be the
# generator's, and what is not market data stays the kernel's.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
market=$1/bin/market-data
[ -x "$market" ] || skip "there is no $market"

# joined: the receiver has joined the groups, so that it is ready.
joined() {
  for _ in $(seq 300); do
    ip -n "$near_space" maddr show dev v0 | grep -q "link  *01:00:5e:40:" && return
    sleep 0.1
  done
  fail "the receiver joined no group"
}

# All frames of a day fit the receive ring: whoever has to wait for a CPU, none is missed there.
messages=4000

# exchange MODE RECEIVER-KEYS: one day, and what came of it.
exchange() {
  local mode=$1 keys=$2
  make_veth
  ip -n "$near_space" addr add $near_ip/24 dev v0
  rm -f "$scratch/books" "$scratch/truth"
  ip netns exec "$near_space" "$market" receive "xdp:v0?mode=$mode&rx_ring=4096$keys" \
    --arbitration-us 10000000 --books "$scratch/books" --seconds 60 \
    >"$scratch/receiver" 2>"$scratch/receiver.err" &
  child=$!
  children+=("$child")
  joined
  # With rules the kernels go on speaking.
  [ -z "$keys" ] || kernel_ping 5 -i 0.05
  far "$market" generate "xdp:v0?mode=$mode" --messages $messages --rate 2000 --loss 0.05 \
    --duplicate 0.03 --reorder 0.03 --complete --truth "$scratch/truth" ||
    fail "the generator failed"
  finish receiver 0
  for feed in alpha beta; do
    count "$feed delivered" $messages
    count "$feed lost" 0
  done
  [ -s "$scratch/truth" ] || fail "there is no truth"
  cmp -s "$scratch/books" "$scratch/truth" || {
    diff "$scratch/books" "$scratch/truth" | head -n 20
    fail "the books are not the generator's"
  }
}

exchange skb ""
exchange drv "&rules=udp dst 239.192.0.0/16"

done_testing
