#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt twin: NICs in one process, their drivers in two others, and no frame lost between them.
source "$2/tests/cli/check.sh"

a=$scratch/a.sock
b=$scratch/b.sock
target=10.82.59.1

# until_true COMMAND...: at most 30 s.
until_true() {
  for _ in $(seq 300); do
    "$@" 2>/dev/null && return 0
    sleep 0.1
  done
  return 1
}

not_running() {
  ! kill -0 "$1"
}

# serve ARGUMENTS...: a twin command in the background; its process id in $served.
serve() {
  : >"$scratch/twin.out"
  "$shunt" twin "$@" >"$scratch/twin.out" 2>"$scratch/twin.err" <"${input:-/dev/null}" &
  served=$!
  children+=("$served")
  until_true grep -q '^ready' "$scratch/twin.out" "$scratch/twin.err" || fail "twin is not ready"
}

# stop_with SIGNAL PROCESS: it must end well.
stop_with() {
  kill -"$1" "$2"
  reap "$2" || fail "ended with $? after SIG$1"
}

# Options and errors.
run 0 twin --help
says --spin
run 2 twin
says "no twin to serve"
run 2 twin "$a"
says "there is no '='"
run 2 twin "=ixgbe"
run 2 twin "$a="
run 2 twin "$a=ixgbe?areas=maybe"
says "on or off"
run 2 twin "$a=ixgbe?memory=all"
run 2 twin "$a=ixgbe?wire=w&cards=0"
says "cards=0: it is 1 to 16"
run 2 twin "$a=ixgbe?wire=w&cards=17"
run 2 twin "$a=ixgbe?wire=w&cards=2x"
run 2 twin "$a=ixgbe?cards=2"
says "on a wire, and it names none"
run 1 twin "$a=e1000"
says "no twin of a e1000"
run 1 twin "$a=ixgbe?wire=w&los=1"
says "los"
run 1 twin "$scratch/none/a.sock=ixgbe"
says "can't make the socket"
run 1 twin "$a=ixgbe" "$a=ixgbe"
says "another server answers there"
[ -e "$a" ] && fail "a socket is left behind"
run 1 ping "ixgbe:vfio-user:$a" $target
says "shunt twin $a=ixgbe"

# The socket is its owner's, and gone at the end, whatever ends it.
for signal in INT TERM; do
  serve "$a=ixgbe?wire=w" "$b=ixgbe?wire=w&areas=off"
  [ "$(stat -c %a "$a")" = 600 ] || fail "the socket is open to others"
  stop_with $signal $served
  { [ -e "$a" ] || [ -e "$b" ]; } && fail "a socket is left behind after SIG$signal"
done
# One that was killed leaves its socket, which the next one replaces.
serve "$a=ixgbe"
kill -KILL $served
wait $served 2>/dev/null
[ -S "$a" ] || fail "a killed server can't have removed its socket"
serve "$a=ixgbe"
stop_with INT $served

# exchange KEYS OPTIONS...: a responder and an asker, each in its own process, on twins in a third.
exchange() {
  local keys=$1 echo
  shift
  serve "$a=ixgbe?wire=w&id=10f9$keys" "$b=ixgbe?wire=w&id=10f9$keys" --json "$@"
  "$shunt" echo "ixgbe:vfio-user:$a" >"$scratch/echo.out" 2>&1 &
  echo=$!
  children+=("$echo")
  until_true grep -q '^ready' "$scratch/echo.out" || fail "echo is not ready"
  run 0 ping "ixgbe:vfio-user:$b" $target --count 3000 --timeout 5 --json
  holds answered 3000
  holds lost 0
  holds duplicates 0
  holds corrupted 0
  stop_with INT "$echo"
  stop_with INT "$served"
  cp "$scratch/twin.out" "$scratch/out"
  holds clients 1
  holds dma_faults 0
  holds bad_descriptor 0
  holds bad_length 0
  holds vanished 0
  [ "$(number wire_frames_out)" -ge 3000 ] || fail "$(number wire_frames_out) frames on the wire"
  holds sent "$(number wire_frames_out)"
  holds delivered "$(number wire_frames_in)"
  holds lost 0
}
exchange ""
# All that frames needed was done in mapped pages: messages are of opening and closing alone.
[ "$(number messages)" -lt 3000 ] || fail "$(number messages) messages for 3000 pings"
exchange "&mode=trap"
[ "$(number posted_writes)" -ge 3000 ] || fail "$(number posted_writes) posted writes"

