#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What can go wrong with an interface, a queue or a process, on a veth pair: each is counted, said
# with cause and remedy, and outlived.
source "$2/tests/cli/check.sh"
source "$2/tests/netns/xdp.sh"

# --- Names and limits ---

make_veth
run 1 info xdp:v9
says "v9"
run 1 info "xdp:v0?queues=2"
says "it has 1 receive queue"
says "numrxqueues 2"
quiet_about "channels=" # of which it has one at most
run 1 info "xdp:v0?mode=drv&zero_copy=require"
says "zero copy"
says "take a NIC whose driver has it"
says "zero_copy=prefer"
run 1 info "xdp:v0?mode=hw"
says 'driver "veth" has no XDP in hw mode'
says "use drv mode"
for keys in mode=native zero_copy=1 mtu=99999 rx_ring=100 join=maybe; do
  run 1 info "xdp:v0?$keys"
  says "try:"
done
says "join=1"
run 1 info "xdp:lo?mode=drv&multi_buffer=0"
says "MTU is 65536"
says "multi_buffer=1"
run 1 info "xdp:v0?mode=skb&hw=require"
says "can't both be required"
run 1 info "xdp:v0?tx_buget=64"
says "tx_buget"
make_veth 4000
run 1 info "xdp:v0?multi_buffer=0"
says "ip link set v0 mtu 1774"

# --- A capability that is missing is named ---

make_veth
if command -v setpriv >/dev/null; then
  near setpriv --bounding-set=-net_raw "$real_shunt" info xdp:v0 && fail "no CAP_NET_RAW, and open"
  says "CAP_NET_RAW"
  near setpriv --bounding-set=-net_admin,-sys_admin "$real_shunt" info xdp:v0 &&
    fail "no CAP_NET_ADMIN, and open"
  says "CAP_NET_ADMIN"
  near setpriv --bounding-set=-bpf,-sys_admin "$real_shunt" info "xdp:v0" &&
    fail "no CAP_BPF, and open"
  says "CAP_BPF"
  # What the verifier asks of who steps over an IP header; without rules nothing does.
  near setpriv --bounding-set=-perfmon,-sys_admin "$real_shunt" info "xdp:v0?rules=udp port 9" &&
    fail "no CAP_PERFMON, and a program that steps over an IP header"
  says "CAP_PERFMON"
  near setpriv --bounding-set=-perfmon,-sys_admin "$real_shunt" info xdp:v0 ||
    fail "without rules it takes CAP_PERFMON"

  # limited KIB: what start and run call is shunt that may lock so much.
  limited() {
    cat >"$scratch/limited" <<SHELL
#!/bin/sh
ulimit -l $1
exec setpriv --bounding-set=-ipc_lock "$scratch/shunt" "\$@"
SHELL
    chmod +x "$scratch/limited"
    shunt=$scratch/limited
  }

  # What exactly fits is enough, also where zero copy is tried first and refused: the kernel gives
  # the memory of that try back only after a while.
  limited 4096
  for _ in 1 2 3; do
    run 0 info "xdp:v0?setup=0"
    says "copy"
  done
  limited 4092
  run 1 info "xdp:v0?setup=0"
  says "RLIMIT_MEMLOCK is 4092 KiB"
  says "ulimit -l 8188"

  # Two interfaces with one region: its memory counts once, whoever of them registers it.
  ip -n "$near_space" link add w0 type veth peer name w1 netns "$far_space" || fail "no second pair"
  ip -n "$near_space" link set w0 up
  ip -n "$far_space" link set w1 up
  limited 4096
  run 0 forward --seconds 0.2 "xdp:v0?setup=0" "xdp:w0?setup=0&zero_copy=never"
  says "4 MiB"
  run 0 forward --seconds 0.2 "xdp:v0?setup=0" "xdp:w0?setup=0"
  run 1 forward --seconds 0.2 "xdp:v0?setup=0" "xdp:w0?setup=0&wakeup=0"
  says "RLIMIT_MEMLOCK"
  ip -n "$near_space" link del w0

  # Memory of all sockets of a user counts, so that of one port fits and that of two does not.
  make_veth 1500 2
  limited 6144
  start first echo --ip $near_ip "xdp:v0?mode=skb&queue=0"
  shunt=$scratch/shunt
  first=$child
  "$scratch/limited" info "xdp:v0?mode=skb&queue=1&join=1" >"$scratch/out" 2>"$scratch/err" &&
    fail "twice the limit was taken"
  says "RLIMIT_MEMLOCK"
  says "CAP_IPC_LOCK"
  says "ulimit -l 10240"
  run 0 info "xdp:v0?queue=1&join=1" # what may be any mode becomes that of the one which is there
  says "AF_XDP, skb, copy"
  child=$first
  stop first
