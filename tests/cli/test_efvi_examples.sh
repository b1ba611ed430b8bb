#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The ef_vi examples that take several processes, on twins: a feed is sent through a forwarder to a
# receiver, over two UDP tunnels. How fast the machine is has no say: the sender goes on until the
# receiver has what it wants.
source "$2/tests/cli/check.sh"
bin=$1/bin
group=239.82.1.1
tunnel() { # a tunnel's end by its number, and its other end
  echo "ixgbe:twin?udp=127.0.0.1:$((port + $1)),127.0.0.1:$((port + $2))"
}
SHUNT_EFVI_DEVICE="feed=$(tunnel 0 1),in=$(tunnel 1 0),out=$(tunnel 2 3),home=$(tunnel 3 2)"
export SHUNT_EFVI_DEVICE

# begin NAME WORD PROGRAM ARGUMENTS...: in the background, until it says WORD.
begin() {
  local name=$1 word=$2
  shift 2
  "$bin/$1" "${@:2}" >"$scratch/$name" 2>"$scratch/$name.err" &
  child=$!
  children+=("$child")
  for _ in $(seq 200); do
    grep -qs "$word" "$scratch/$name" && return
    kill -0 $child 2>/dev/null || break
    sleep 0.1
  done
  cp "$scratch/$name" "$scratch/out"
  cp "$scratch/$name.err" "$scratch/err"
  fail "$name did not say \"$word\""
}

begin forward forwarding example_efvi_forward in out
forwarder=$child
begin multicast listening example_efvi_multicast home $group 12345 300
receiver=$child
"$bin/example_efvi_timestamps" feed $group 12345 1000000 500 >"$scratch/timestamps" 2>&1 &
sender=$!
children+=("$sender")
child=$receiver
finish multicast 0
says "0 late, 0 damaged"
received=$(grep -o '^[0-9]* datagrams' "$scratch/out" | cut -d' ' -f1)
[ "${received:-0}" -ge 300 ] || fail "the receiver has ${received:-0} datagrams, not 300"
kill -TERM "$sender"
reap "$sender"
child=$forwarder
kill -TERM "$forwarder"
finish forward 0
says " 0 dropped"
forwarded=$(sed -n 's/^in to out: \([0-9]*\) forwarded.*/\1/p' "$scratch/out")
[ "${forwarded:-0}" -ge "${received:-1}" ] || fail "${forwarded:-0} forwarded, $received received"
says "out to in: 0 forwarded, 0 dropped"

# ---- Within one process, and what they say of mistakes ----
export SHUNT_EFVI_DEVICE='eth0=ixgbe:twin?wire=a,eth1=ixgbe:twin?wire=a'
timeout 60 "$bin/example_efvi_warm" eth0 eth1 20 >"$scratch/out" 2>"$scratch/err" ||
  fail "the warm-up ended with $?"
says "40 packets sent, 40 arrived, 80 warm-ups sent nothing"
for program in multicast forward timestamps warm pingpong; do
  "$bin/example_efvi_$program" >"$scratch/out" 2>"$scratch/err"
  [ $? -eq 2 ] || fail "$program without arguments"
  says "usage:"
done
"$bin/example_efvi_timestamps" nowhere0 $group 12345 1 0 >"$scratch/out" 2>"$scratch/err" &&
  fail "an interface that is none was opened"
says "ef_pd_alloc_by_name: No such device"

done_testing
