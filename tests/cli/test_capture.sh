#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt capture: what another process's port moves, what a port of its own receives, and how both
# end.
source "$2/tests/cli/check.sh"
source "$2/tests/cli/frames.sh"

# The address is given to ping: how often it would be asked for is the machine's doing.
mac=$(sed 's/../&:/g;s/:$//' <<<"$us")
device="ixgbe:twin?mac=$mac&udp=$near,$far&capture=1"
asker="ixgbe:twin?udp=$far,$near"
command -v tshark >/dev/null && tshark=yes

# fields FILE NAME...: of each packet, what tshark reads.
fields() {
  local file=$1 arguments=() name
  shift
  for name in "$@"; do
    arguments+=(-e "$name")
  done
  tshark -n -r "$file" -T fields "${arguments[@]}" 2>/dev/null
}

# Options and errors.
run 0 capture --help
says --snaplen
run 2 capture ixgbe:twin
says "--output"
run 2 capture ixgbe:twin -o - --json
run 2 capture ixgbe:twin -o "$scratch/x" --direction up
says "rx, tx, both"
run 2 capture ixgbe:twin -o "$scratch/x" --snaplen 16385
run 2 capture "ixgbe:twin?capture=0" -o "$scratch/x"
says "capture=0"
run 1 capture nonsense -o "$scratch/x"
says "is no device name"
run 1 capture 4194305 -o "$scratch/x"
says "there is no process"
run 1 capture $$ -o "$scratch/x"
says "no port that can be captured"
run 1 capture ixgbe:twin -o "$scratch/none/x" --link-wait 0
says "$scratch/none/x"

# Listed, by whom as well.
start echo echo "$device"
echo_pid=$child
grep -q "loop       portable" "$scratch/echo" || fail "the tap is passed by inline verbs"
run 0 capture --json
says "\"pid\":$echo_pid"
says "\"port\":\"$device\""
run 0 capture
says "$echo_pid"
says "Intel 82599"

# Both directions, by the process's number; a second one is refused, and told who is there.
start capture capture "$echo_pid" -o "$scratch/both.pcapng" --json
capture_pid=$child
run 1 capture "$device" -o "$scratch/second.pcapng"
says "process $capture_pid does"
run 0 capture --json
says "\"captured_by_pid\":$capture_pid"
run 0 ping "$asker" 10.82.59.1 --mac "$mac" --count 500 --timeout 5
child=$capture_pid
kill -INT "$child"
finish capture 0
says "a signal"
holds frames 1000
holds rx_frames 500
holds tx_frames 500
holds rx_dropped_frames 0
holds tx_dropped_frames 0
if [ -n "$tshark" ]; then
  fields "$scratch/both.pcapng" frame.packet_flags_direction icmp.type icmp.seq frame.time_epoch \
    frame.interface_name icmp.checksum.status >"$scratch/packets"
  [ "$(grep -c "^0x00000001.8" "$scratch/packets")" -eq 500 ] || fail "500 requests did not come in"
  [ "$(grep -c "^0x00000002.0" "$scratch/packets")" -eq 500 ] || fail "500 answers did not go out"
  [ "$(cut -f 5 "$scratch/packets" | sort -u)" = "$device" ] || fail "the interface has another name"
  [ "$(awk '$2 != "" { print $2, $3 }' FS='\t' "$scratch/packets" | sort -u | wc -l)" -eq 1000 ] ||
    fail "a packet was recorded twice, or not as it was"
  awk -F '\t' '{ if (length($4) != 20 || $4 < last) exit 1; last = $4 }' "$scratch/packets" ||
    fail "times are not in nanoseconds, or step back"
  ! grep -qv "	1$" "$scratch/packets" || fail "a checksum is wrong"
  capinfos "$scratch/both.pcapng" >"$scratch/out" 2>/dev/null
  says "Time precision = nanoseconds"
  says "Intel 82599"
  says "model, not a hardware figure"
  tshark -n -r "$scratch/both.pcapng" -V 2>/dev/null | grep -q "Echo (ping) reply" ||
    fail "tshark can't read it"
