#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt bench --only xdp, short: each row of everyone who can be measured here, the others skipped
# by name, and nothing left behind, however it ends.
source "$2/tests/cli/check.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"; clean_up' EXIT
cd "$work" || exit 1
bin=$(dirname "$shunt")

# What a bench could leave beside processes. Its namespaces have no names: they are gone with those.
traces() {
  ls /sys/fs/bpf /run/dpdk 2>&1
}

# ---- Without the right to: an error alone, a fact beside others ----
if [ "$(id -u)" -ne 0 ]; then
  run 1 bench --only xdp --quick
  says "AF_XDP"
  echo "the rest takes root"
  done_testing
fi
if command -v setpriv >/dev/null; then
  plain=(setpriv --bounding-set=-all --inh-caps=-all --reuid=65534 --regid=65534 --clear-groups)
  "${plain[@]}" "$shunt" bench --only xdp --quick >"$scratch/out" 2>"$scratch/err" &&
    fail "nobody may make network namespaces"
  says "CAP_SYS_ADMIN"
  "${plain[@]}" "$shunt" bench --only rtt,xdp --quick --count 100 --rounds 1 \
    >"$scratch/out" 2>"$scratch/err" || [ $? -eq 3 ] || fail "without AF_XDP there is no bench at all"
  says "skipped"
  says "82599 twins, 1 thread"
fi

traces >before
"$shunt" bench --only xdp --rounds 1 --seconds 0.8 --json --out bench.json --results results.json \
  >printed.json 2>errors || [ $? -eq 3 ] || { # 3: frames were lost, which a busy machine may do
  grep -qE "no veth pair|XDP|namespace" errors && skip "$(cat errors)"
  fail "bench ended with an error: $(cat errors)"
}
traces >after
cmp -s before after || fail "left behind: $(diff before after)"

# ---- Who is there is measured, who is not is named ----
rows="rtt rx-drop tx l2fwd"
peers=
measured() { # NAME, SERIES
  for row in $rows; do
    grep -q "\"name\":\"$2-$row\"" printed.json || fail "no row $2-$row"
  done
  peers="$peers $1"
}
missing() { # WHO, SERIES
  grep -qF "\"$1\":\"skipped: " printed.json || fail "that $1 is missing is not said"
  for row in $rows; do
    grep -q "\"name\":\"$2-$row\"" printed.json && fail "a row of $2, which is missing"
  done
}
measured shunt xdp
measured udp udp-veth
if grep -q '"libxdp":"skipped' printed.json; then
  [ ! -x "$bin/shunt-peer-libxdp" ] || fail "the libxdp loop was built, and skipped"
  missing libxdp libxdp
else
  measured libxdp libxdp
fi
if grep -q '"DPDK":"skipped' printed.json; then
  missing DPDK dpdk
else
  measured dpdk dpdk
fi
echo "measured:$peers"

for name in xdp-rx-drop-mpps xdp-tx-mpps xdp-l2fwd-mpps xdp-rtt-p50-us; do
  grep -A5 "\"name\":\"$name\"" bench.json >entry || fail "no $name in bench.json"
  grep -qE '"peer":"(libxdp|dpdk|udp)"' entry || fail "$name has no peer"
done
case $peers in
*dpdk*) grep -q '"name":"xdp-rx-drop-mpps-dpdk"' bench.json || fail "no ratio to DPDK" ;;
esac
"$shunt" report results.json --out page.html >/dev/null || fail "report refuses the results"

# ---- Without peers: skipped by name ----
mkdir alone
cp "$shunt" alone/shunt
PATH=/usr/sbin:/sbin alone/shunt bench --only xdp --rounds 1 --seconds 0.3 --json >printed.json \
  2>errors || [ $? -eq 3 ] || fail "without peers there is no bench: $(cat errors)" # 3: as above
missing libxdp libxdp
grep -q "libxdp-dev" printed.json || fail "what brings libxdp is not said"
missing DPDK dpdk
grep -q "dpdk-dev" printed.json || fail "what brings testpmd is not said"

# ---- However it ends ----
for signal in TERM KILL; do
  "$shunt" bench --only xdp --seconds 60 >stopped 2>&1 &
  bench=$!
  children=("$bench")
  measured=
  for _ in {1..200}; do
    read -r measured _ <"/proc/$bench/task/$bench/children" || true # no line's end stands there
    [ -z "$measured" ] || break
    sleep 0.05
  done
  [ -n "$measured" ] || fail "nobody is measured"
  kill -$signal "$bench"
  reap "$bench" && fail "a bench that was stopped says that all is well"
  for _ in {1..100}; do
    [ -e "/proc/$measured" ] || break
    sleep 0.1
  done
  [ ! -e "/proc/$measured" ] || fail "SIG$signal: who was measured goes on"
done
traces >after
cmp -s before after || fail "left behind: $(diff before after)"

done_testing
