#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An ef_vi program on two interfaces of the kernel, through AF_XDP, of which nothing is left when it
# has ended.
set -euo pipefail
build=$1
space=shunt-efvi-$$
work=$(mktemp -d)
sender='' receiver=''
end() {
  # shellcheck disable=SC2086
  kill $sender $receiver 2>/dev/null || true
  ip netns del "$space" 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
ip netns add "$space" 2>/dev/null || { echo "skipped: no network namespaces here"; exit 77; }
ip -n "$space" link add va type veth peer name vb 2>/dev/null || {
  echo "skipped: no veth here"
  exit 77
}
ip -n "$space" link set va up
ip -n "$space" link set vb up
fail() {
  echo "FAILED: $*"
  exit 1
}

output=$(ip netns exec "$space" timeout 60 "$build/bin/example_efvi_pingpong" va vb 500 2>&1) || {
  echo "$output"
  fail "the exchange on veth"
}
grep -q '500 round trips.*all payloads right' <<<"$output" || fail "it said: $output"
ip -n "$space" -details link show va | grep -q 'prog/xdp' && fail "a program was left on va"
echo "$output"

# A feed from one end to the other: numbered datagrams to a group. The sender goes on until the
# receiver has what it wants.
inside() {
  local program=$1
  shift
  exec timeout 60 ip netns exec "$space" "$build/bin/$program" "$@"
}
inside example_efvi_multicast vb 239.82.1.1 12345 300 >"$work/multicast" 2>&1 &
receiver=$!
for _ in {1..100}; do
  grep -qs listening "$work/multicast" && break
  sleep 0.1
done
inside example_efvi_timestamps va 239.82.1.1 12345 1000000 500 >"$work/timestamps" 2>&1 &
sender=$!
wait "$receiver" || fail "the receiver: $(cat "$work/multicast" "$work/timestamps")"
receiver=''
kill "$sender"
wait "$sender" || true
sender=''
grep -qE '^[0-9]{3} datagrams, .* 0 late, 0 damaged' "$work/multicast" ||
  fail "it received: $(cat "$work/multicast")"
cat "$work/multicast"

# When packets left: by the kernel's time stamps where it has them.
output=$(inside example_efvi_timestamps va 239.82.1.1 12345 100 0 2>&1) || fail "the sender: $output"
grep -qE '^100 packets left, by the (time stamps|clock)' <<<"$output" || fail "the sender said: $output"
echo "$output"
output=$(inside example_efvi_warm va vb 100 2>&1) || fail "warm-ups: $output"
grep -q '200 packets sent, 200 arrived, 400 warm-ups sent nothing' <<<"$output" ||
  fail "warm-ups: $output"
ip -n "$space" -details link show vb | grep -q 'prog/xdp' && fail "a program was left on vb"
exit 0