# Two cards behind one socket, whose wire is described once: each process gets one of them.
serve "$a=ixgbe?wire=w&id=10f9&cards=2&loss=0&seed=7" --json --control
"$shunt" echo "ixgbe:vfio-user:$a" >"$scratch/echo.out" 2>&1 &
echo=$!
children+=("$echo")
until_true grep -q '^ready' "$scratch/echo.out" || fail "echo is not ready"
run 0 ping "ixgbe:vfio-user:$a" $target --count 100 --timeout 5 --json
holds answered 100
# Both are taken: the third is told at once, and how to have more.
"$shunt" echo "ixgbe:vfio-user:$a" >"$scratch/second.out" 2>&1 &
second=$!
children+=("$second")
until_true grep -q '^ready' "$scratch/second.out" || fail "the second echo is not ready"
run 1 ping "ixgbe:vfio-user:$a" $target --count 1 --timeout 5
says "no card free"
says "cards=4"
stop_with INT "$second"
stop_with INT "$echo"
stop_with INT "$served"
[ "$(grep -c '"refused": *1' "$scratch/twin.out")" = 1 ] || fail "nobody was refused"
[ "$(grep -c '"card":' "$scratch/twin.out")" = 2 ] || fail "there are not two cards"
[ "$(grep -c '"clients": *[12]' "$scratch/twin.out")" = 2 ] || fail "not every card had a client"
[ "$(grep -c "\"socket\": *\"$a\"" "$scratch/twin.out")" = 2 ] || fail "not at one socket"

# A twin outlives its drivers, also those that are killed, and serves the next.
serve "$a=ixgbe?wire=w&id=10f9" "$b=ixgbe?wire=w&id=10f9" --json
for _ in 1 2 3; do
  "$shunt" echo "ixgbe:vfio-user:$a" >"$scratch/echo.out" 2>&1 &
  echo=$!
  children+=("$echo")
  until_true grep -q '^ready' "$scratch/echo.out" || fail "echo is not ready"
  run 0 ping "ixgbe:vfio-user:$b" $target --count 50 --timeout 5 --json
  holds lost 0
  kill -KILL "$echo"
  wait "$echo" 2>/dev/null
done
stop_with INT "$served"
cp "$scratch/twin.out" "$scratch/out"
holds clients 3

# A driver whose twin is killed ends with an error, and does not hang: while frames move, too.
serve "$a=ixgbe?wire=w" "$b=ixgbe?wire=w"
"$shunt" echo "ixgbe:vfio-user:$a" --link-wait 0.2 >"$scratch/out" 2>"$scratch/err" &
echo=$!
children+=("$echo")
until_true grep -q '^ready' "$scratch/out" || fail "echo is not ready"
kill -KILL "$served"
wait "$served" 2>/dev/null
until_true not_running "$echo" || fail "echo runs on without its device"
reap "$echo"
[ $? -eq 1 ] || fail "echo did not fail"
says "ixgbe:vfio-user:$a is gone"
rm -f "$a" "$b"
serve "$a=ixgbe?wire=w" "$b=ixgbe?wire=w"
kill -KILL "$served"
wait "$served" 2>/dev/null
run 1 ping "ixgbe:vfio-user:$b" $target --link-wait 1
rm -f "$a" "$b"

# Orders, the state, and a configuration file.
cat >"$scratch/lab.ini" <<END
[twin]
status = 0.2
control = yes
[twins]
$a = ixgbe?wire=w&id=10f9
$b = ixgbe?wire=w&id=10f9
END
mkfifo "$scratch/orders"
exec 7<>"$scratch/orders"
input=$scratch/orders serve --config "$scratch/lab.ini"
until_true grep -q "$a: waiting" "$scratch/twin.err" || fail "no state is told"
echo "cut $a" >&7
run 1 ping "ixgbe:vfio-user:$b" $target --link-wait 1
says "link"
echo "join $a" >&7
echo "dance" >&7
until_true grep -q '"dance" is none of' "$scratch/twin.err" || fail "an unknown order is taken"
run 1 ping "ixgbe:vfio-user:$b" $target --timeout 0.2 --count 1
says "nobody answered"
stop_with TERM "$served"
exec 7>&-

done_testing
