#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An ef_vi program on two interfaces of the kernel, through AF_XDP, of which nothing is left when it
# has ended.
set -euo pipefail
build=$1
space=shunt-efvi-$$
trap 'ip netns del "$space" 2>/dev/null || true' EXIT
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
