#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The market-data example: what the receiver makes of bad lines is what the generator knows to be
# the truth, on one testbed and in two processes; and tshark finds nothing malformed on the wire.
source "$2/tests/cli/check.sh"
shunt=$1/bin/market-data # what run and start run
[ -x "$shunt" ] || skip "there is no $shunt"

both() { # both EXIT OPTIONS...: on two twins of one wire
  local exit=$1
  shift
  rm -f "$scratch/books" "$scratch/truth"
  run "$exit" both "ixgbe:twin?wire=w&record=$scratch/wire.pcapng" "ixgbe:twin?wire=w" \
    --rate 4000 --books "$scratch/books" --truth "$scratch/truth" "$@"
  [ -s "$scratch/truth" ] || fail "there is no truth"
  cmp -s "$scratch/books" "$scratch/truth" || {
    diff "$scratch/books" "$scratch/truth" | head -n 20
    fail "the books are not the generator's"
  }
}

# reported NAME: the number of that line of the report
reported() {
  sed -n "s/^  $1  *\([0-9][0-9]*\)\$/\1/p" "$scratch/out" | head -n 1
}

positive() {
  [ "$(reported "$1")" -gt 0 ] || fail "\"$1\" is $(reported "$1")"
}

# Options and errors.
run 0 --help
says --arbitration-us
run 2
run 2 receive
run 2 both ixgbe:twin
run 2 receive ixgbe:twin --rte 5
run 2 receive ixgbe:twin --window 8x
says "--window"
run 2 receive ixgbe:twin --feed "a=239.1.1.1:1"
says "a part is missing"
run 2 receive ixgbe:twin --feed "a=239.1.1.1:1,10.1.1.1:1"
says "line B"
run 2 receive ixgbe:twin --feed "a=239.1.1.1:1,239.1.1.2:1" --feed "b=239.1.1.2:1,239.1.1.3:1"
says "has a name or a line of feed a"
run 2 generate ixgbe:twin --loss 1.5
run 2 generate ixgbe:twin --loss 0.5,
run 2 generate ixgbe:twin --ip 10.0.0
run 1 receive ixgbe:twin --window 1000
says "a power of two"
run 1 generate ixgbe:twin --messages 10
says "26 messages or more"
run 1 receive "ixgbe:twin?nothing=1"
run 1 receive ixgbe:twin # nothing is at the wire's other end
says "has no link"

# Two feeds of two lines, each of which loses 5 % and doubles and reorders; what one loses the other
# brings. All is there, and the books are equal.
bad=(--loss 0.05 --duplicate 0.03 --reorder 0.03 --arbitration-us 200000)
both 0 "${bad[@]}" --complete --messages 6000
for feed in alpha beta; do
  count "$feed delivered" 6000
  count "$feed lost" 0
  positive "$feed filled"
  first=$(($(reported "$feed A messages first") + $(reported "$feed B messages first")))
  [ $first -eq 6000 ] || fail "$first messages came first"
  for line in A B; do
    positive "$feed $line frames lost"
    positive "$feed $line frames sent twice"
    positive "$feed $line frames held back"
    positive "$feed $line gaps"
    count "$feed $line packets" "$(reported "$feed $line frames sent")"
  done
done
quiet_about "unknown order"
quiet_about "wrong length"
says "from poll to book"
grep -q '^feed alpha 6000 messages 0 lost$' "$scratch/books" || fail "the books don't say so"
[ "$(grep -c '^book ' "$scratch/books")" -eq 40 ] || fail "there are not 20 stocks a feed"

# The wire, as tshark reads it. Its ITCH dissector is of earlier versions, so messages are only
# held against the lengths of their types.
decode() {
  tshark -r "$scratch/wire.pcapng" -d udp.port==26400,moldudp64 -d udp.port==26401,moldudp64 \
    -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE "$@" 2>/dev/null
}
if command -v tshark >/dev/null; then
  [ "$(decode -Y '_ws.malformed or _ws.expert.severity >= "Warning"' | wc -l)" -eq 0 ] ||
    fail "tshark: $(decode -Y '_ws.malformed or _ws.expert.severity >= "Warning"' | head -n 3)"
  [ "$(decode -Y 'igmp.type == 0x22 and ip.dst == 224.0.0.22' | wc -l)" -ge 2 ] ||
    fail "the groups were not joined and left"
  for port in 26400 26401; do
    seen=$(decode -Y "udp.dstport == $port" -T fields -e moldudp64.msgseq | tr , '\n' | grep . |
      sort -nu | wc -l)
    [ "$seen" -eq 6000 ] || fail "$seen messages were on the wire"
  done
  decode -Y moldudp64.msgdata -T fields -e moldudp64.msgdata | tr , '\n' |
    awk 'BEGIN { split("S 12 R 39 H 25 A 36 F 40 E 31 C 36 X 23 D 19 U 35 P 44", table, " ")
           for (i = 1; i in table; i += 2) bytes[table[i]] = table[i + 1]
           for (i = 65; i < 91; i++) letter[sprintf("%02x", i)] = sprintf("%c", i) }
         length($0) != 2 * bytes[letter[substr($0, 1, 2)]] { wrong++ }
         END { exit wrong > 0 || NR < 6000 }' || fail "messages of wrong lengths"
fi

# Each line loses by itself: what both lose is lost, and told to the message. Books are equal as far
# as a receiver can know.
both 3 "${bad[@]}" --loss 0.1,0.2 --messages 6000 --seed 7
for feed in alpha beta; do
  positive "$feed lost"
  count "$feed lost" "$(reported "$feed messages on no line")"
  count "$feed gaps lost" "$(reported "$feed gaps on no line")"
  count "$feed delivered" $((6000 - $(reported "$feed lost")))
  says "feed $feed: its books are not to be relied on since message"
done
[ "$(grep -c '^lost [0-9]*-[0-9]*$' "$scratch/books")" -eq \
  $(($(reported "alpha gaps lost") + $(reported "beta gaps lost"))) ] || fail "ranges are missing"

# One line dead, the book too small for the day.
both 0 --loss 1,0 --messages 2000
count "alpha A packets" 0
run 0 both ixgbe:twin?wire=w ixgbe:twin?wire=w --orders 100 --messages 2000
positive "alpha no room"
count "alpha orders resting at most" 100

# Two processes, a UDP tunnel between their wires.
feeds=(--feed "one=239.1.1.1:9001,239.1.2.1:9001" --feed "two=239.1.1.1:9002,239.1.2.1:9002"
  --feed "three=239.1.1.3:9001,239.1.2.3:9001")
start receive receive "ixgbe:twin?udp=$near,$far" "${feeds[@]}" --books "$scratch/books" \
  --arbitration-us 1000000 --window 65536 --seconds 50
run 0 generate "ixgbe:twin?udp=$far,$near" "${feeds[@]}" --truth "$scratch/truth" --complete \
  --loss 0.05 --duplicate 0.03 --reorder 0.03 --messages 2000 --rate 500
finish receive 0
count "three delivered" 2000
count "frames of others" 0
cmp -s "$scratch/books" "$scratch/truth" || fail "in two processes the books differ"

# A signal ends a receiver with its report.
start receive receive "ixgbe:twin?udp=$near,$far"
kill -INT $child
finish receive 3
count "alpha delivered" 0

done_testing
