#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A user without any capability answers the kernel's ping over AF_XDP, by shunt xdp-helper: rules
# work, the policy holds, several clients share an interface, and kill -9 of either leaves nothing.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"
command -v setpriv >/dev/null || skip "there is no setpriv"

chmod 755 "$scratch"
cp "$real_shunt" "$scratch/unprivileged-shunt" # the build directory may be root's alone
socket=$scratch/helper.sock
helper=$scratch/shunt
user=65534
small="rx_ring=128&tx_ring=128" # what two clients may lock together, where that is 8 MiB
at="xdp:v0?helper=$socket&$small"

# as_user ID: what start and run call is shunt of that user, without capabilities.
as_user() {
  cat >"$scratch/as-$1" <<SHELL
#!/bin/sh
exec ip netns exec "$near_space" setpriv --reuid $1 --regid $1 --clear-groups --inh-caps=-all \\
  --bounding-set=-all --no-new-privs "$scratch/unprivileged-shunt" "\$@"
SHELL
  chmod +x "$scratch/as-$1"
  shunt=$scratch/as-$1
}

# start_helper ENTRIES
start_helper() {
  shunt=$helper
  start helper xdp-helper --socket "$socket" --log-level info --allow "$1"
  helper_pid=$child
  as_user $user
}

no_program() {
  program_gone
  ip -n "$near_space" -d link show v0 | grep -q 'mtu 1500' || fail "the MTU stayed changed"
}

make_veth 1500 2
start_helper "user=$user interface=v0 queues=0-1 setup=all rules=arp;icmp;udp port 7-9"
grep -q '^CapEff:.0*c000003000$' "/proc/$helper_pid/status" ||
  fail "the helper has other capabilities than it needs: $(grep CapEff "/proc/$helper_pid/status")"

# Rules; MTU and channels by the helper, and put back.
rules="rules=arp;icmp;udp port 7"
start echo echo --ip $near_ip "$at&queues=2&channels=2&mtu=2000&$rules"
grep -q '^CapEff:.0*$' "/proc/$child/status" || fail "the client has capabilities"
kernel_ping 3 -i 0.2
kernel_ping 1000 -f -q
ip -n "$near_space" link show v0 | grep -q 'mtu 2000' || fail "the MTU was not changed"
stop echo
says "by helper"
count "no room to send" 0
no_program

# Options of a socket that take a capability the helper sets, too.
start echo echo --ip $near_ip "$at&queues=2&busy_poll_us=20&busy_budget=128&$rules"
kernel_ping 3 -i 0.05
stop echo
run 1 info "$at&join=1"
says "helper and join exclude each other"

# What the policy does not have is refused, with cause and remedy.
run 1 info "$at"
says "may not have the rule"
says "try:"
run 1 info "$at&rules=tcp port 22"
says "tcp port 22"
run 1 info "xdp:lo?helper=$socket&$rules"
says "does not serve this user on lo"
as_user 12345
run 1 info "$at&$rules"
says "no entry for user 12345"
says "user=12345 interface=v0"
as_user $user
run 1 info "xdp:v0?helper=$scratch/none&$rules"
says "shunt xdp-helper"
run 1 info "xdp:v0?$rules" # and alone it can't
says "shunt xdp-helper"

# Two clients share the program; a queue is one's.
start echo echo --ip $near_ip "$at&queue=0&$rules"
first=$child
run 1 info "$at&queue=0&$rules"
start second echo --ip $near_ip "$at&queue=1&rules=udp port 9"
kernel_ping 100 -i 0.005 -q
stop second
ip -n "$near_space" link show v0 | grep -q 'prog/xdp' || fail "the program went with one of two"
child=$first
kernel_ping 3 -i 0.05
stop echo
no_program

# kill -9 of the client: the helper takes everything back.
start echo echo --ip $near_ip "$at&mtu=2000&$rules"
kill -KILL "$child"
wait "$child" 2>/dev/null
for _ in $(seq 40); do
  ip -n "$near_space" link show v0 | grep -q 'mtu 1500' && break
  sleep 0.05
done
no_program
start echo echo --ip $near_ip "$at&$rules" # and serves the next one
kernel_ping 3 -i 0.05
stop echo

# kill -9 of the helper: the kernel takes the program off, commands say so and end, the next helper puts
# the settings back.
start echo echo --ip $near_ip "$at&mtu=2000&queue=0&$rules"
first=$child
start recv recv "$at&queue=1&mtu=2000&rules=udp port 9"
second=$child
kill -KILL "$helper_pid"
wait "$helper_pid" 2>/dev/null
program_gone
for name in echo recv; do
  child=$first
  [ $name = recv ] && child=$second
  finish $name 1
  says "the connection to the helper is over"
  says "try:"
done
start_helper "user=$user interface=v0"
no_program
start echo echo --ip $near_ip "$at"
kernel_ping 3 -i 0.05
stop echo

# Two helpers on one socket; an ordinary end.
shunt=$helper
run 1 xdp-helper --socket "$socket" --allow "user=$user interface=v0"
says "another helper does"
run 2 xdp-helper --socket "$scratch/other"
says "serve nobody"
run 2 xdp-helper --socket "$scratch/other" --allow "user=nobody-of-this-name interface=v0"
says "there is no user"
run 2 xdp-helper --socket "$scratch/other" --policy "$scratch/none"
says "try: write it"
printf '# was: user=* interface=*|user=* interface=v0\nuser=0 interface=v0 queues=x\n' >"$scratch/policy"
run 2 xdp-helper --socket "$scratch/other" --policy "$scratch/policy"
says "$scratch/policy, line 2"
sed -i 2d "$scratch/policy"
run 2 xdp-helper --socket "$scratch/other" --policy "$scratch/policy"
says "serve nobody" # what stands in a comment is no entry
kill -TERM "$helper_pid"
child=$helper_pid
finish helper 0
[ -e "$socket" ] && fail "the socket stayed"
no_program

# Started by systemd for its socket, at the first client; what the unit says, test_install.sh reads.
if command -v systemd-socket-activate >/dev/null; then
  activated=$scratch/activated.sock
  ip netns exec "$near_space" systemd-socket-activate --seqpacket --listen="$activated" \
    "$real_shunt" xdp-helper --allow "user=$user interface=v0" \
    >"$scratch/activated" 2>"$scratch/activated.err" &
  activated_pid=$!
  children+=("$activated_pid")
  for _ in $(seq 100); do
    [ -S "$activated" ] && break
    sleep 0.05
  done
  chmod 666 "$activated"
  grep -qs ready "$scratch/activated" && fail "the helper runs before anybody has asked"
  as_user $user
  start echo echo --ip $near_ip "xdp:v0?helper=$activated&$small"
  kernel_ping 3 -i 0.05
  stop echo
  no_program
  kill -TERM "$activated_pid"
  child=$activated_pid
  finish activated 0
  says "ready"
else
  echo "there is no systemd-socket-activate: the helper was not started for a socket"
fi

done_testing
