#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kill -9 at any point of opening and closing a port that changes its interface: just before one system
# call after another, by strace. No program stays, and the next start puts the settings back.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
for tool in strace ethtool; do
  command -v $tool >/dev/null || skip "there is no $tool"
done

# Under strace the sanitizer can't look for leaks, and would fail for that.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0"

calls="bpf bind setsockopt getsockopt sendto recvmsg mmap munmap openat write renameat unlinkat close"
device="xdp:v0?mtu=2000&channels=1&rules=udp port 9"
points=6 # of each system call: the first, the last, and some between

# traced ARGUMENTS...: shunt opens the port and closes it again, under strace. (In a shell of its own,
# which would say of each that it was killed.)
traced() {
  (timeout 60 ip netns exec "$near_space" strace -f -qq -o "$scratch/trace" "$@" \
    "$real_shunt" info "$device" >"$scratch/out" 2>"$scratch/err"; exit $?) 2>/dev/null
}

settings() {
  ip -n "$near_space" -o link show v0 | grep -o 'mtu [0-9]*'
  ip netns exec "$near_space" ethtool -l v0
  ip netns exec "$near_space" ethtool -k v0
}

# points_of COUNT: which of so many calls.
points_of() {
  seq 0 $((points - 1)) | awk -v n="$1" -v points=$points '{ print 1 + int($1 * (n - 1) / (points - 1)) }' |
    sort -nu
}

make_veth 1500 2
settings >"$scratch/before"
traced -e trace="${calls// /,}" || {
  grep -q "Operation not permitted" "$scratch/err" && skip "strace may not: $(cat "$scratch/err")"
  fail "shunt info $device"
}
cp "$scratch/trace" "$scratch/whole"
program_gone
settings | cmp -s - "$scratch/before" || fail "the settings are not as before after an ordinary end"

kills=0
for call in $calls; do
  count=$(grep -c "^[0-9]* *$call(" "$scratch/whole")
  [ "$count" -gt 0 ] || fail "opening makes no call of $call"
  for at in $(points_of "$count"); do
    traced -e trace="$call" -e inject="$call:signal=SIGKILL:when=$at"
    [ $? -eq 137 ] && kills=$((kills + 1))
    program_gone
    run 0 info "xdp:v0?rules=udp port 9"
    program_gone
    settings | diff "$scratch/before" - >"$scratch/err" || fail "killed before $call $at: settings stay"
    [ "$failures" -lt 5 ] || done_testing
  done
done
# A call of which fewer were made this time kills nobody; that is rare.
[ "$kills" -ge 50 ] || fail "only $kills processes were killed"
journal "$near_space" >"$scratch/out" && fail "a journal stayed"

done_testing