fi

# --- Somebody else has the queue, or the interface ---

make_veth
start echo echo --ip $near_ip "xdp:v0?mode=skb"
run 1 info "xdp:v0?mode=skb"
says "program" # which one, and whose: bpf_link.c
run 1 info "xdp:v0?mode=skb&join=1"
says "queue 0"
run 1 info "xdp:v0?mode=drv&join=1" # the program is where it was put
says "another mode than was asked for"
run 1 capture --output "$scratch/busy.pcapng" "xdp:v0?mode=skb"
says "opened with capture=1; else end the process"
quiet_about "AF_XDP, drv"
kernel_ping 3 -i 0.01
stop echo

# --- Down and up again; removed; fewer queues ---

for mode in skb drv; do
  make_veth 1500 2
  start echo echo --ip $near_ip "xdp:v0?mode=$mode&queues=2"
  kernel_ping 3 -i 0.01
  ip -n "$near_space" link set v0 down
  far ping -n -c 3 -i 0.01 -W 1 $near_ip && fail "an interface that is down answered"
  ip -n "$near_space" link set v0 up
  for _ in $(seq 40); do
    far ping -n -c 1 -W 1 $near_ip && break
  done
  kernel_ping 20 -i 0.01

  # The kernel keeps the queues of bound sockets.
  if command -v ethtool >/dev/null; then
    near ethtool -L v0 rx 1 tx 1 && fail "a bound queue was taken away"
    kernel_ping 20 -i 0.01
  fi

  ip -n "$near_space" link del v0
  finish echo 1
  says "v0 is gone"
  says "answered"
done

# --- The program is taken off, or the owner of a joined one ends: no frame comes any more ---

# detach: take the program off v0 as an operator does.
detach() {
  local id
  id=$(ip -n "$near_space" link show v0 | sed -n 's/.*prog\/xdp id \([0-9]*\).*/\1/p')
  id=$(bpftool link list | sed -n "s/^\([0-9]*\): xdp  *prog $id .*/\1/p")
  bpftool link detach id "$id" || fail "bpftool link detach id '$id'"
}

if command -v bpftool >/dev/null; then
  make_veth
  start echo echo --ip $near_ip xdp:v0
  detach
  finish echo 1
  says "the link was detached"
  says "open it again"
  start recv recv --json xdp:v0
  detach
  finish recv 1
  says '"code":-67'
fi

make_veth 1500 2
start owner echo --ip $near_ip "xdp:v0?mode=skb"
owner=$child
start recv recv "xdp:v0?mode=skb&queue=1&join=1"
joined=$child child=$owner
stop owner
child=$joined
finish recv 1
says "its owner has ended"

# --- Fewer receive queues than the peer's transmit queues: no program in the driver ---

if command -v ethtool >/dev/null; then
  make_veth 1500 2
  ip netns exec "$near_space" ethtool -L v0 rx 1 || fail "ethtool -L"
  run 1 info "xdp:v0?mode=drv"
  says "v0 has 1 receive queues, fewer than its peer"
fi

# --- What the other end of a pair does is told while it does so ---

