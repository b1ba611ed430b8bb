#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt bench, all of twins but short: what it prints, and the files that it writes.
set -euo pipefail
shunt=$1/bin/shunt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
status=0
fail() {
  echo "FAILED: $*"
  status=1
}
expect() { # text, file
  grep -qF -- "$1" "$2" || fail "no \"$1\" in $2"
}
# The numbers of a key, one a line, of JSON that is printed with a line for each.
numbers() { # key, file
  sed -n "s/^ *\"$1\": *\([0-9.e+-]*\),\{0,1\}$/\1/p" "$2"
}
ascending() { # numbers, one a line
  sort -g -C || fail "$1 do not ascend"
}

cat >bench.json <<'EOF'
[{"name": "another", "unit": "us", "value": 1, "peer": "x", "peer_value": 2, "ratio": 0.5},
 {"name": "ixgbe-rtt-p50-us", "unit": "us", "value": 77777, "peer": "udp", "peer_value": 1,
  "ratio": 77777}]
EOF
"$shunt" bench --only rtt,mpps,vfio-user --quick --json --out bench.json --results results.json \
  --report report.html >printed.json 2>errors || fail "bench ended with $?: $(cat errors)"
[ -s errors ] && fail "on standard error: $(cat errors)"

# ---- What is printed ----
for key in shunt_result manifest comparisons series title CPU kernel device memory clock threads \
  date shunt; do
  expect "\"$key\":" printed.json
done
expect '"model":true' printed.json
for name in ixgbe-rtt udp-rtt ixgbe-rtt-2-threads udp-rtt-2-threads ixgbe-forward-1 \
  ixgbe-forward-8 ixgbe-forward-32 ixgbe-forward-64 udp-forward-32 vfuser-rtt vfuser-trap-spin \
  unix-spin vfuser-trap-sleep unix-sleep vfuser-posted unix-posted vfuser-doorbell \
  vfuser-forward-32; do
  expect "\"name\":\"$name\"" printed.json
done
[ "$(numbers lost printed.json | sort -u)" = 0 ] || fail "frames were lost"
[ "$(numbers lost printed.json | wc -l)" = 18 ] || fail "not every series says what was lost"
[ "$(numbers count printed.json | wc -l)" = 12 ] || fail "not every time has a count"
numbers count printed.json | grep -qx 0 && fail "a series has no round trips"
numbers mpps printed.json | grep -qx 0 && fail "a series has no frames"

# Of each series in turn: min, p50 ... p99.99, max.
for series in {1..12}; do
  of() { numbers "$1" printed.json | sed -n "${series}p"; }
  { of min_ns; of p50; of p90; of p99; of 'p99\.9'; of 'p99\.99'; of max_ns; } >curve
  [ "$(wc -l <curve)" = 7 ] || fail "series $series lacks a percentile"
  ascending "the percentiles of series $series" <curve
done

# ---- bench.json ----
[ "$(grep -c '"name":' bench.json)" = 10 ] || fail "bench.json: not one entry a name"
expect '"name":"another"' bench.json
grep -q 77777 bench.json && fail "bench.json: an old entry of our name is still there"
for name in ixgbe-rtt-p50-us ixgbe-forward-mpps vfuser-trap-spin-us vfuser-trap-sleep-us \
  vfuser-posted-us vfuser-doorbell-us vfuser-forward-mpps vfuser-rtt-p50-us; do
  grep -A5 "\"name\":\"$name\"" bench.json >entry
  value=$(numbers value entry) peer=$(numbers peer_value entry) ratio=$(numbers ratio entry)
  awk -v v="$value" -v p="$peer" -v r="$ratio" \
    'BEGIN { exit !(v > 0 && p > 0 && r > 0.99 * v / p && r < 1.01 * v / p) }' ||
    fail "$name: value $value, peer_value $peer, ratio $ratio"
done

# ---- The page ----
expect "model, not a hardware figure" report.html
grep -qE '(src|href)="?http|<script|@import|url\(' report.html && fail "the page needs something else"
if command -v gnuplot >/dev/null; then
  [ "$(grep -c '<svg' report.html)" = 3 ] || fail "there are not 3 plots"
