#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# shunt fabric: messages and remote memory between endpoints of one process, of two, and of devices
# that a third serves.
source "$2/tests/cli/check.sh"

twin='efa:twin?wire=a'

# Options and errors.
run 0 fabric --help
says --connect
run 2 fabric ping
run 2 fabric pong "$twin"
says "none of ping, bw, info, stats"
run 2 fabric ping "$twin"
says "two devices"
run 2 fabric bw "$twin" "$twin" --op push
says '"push"'
run 2 fabric bw "$twin" "$twin" --type ud --op read
says "only send"
run 2 fabric bw "$twin" "$twin" --size 8929
says "8928"
run 2 fabric bw 'efa:twin?id=efa0&wire=a' "$twin" --op read
says "takes up to 0 bytes"
run 1 fabric info efa:0000:ff:1f.7
run 1 fabric info "$twin&waires=2"
says waires
run 1 fabric ping "$twin" --connect 127.0.0.1:1
says "--listen"

# What a device is.
run 0 fabric info 'efa:twin?id=efa1'
says rdma-read
quiet_about rdma-write
run 0 fabric info "$twin" --json
holds mtu 8928
holds inline_bytes_wide 80
run 0 info "$twin" --json
holds mtu 8928
run 0 fabric stats "$twin"
says retrans_pkts
run 0 fabric stats "$twin" --json
holds send_wrs 0
holds cmds_err 0

# sound ARGUMENTS...: nothing is lost, failed or damaged.
sound() {
  run 0 fabric "$@" --json
  holds lost 0
  holds failed 0
  holds corrupted 0
  holds cmds_err 0
  says '"model":true'
}
both() {
  sound "$@" "$twin" "$twin"
}
both ping --count 2000
holds completed 2000
holds received 2000
holds count 2000
for size in 0 1 7 8 32 33 4096 8928; do
  both ping --count 100 --size $size
  holds received_bytes $((100 * size))
done
both ping --type ud --count 500
both ping --op read --count 500 --size 4096
both ping --op write --count 500 --size 80 --wide
both bw --count 20000 --check --size 100
holds received_bytes 2000000
both bw --op read --count 30 --check --size 1000000
both bw --op write --count 30 --check --size 1000000
sound bw --count 2000 --check --size 3000 "$twin&loss=0.02&reorder=0.1&duplicate=0.02&seed=5" "$twin"
awk -v n="$(number retrans_pkts)" 'BEGIN { exit !(n > 0) }' || fail "nothing was sent again"

# What goes wrong is told by its status, with what to do.
run 3 fabric ping 'efa:twin?wire=a&loss=1&give_up_ms=20' "$twin" --count 3
says unreachable
says "security group"
run 1 fabric bw "$twin" 'efa:twin?wire=a&id=efa1' --op write --count 2
says "has no RDMA writes"

# Two processes, whose devices a tunnel joins.
start answer fabric ping "efa:twin?udp=$near,$far" --listen "$near" --count 300
sound ping "efa:twin?udp=$far,$near" --connect "$near" --count 300
holds received 300
finish answer 0
says "received                        300"
start answer fabric bw "efa:twin?udp=$near,$far" --listen "$near" --size 100
run 1 fabric bw "efa:twin?udp=$far,$near" --connect "$near" --size 101
says "the two sides want different things"
finish answer 1

# Two devices of a third process.
start twins twin --device efa2 "$scratch/alone.sock" "$scratch/a.sock=efa?wire=w" \
  "$scratch/b.sock=efa?wire=w&id=efa1"
server=$child
run 0 fabric info "efa:vfio-user:$scratch/alone.sock"
says "Amazon EFA (efa2)"
sound ping "efa:vfio-user:$scratch/a.sock" "efa:vfio-user:$scratch/b.sock" --count 300
sound bw "efa:vfio-user:$scratch/a.sock" "efa:vfio-user:$scratch/b.sock" --count 5000 --check \
  --size 1000
sound bw "efa:vfio-user:$scratch/a.sock" "efa:vfio-user:$scratch/b.sock" --count 100 --check \
  --op read --size 100000
child=$server
kill -INT "$server"
finish twins 0
run 2 twin --device efa9 "$scratch/x.sock"
says efa9

done_testing
