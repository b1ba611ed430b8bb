# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034
# Two network namespaces joined by a veth pair: ours, where shunt opens xdp:v0, and theirs, where
# the kernel alone is. Sourced behind cli/check.sh; all is gone when the test ends, however it ends.
[ "$(id -u)" -eq 0 ] || skip "it takes root to make network namespaces"
for tool in ip ping perl; do
  command -v $tool >/dev/null || skip "there is no $tool"
done

near_space=shunt-xdp-a-$$
far_space=shunt-xdp-b-$$
near_ip=10.82.60.1
far_ip=10.82.60.2

# journal SPACE: the files of what was changed at its interfaces, if there are any. They are named after
# the namespace's cookie (SO_NETNS_COOKIE), which is given once; inodes of namespaces are given again.
journal() {
  local cookie
  cookie=$(ip netns exec "$1" perl -MSocket -MPOSIX=uname -e '
    my %call = (x86_64 => 55, aarch64 => 209); # getsockopt: that of perl offers too long a buffer
    my ($cookie, $bytes) = ("\0" x 8, pack("i", 8));
    socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
    syscall($call{(uname())[4]}, fileno($s), SOL_SOCKET, 71, $cookie, $bytes) == 0 or die $!;
    printf "%x", unpack("Q", $cookie)') || return 1
  compgen -G "/run/shunt/setup-$cookie-*"
}

remove_space() {
  ip netns pids "$1" 2>/dev/null | xargs -r kill -KILL
  journal "$1" 2>/dev/null | xargs -r rm -f
  ip netns del "$1" 2>/dev/null
}
remove_spaces() {
  remove_space "$near_space"
  remove_space "$far_space"
  rm -f "$scratch/shunt"
  clean_up
}
# A test that was killed had no time for that: its namespaces bear the number of its process.
for space in $(ip netns list 2>/dev/null | grep -o '^shunt-xdp-[abc]-[0-9]*'); do
  [ -e "/proc/${space##*-}" ] || remove_space "$space"
done
ip netns add "$near_space" 2>"$scratch/err" || skip "no network namespaces: $(cat "$scratch/err")"
trap remove_spaces EXIT
ip netns add "$far_space"

# shunt runs in our namespace.
cat >"$scratch/shunt" <<SHELL
#!/bin/sh
exec ip netns exec "$near_space" "$shunt" "\$@"
SHELL
chmod +x "$scratch/shunt"
real_shunt=$shunt
shunt=$scratch/shunt

near() {
  timeout 120 ip netns exec "$near_space" "$@" >"$scratch/out" 2>"$scratch/err"
}
far() {
  timeout 120 ip netns exec "$far_space" "$@" >"$scratch/out" 2>"$scratch/err"
}

# make_veth [MTU [QUEUES]]: v0 here and v0 there, up; theirs has its address.
make_veth() {
  local queues="numrxqueues ${2:-1} numtxqueues ${2:-1}"
  ip -n "$near_space" link del v0 2>/dev/null
  for space in "$near_space" "$far_space"; do
    ip netns exec "$space" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null
  done
  # shellcheck disable=SC2086
  ip -n "$near_space" link add v0 mtu "${1:-1500}" $queues type veth peer name v0 \
    mtu "${1:-1500}" $queues netns "$far_space" || skip "no veth interfaces"
  ip -n "$near_space" link set v0 up
  ip -n "$far_space" link set v0 up
  ip -n "$far_space" addr add $far_ip/24 dev v0
}

# program_gone: no XDP program is on v0, within two seconds.
program_gone() {
  for _ in $(seq 40); do
    ip -n "$near_space" link show v0 | grep -q 'prog/xdp' || return 0
    sleep 0.05
  done
  fail "a program stayed on the interface"
}

# kernel_ping COUNT ARGUMENTS...: their kernel asks; as many answers as requests, none wrong. ping
# waits two round trips for the last answers, which on a busy machine is too short: then again.
kernel_ping() {
  local n=$1
  shift
  for _ in 1 2 3; do
    far ping -n -c "$n" "$@" $near_ip
    grep -qF "$n packets transmitted, $n received, 0% packet loss" "$scratch/out" && break
  done
  says "$n packets transmitted, $n received, 0% packet loss"
  quiet_about "wrong data byte"
  quiet_about "DUP"
}

stop() { # NAME: end the last one started by SIGINT
  kill -INT "$(pgrep -P "$child" 2>/dev/null || echo "$child")" 2>/dev/null
  finish "$1" 0
}
