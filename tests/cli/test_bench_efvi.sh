#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt bench --only efvi, short: ef_vi beside the verbs on twins, and beside UDP sockets on a veth
# pair where one can be made.
source "$2/tests/cli/check.sh"
cd "$scratch" || exit 1
grep -q '^SHUNT_CHECKED:BOOL=ON' "$1/CMakeCache.txt" && skip "a checked build measures its checks"
"$shunt" bench --only efvi --rounds 1 --seconds 0.8 --json --out bench.json >out 2>err ||
  [ $? -eq 3 ] || fail "bench ended with an error" # 3: frames were lost, which a busy machine may do
for name in efvi-rtt verbs-rtt; do
  grep -q "\"name\":\"$name\"" out || fail "no row $name"
done
compared() { # NAME PEER
  grep -A5 "\"name\":\"$1\"" bench.json >entry || fail "no $1 in bench.json"
  grep -q "\"peer\":\"$2\"" entry || fail "$1 is not beside $2"
  grep -qE '"ratio": ?0*[1-9.]' entry || fail "$1 has no ratio"
}
compared efvi-rtt-p50-us shunt
if grep -q '"AF_XDP":"skipped' out; then
  echo "without AF_XDP: $(grep -o '"AF_XDP":"[^"]*' out)"
else
  compared efvi-veth-rtt-p50-us udp
fi
[ -z "$(pgrep -P $$ shunt)" ] || fail "a process is left"
done_testing