if command -v ethtool >/dev/null; then
  make_veth
  ip -n "$far_space" link set v0 name far0
  run 0 info xdp:v0
  says "leaves checksums half done, joins segments to up to 64 KiB, keeps VLAN tags beside the frame"
  says "there: ethtool -K far0 tx off"
  far ethtool -K far0 tx off tso off gso off tx-udp-segmentation off txvlan off ||
    fail "ethtool -K far0"
  run 0 info "xdp:v0?rules=vlan 5 udp port 9"
  quiet_about "its other end"
  if command -v setpriv >/dev/null; then # then it can't be known
    near setpriv --bounding-set=-sys_admin "$real_shunt" info xdp:v0 || fail "no CAP_SYS_ADMIN"
    says "and, unless told not to, leaves checksums half done"
  fi
fi

# --- More queues than the port has ---

if command -v ethtool >/dev/null; then
  make_veth 1500 2
  for space in "$near_space" "$far_space"; do
    ip netns exec "$space" ethtool -L v0 rx 1 tx 1 || fail "ethtool -L"
  done
  start echo echo --ip $near_ip xdp:v0
  ip netns exec "$near_space" ethtool -L v0 rx 2 tx 2 || fail "ethtool -L"
  for _ in $(seq 100); do
    grep -q "v0 has 2 receive queues" "$scratch/echo.err" && break
    sleep 0.1
  done
  stop echo
  says "v0 has 2 receive queues, and the port 1 from 0 on"
  run 0 info xdp:v0
  says "v0 has 2 receive queues, and the port 1 from 0 on"
  run 0 info "xdp:v0?queues=2"
  quiet_about "receive queues, and the port"
fi

# --- Every command that moves frames says so when its interface goes, however it waits ---

# gone NAME COMMAND...: ends with 1, within a minute of the interface.
gone() {
  local name=$1
  shift
  make_veth
  start "$name" "$@"
  ip -n "$near_space" link del v0
  finish "$name" 1
  says "v0 is gone"
}

gone echo echo --ip $near_ip --queue-wait wait "xdp:v0?mode=skb"
gone recv recv --queue-wait spin "xdp:v0?mode=drv"
gone recv recv --json "xdp:v0?mode=drv"
says '"code":-19'
says '"frames":'
gone capture capture --output "$scratch/gone.pcapng" xdp:v0

# The second of two, whose memory is the first one's.
make_veth
ip -n "$near_space" link add w0 type veth peer name w1
for link in w0 w1; do ip -n "$near_space" link set $link up; done
start forward forward xdp:v0 xdp:w0
ip -n "$near_space" link del w0
finish forward 1
says "w0 is gone"

# What sends says no "ready": the report of what was granted comes before the first frame.
make_veth
"$shunt" send --mac 02:00:00:00:00:01 --rate 100 xdp:v0 >"$scratch/send" 2>"$scratch/send.err" &
child=$!
children+=("$child")
for _ in $(seq 300); do
  grep -q "link  *up" "$scratch/send" && break
  sleep 0.1
done
ip -n "$near_space" link del v0
finish send 1
says "v0 is gone"

# --- A consumer that stalls: what finds no buffer is counted, and frames flow again ---

# datagrams COUNT: broadcasts, which need no ARP.
datagrams() {
  far perl -e '
    use Socket;
    socket(my $s, PF_INET, SOCK_DGRAM, 0) or die $!;
    setsockopt($s, SOL_SOCKET, SO_BROADCAST, 1);
    send($s, "x" x 20, 0, sockaddr_in(9, inet_aton("10.82.60.255"))) for 1 .. $ARGV[0];' "$1"
}

# recorded COUNT: so many datagrams are in the file by now, or within half a minute.
recorded() {
  for _ in $(seq 300); do
    [ "$(grep -ao 'x\{20\}' "$scratch/stall.pcapng" | wc -l)" -ge "$1" ] && return
    sleep 0.1
  done
  fail "recv has not recorded $1 datagrams"
}

for mode in skb drv; do
  make_veth
  start recv recv --seconds 100 --pcap "$scratch/stall.pcapng" \
    "xdp:v0?mode=$mode&rx_ring=64&tx_ring=64"
  datagrams 10
  recorded 10
  kill -STOP "$child"
  datagrams 500
  kill -CONT "$child"
  recorded 74
  datagrams 10
  recorded 84
  kill -INT "$child"
  finish recv 0
  count "frames" 84
  count "missed by the NIC" 436
done

done_testing
