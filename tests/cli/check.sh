# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# What the shell tests of the moving commands share. Sourced with the build directory and the source
# directory as $1 and $2; sets shunt, scratch (which is removed at the end) and the functions below.
shunt=$1/bin/shunt
scratch=$(mktemp -d)
failures=0
children=()

skip() {
  echo "can't run here: $*"
  exit 77
}

clean_up() {
  for child in "${children[@]}"; do
    kill -KILL "$child" 2>/dev/null
  done
  rm -rf "$scratch"
}
trap clean_up EXIT

[ -x "$shunt" ] || skip "there is no $shunt"

# fail WHAT: say it, and what the last command printed.
fail() {
  echo "FAIL: $*"
  sed 's/^/    | /' "$scratch/out" "$scratch/err" 2>/dev/null
  failures=$((failures + 1))
}

# run EXIT ARGUMENTS...: shunt must end with that exit code, within a minute.
run() {
  local wanted=$1 got
  shift
  timeout 60 "$shunt" "$@" >"$scratch/out" 2>"$scratch/err"
  got=$?
  [ $got -eq "$wanted" ] || fail "shunt $* ended with $got, not $wanted"
}

# says TEXT, quiet_about TEXT: what the last run printed, on either stream.
says() {
  grep -qF -- "$1" "$scratch/out" "$scratch/err" || fail "\"$1\" was not printed"
}
quiet_about() {
  ! grep -qF -- "$1" "$scratch/out" "$scratch/err" || fail "\"$1\" was printed"
}

# number KEY [FILE]: the first number of that key in a JSON document; nothing where there is none.
number() {
  grep -o "\"$1\":[-0-9.e+]*" "${2:-$scratch/out}" | head -n 1 | cut -d: -f2
}

# holds KEY NUMBER [FILE]
holds() {
  local got
  got=$(number "$1" "${3:-}")
  [ "${got:-none}" = "$2" ] || fail "$1 is ${got:-none}, not $2"
}

# between KEY LEAST MOST
between() {
  awk -v got="$(number "$1")" -v least="$2" -v most="$3" \
    'BEGIN { exit !(got != "" && got + 0 >= least && got + 0 <= most) }' ||
    fail "$1 is $(number "$1"), not in $2..$3"
}

# start NAME ARGUMENTS...: shunt in the background; its output goes to $scratch/NAME, its pid to
# $child. Comes back when it says "ready". It does not outlive this shell, also where that is killed.
start() {
  local name=$1 i
  shift
  rm -f "$scratch/$name" "$scratch/$name.err" # an earlier run's "ready" is not this one's
  setpriv --pdeathsig KILL "$shunt" "$@" >"$scratch/$name" 2>"$scratch/$name.err" &
  child=$!
  children+=("$child")
  for i in $(seq 100); do
    grep -qs '^ready' "$scratch/$name" "$scratch/$name.err" && return
    kill -0 $child 2>/dev/null || break
    sleep 0.1
  done
  cp "$scratch/$name" "$scratch/out"
  cp "$scratch/$name.err" "$scratch/err"
  fail "shunt $* did not get ready"
}

# reap PID: wait for this child, at most a minute, then end it. Returns its exit code; 137: it was ended.
reap() {
  local i
  for i in $(seq 1200); do
    kill -0 "$1" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

# finish NAME EXIT: wait for the last one started.
finish() {
  local got
  reap "$child"
  got=$?
  cp "$scratch/$1" "$scratch/out"
  cp "$scratch/$1.err" "$scratch/err"
  [ $got -eq "$2" ] || fail "$1 ended with $got, not $2"
}

# count NAME NUMBER: a line of a report for a person.
count() {
  local got
  got=$(sed -n "s/^  $1  *\([0-9][0-9]*\).*/\1/p" "$scratch/out" | head -n 1)
  [ "${got:-none}" = "$2" ] || fail "\"$1\" is ${got:-none}, not $2"
}

# Ports of UDP tunnels, and two more: four of its own for each test that runs at the same time, below
# those that the kernel chooses itself (from 32768). Tests that begin together have adjacent pids.
port=$((10000 + $$ % 5000 * 4))
near=127.0.0.1:$port
far=127.0.0.1:$((port + 1))

done_testing() {
  [ $failures -eq 0 ] || { echo "$failures failed"; exit 1; }
  echo "all passed"
  exit 0
}