fi
# Every element that is begun is ended, in order.
tr '\n' ' ' <report.html | grep -o '<[^>]*>' | awk '
  /^<!/ || /\/>$/ { next }
  { name = $0; sub(/^<\/?/, "", name); sub(/[ >].*/, "", name) }
  name ~ /^(meta|br)$/ { next }
  /^<\// { if (stack[depth--] != name) { print "unexpected", $0; exit 1 } next }
  { stack[++depth] = name }
  END { exit depth != 0 }' || fail "the page is not well-formed"

# ---- Its result file is one ----
"$shunt" report results.json --out again.html >/dev/null || fail "report refuses bench's results"
expect "82599 twins, 1 thread" again.html

# ---- With a priority, or without it and saying so ----
"$shunt" bench --only rtt --quick --seconds 0.2 --realtime >realtime || fail "--realtime fails"
grep -qE "with real-time priority|^priority +none of real time|both on CPU" realtime ||
  fail "what became of --realtime is not said"

# ---- Without privileges, huge pages and lockable memory ----
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  (ulimit -l 64 && setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all \
    "$shunt" bench --only rtt --quick >unprivileged 2>&1) || fail "as nobody: $(cat unprivileged)"
  # The AddressSanitizer makes mlock succeed without locking.
  grep -qs '^SHUNT_SANITIZE:STRING=.' "$1/CMakeCache.txt" || expect "not locked" unprivileged
fi

# ---- The process that serves vfio-user ends with the command, however that ends ----
for signal in TERM KILL; do
  mkdir "$signal"
  TMPDIR=$PWD/$signal "$shunt" bench --only vfio-user --seconds 60 >stopped 2>&1 &
  bench=$! server=
  for _ in {1..300}; do
    read -r server _ <"/proc/$bench/task/$bench/children" || true # no line's end stands there
    [ -z "$server" ] || break
    sleep 0.1
  done
  [ -n "$server" ] || fail "there is no process that serves"
  kill -$signal "$bench"
  for _ in {1..600}; do
    kill -0 "$bench" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$bench" 2>/dev/null && fail "SIG$signal: the bench goes on for a minute"
  wait "$bench" 2>/dev/null && fail "a bench that was stopped says that all is well"
  for _ in {1..100}; do
    [ -e "/proc/$server" ] || break
    sleep 0.1
  done
  [ ! -e "/proc/$server" ] || fail "SIG$signal: the process that serves goes on without its command"
  rmdir "$signal" || fail "SIG$signal: sockets are left behind: $(ls -R "$signal")"
done

# ---- Mistakes ----
refuse() { # exit code, text, arguments
  local wanted=$1 text=$2 got=0
  shift 2
  "$shunt" bench "$@" >refused 2>&1 || got=$?
  [ $got = "$wanted" ] || fail "bench $* ended with $got, not $wanted"
  expect "$text" refused
}
refuse 2 'none of rtt, mpps, vfio-user, xdp, fabric and efvi' --only rtt,mops
refuse 2 'none of rtt, mpps, vfio-user, xdp, fabric and efvi' --only ''
refuse 2 'not in' --rounds 0
refuse 2 'not in' --seconds 0
refuse 2 'one argument too many' ixgbe:twin
echo '{"no": "list"}' >other.json
refuse 1 "can't add to other.json" --only rtt --quick --count 10 --out other.json
[ "$(cat other.json)" = '{"no": "list"}' ] || fail "a file that is no list was overwritten"
refuse 1 "can't write" --only rtt --quick --count 10 --results nowhere/results.json
refuse 1 "can't write" --only rtt --quick --count 10 --report nowhere/report.html
# Before anything is measured, and with nothing left behind.
started=$SECONDS
refuse 1 "can't write nowhere/bench.json" --only rtt --seconds 60 --out nowhere/bench.json
[ $((SECONDS - started)) -lt 30 ] || fail "what can't be written was noticed too late"
refuse 1 "can't write nowhere/bench.json" --results fresh.json --report nowhere/bench.json
[ ! -e fresh.json ] || fail "a file was made for a run that never began"

exit $status
