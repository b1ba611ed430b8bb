# SPDX-License-Identifier: BSD-2-Clause
# Our userspace driver on the host, libibverbs over Linux's efa in the guest: SRD and UD, with
# either asking and the other answering, every byte compared at both ends.
# shellcheck shell=bash

count=100

host() {
  extra=(fabric)
  has_efa
  twins left=efa right=efa
  # They tell each other their addresses over TCP, in the twins' network, where ports are free.
  outside ip link set lo up
  guest_within=(nsenter -t "$twins_pid" "${own_network[@]}")
  guest_devices=(-netdev "user,id=host,hostfwd=tcp:127.0.0.1:7000-10.0.2.15:7000"
    -device virtio-net-pci,netdev=host)
  boot guest "$work/left.sock"
  no_faults left right
}
fabric() { # TYPE SIZE ARGUMENT...
  outside timeout -k 10 200 "$build/bin/shunt" fabric ping "efa:vfio-user:$work/right.sock" \
    --type "$1" --size "$2" --depth 2 --count $count --timeout 20 --json "${@:3}"
}
# Ask the guest. Answers how that ended, and how many messages came, were lost, damaged or failed.
host_asks() { # TYPE SIZE
  fabric "$@" --connect 127.0.0.1:7000 >"$work/asked.log" 2>&1
  echo "$? $(numbers "$work/asked.log")"
}
# Answer the guest.
host_answers() { # TYPE SIZE
  start answered fabric "$@" --listen 127.0.0.1:7001
  await "shunt fabric listens" grep -q ready "$work/answered.log"
  echo
}
host_answered() {
  wait "$pid_answered"
  echo "$? $(numbers "$work/answered.log")"
}
numbers() { # FILE
  local key
  for key in received lost corrupted failed; do
    grep -o "\"$key\":[0-9]*" "$1" | head -n 1 | sed 's/.*://'
  done | xargs
}

guest() {
  local type size
  efa_up
  cable_up 10.0.2.15/24
  for type in srd ud; do
    for size in 8 64 8192; do
      efa_verbs fabric efa_0 $type $size $count 7000 &
      await listens
      is "shunt fabric asks libibverbs: $type, $size bytes" "0 $count 0 0 0" "$(ask asks $type $size)"
      wait
      ask answers $type $size
      efa_verbs fabric efa_0 $type $size $count 7001 10.0.2.2
      is "shunt fabric answers libibverbs: $type, $size bytes" "0 $count 0 0 0" "$(ask answered)"
    done
  done
}
listens() { netstat -ltn | grep -q ':7000 '; }