fi

# Part of it: so many, of one direction, cut, of queue 0; to a pipe, by the port's name without keys.
start capture capture "$device" -o "$scratch/part.pcapng" --count 10 --direction tx --snaplen 34 \
  --queue 0
run 0 ping "$asker" 10.82.59.1 --mac "$mac" --count 20 --timeout 5
finish capture 0
count frames 10
count received 0
says "asked for"
if [ -n "$tshark" ]; then
  [ "$(fields "$scratch/part.pcapng" frame.cap_len frame.packet_flags_direction |
    sort -u | tr '\t' ' ')" = "34 0x00000002" ] || fail "not cut, or not of one direction"
fi
run 1 capture "$device" -o "$scratch/x" --queue 1
says "fewer queues"
if [ -n "$tshark" ]; then
  "$shunt" capture "$echo_pid" -o - --count 40 2>"$scratch/piped.err" |
    tshark -n -l -r - -T fields -e icmp.type >"$scratch/piped" 2>/dev/null &
  reader=$!
  for _ in $(seq 100); do
    grep -q "^ready" "$scratch/piped.err" && break
    sleep 0.1
  done
  run 0 ping "$asker" 10.82.59.1 --mac "$mac" --count 20 --timeout 5
  reap $reader
  [ "$(grep -c '^[08]$' "$scratch/piped")" -eq 40 ] || fail "40 packets did not come by the pipe"
fi
# A pipe that nobody reads is no failure.
(
  "$shunt" capture "$echo_pid" -o - --seconds 20 2>"$scratch/err"
  echo $? >"$scratch/status"
) | head -c 1 >/dev/null &
reader=$!
for _ in $(seq 100); do
  grep -q "^ready" "$scratch/err" && break
  sleep 0.1
done
run 0 ping "$asker" 10.82.59.1 --count 20 --timeout 5
reap $reader
for _ in $(seq 100); do
  [ -s "$scratch/status" ] && break
  sleep 0.1
done
[ "$(cat "$scratch/status")" = 0 ] || fail "a pipe that was closed ends with $(cat "$scratch/status")"

# A capture that is killed leaves nothing: the next one attaches. The end of the port's process.
start capture capture "$echo_pid" -o "$scratch/killed.pcapng"
kill -KILL "$child"
wait "$child" 2>/dev/null
start capture capture "$echo_pid" -o "$scratch/last.pcapng"
kill -INT "$echo_pid"
finish capture 0
says "was closed"
run 0 capture --json
quiet_about "\"pid\":$echo_pid"
start echo echo "$device"
start capture capture "$device" -o "$scratch/last.pcapng"
kill -KILL "${children[-2]}"
finish capture 0
says "has ended"

# A device of its own: everything that arrives.
start capture capture "ixgbe:twin?udp=$near,$far&mtu=9000" -o "$scratch/own.pcapng" --json \
  --count 100
run 0 send "$asker&mtu=9000" --mac 02:00:00:00:00:77 --count 50 --rate 500 --size 9000
run 0 send "$asker" --mac 02:00:00:00:00:77 --count 50 --rate 500 --size 60
finish capture 0
holds frames 100
holds rx_frames 100
holds missed_frames 0
holds rx_bytes $((50 * 9000 + 50 * 60))

# The configuration file: an alias that can be captured, and options.
cat >"$scratch/config" <<INI
[devices]
lab = $device
[capture]
direction = rx
count = 1
INI
start echo echo lab --config "$scratch/config"
echo_pid=$child
start capture capture lab --config "$scratch/config" -o "$scratch/alias.pcapng"
run 0 ping "$asker" 10.82.59.1 --count 2 --timeout 5
finish capture 0
count frames 1
count sent 0
kill -INT "$echo_pid"

done_testing
