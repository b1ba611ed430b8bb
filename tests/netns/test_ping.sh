#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The kernel's ping and arping, from a network namespace through TAP, wire and twin, to shunt echo:
# nothing lost, every payload as it was sent.
source "$2/tests/cli/check.sh"
source "$2/tests/cli/frames.sh"

[ "$(id -u)" -eq 0 ] || skip "it takes root to make a network namespace"
[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
for tool in ip ping arping; do
  command -v $tool >/dev/null || skip "there is no $tool"
done
space=shunt-ping-$$
ip netns add "$space" 2>"$scratch/err" || skip "no network namespaces: $(cat "$scratch/err")"
trap 'ip netns pids "$space" | xargs -r kill -KILL; ip netns del "$space"; clean_up' EXIT
ours=10.82.59.1
theirs=10.82.59.2
mtu=9000
device="ixgbe:twin?tap=tap0&tap_mtu=$mtu&mtu=$mtu&record=$scratch/record.pcapng"

within() {
  timeout 120 ip netns exec "$space" "$@" >"$scratch/out" 2>&1
}

# start_echo ARGUMENTS...: in the namespace, with its TAP interface configured.
start_echo() {
  local real=$shunt
  cat >"$scratch/shunt" <<SHELL
#!/bin/sh
exec ip netns exec "$space" "$real" "\$@"
SHELL
  chmod +x "$scratch/shunt"
  shunt=$scratch/shunt
  start echo echo "$device" "$@"
  shunt=$real
  ip -n "$space" addr add $theirs/24 dev tap0
}

stop_echo() {
  sleep 0.2
  kill -INT "$child"
  finish echo 0
  count "no room to send" 0
  count "missed by the NIC" 0
  count "driver faults" 0
}

# kernel_ping COUNT ARGUMENTS...: as many answers as requests, and none with a wrong byte. ping waits
# two round trips for the last answers, which on a busy machine is too short: then again.
kernel_ping() {
  local n=$1
  shift
  for _ in 1 2 3; do
    within ping -n -c "$n" "$@" $ours &&
      grep -qF "$n packets transmitted, $n received, 0% packet loss" "$scratch/out" && break
  done
  says "$n packets transmitted, $n received, 0% packet loss"
  quiet_about "wrong data byte"
  quiet_about "errors"
  quiet_about "DUP"
}

exercise() {
  kernel_ping 3 -i 0.2
  for size in 0 1 15 16 17 18 19 56 1000 1472 1473 2020 4096 8000 8971 8972; do
    kernel_ping 20 -i 0.005 -s $size -p 5a00ff1e
  done
  kernel_ping 5000 -f -q
  kernel_ping 500 -f -q -s 8972
  for _ in 1 2 3; do # likewise
    within arping -c 3 -w 10 -I tap0 $ours && grep -qF "Received 3 response(s)" "$scratch/out" && break
  done
  says "Received 3 response(s)"
}

start_echo
exercise
stop_echo
says "inline"
answered=$(sed -n 's/^  answered  *\([0-9]*\)/\1/p' "$scratch/out")
[ "$answered" -ge $((3 + 16 * 20 + 5500 + 3)) ] || fail "only $answered were answered"

# Every answer carries the payload of its request, as recorded on the wire: ICMP id and sequence
# number say which belong together.
if command -v tshark >/dev/null; then
  for type in 8 0; do
    tshark -r "$scratch/record.pcapng" -Y "icmp.type == $type" -T fields -e icmp.ident -e icmp.seq \
      -e icmp.checksum.status -e data 2>/dev/null | sort >"$scratch/type$type"
  done
  [ "$(wc -l <"$scratch/type8")" -ge 5800 ] || fail "the record holds too few requests"
  cmp "$scratch/type8" "$scratch/type0" >"$scratch/out" || fail "requests and answers differ"
else
  echo "no tshark here: payloads were compared by ping alone"
fi

# With every check on, one frame a round, and in a twin that traps every access.
start_echo --validate --batch 1
exercise
stop_echo
device+="&mode=trap"
start_echo
kernel_ping 300 -f -q -s 8972
kernel_ping 300 -f -q
stop_echo

# Record route (RFC 791 3.1) is filled in; a broadcast is not answered, and counted as such;
# fragments, which nobody puts together here, likewise; VLAN tags come back on the answer.
device="ixgbe:twin?tap=tap0&tap_mtu=1500"
start_echo
kernel_ping 3 -i 0.2 -R
says "RR:"
within ping -n -c 2 -i 0.2 -W 1 -b 10.82.59.255 && fail "a broadcast was answered"
within ping -n -c 2 -i 0.2 -W 1 -s 3000 $ours && fail "fragments were answered"
if ip -n "$space" link add link tap0 name tap0.5 type vlan id 5 2>/dev/null; then
  ip -n "$space" link set tap0.5 up
  ip -n "$space" addr flush dev tap0
  ip -n "$space" addr add $theirs/24 dev tap0.5
  kernel_ping 20 -i 0.01
else
  echo "this kernel has no VLAN interfaces: tags are tested by test_echo.sh alone"
fi
stop_echo
says "ipv4-to-broadcast"
says "ipv4-fragment"

done_testing
