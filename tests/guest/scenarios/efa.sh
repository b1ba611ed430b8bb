# SPDX-License-Identifier: BSD-2-Clause
# Linux's efa on three software EFAs in one guest: it probes without a complaint, its counters are the
# devices', it comes and goes, resets the device and counts its keep-alives; and a program of ours
# on libibverbs has every work request end as it should. Two of the devices have RDMA; the old one
# has not, and completion queues of two rings.
# shellcheck shell=bash

host() {
  extra=(fabric)
  has_efa
  twins "left=efa?give_up_ms=1000" "right=efa?keep_alive_ms=0" "old=efa?id=efa0"
  guest_devices=("${also_right[@]}" -device
    '{"driver":"vfio-user-pci","socket":{"path":"'"$work"'/old.sock","type":"unix"},"addr":"11"}')
  boot guest "$work/left.sock"
  local twin
  for twin in left right old; do
    is "$twin: no fault but those that the program makes" "" \
      "$(faults_of $twin | tr ' ' '\n' | grep -v -e bad_ah -e bad_lkey -e bad_rkey -e bad_wqe)"
  done
}
host_told() { told "$@"; }

guest() {
  probe || return
  verbs run efa_0 efa_1
  verbs ping efa_0 efa_2
  counters
  keep_alives
  resets
  reloads
}

probe() {
  local info gid guid
  efa_up
  info=$(ibv_devinfo -v -d efa_0)
  has "ibv_devinfo: the device" 'vendor_part_id:.*61346' "$info"
  has "ibv_devinfo: the port is up" 'PORT_ACTIVE' "$info"
  has "ibv_devinfo: 100 Gb/s" 'active_width:.*4X.*active_speed:.*25.0 Gbps' "$info"
  gid=$(sed -n 's/.*GID\[ *0\]:[[:space:]]*//p' <<<"$info")
  guid=$(sed -n 's/.*node_guid:[[:space:]]*//p' <<<"$info")
  is "ibv_devinfo: the node's GUID ends its GID" "fe80:0000:0000:0000:$guid" "$gid"
  has "rdma link" 'link efa_0/1 state ACTIVE' "$(rdma link)"
  has "rdma link: the second" 'link efa_1/1 state ACTIVE' "$(rdma link)"
  has "rdma link: the old one" 'link efa_2/1 state ACTIVE' "$(rdma link)"
  has "ibv_devinfo: the old one" 'vendor_part_id:.*61344' "$(ibv_devinfo -v -d efa_2)"
}

verbs() { # run|ping DEVICE OTHER
  efa_verbs serve "$3" 7000 &
  efa_verbs "$1" "$2" 127.0.0.1 7000
  wait
}

# Every statistic of a port, as Linux has it and as the twin has it.
counters() {
  local pair twin device file names=() values=()
  for pair in left:efa_0 right:efa_1 old:efa_2; do
    twin=${pair%:*} device=${pair#*:} names=() values=()
    for file in "/sys/class/infiniband/$device/ports/1/hw_counters/"*; do
      [[ $file = */lifespan ]] && continue
      names+=("$(basename "$file")")
      values+=("$(cat "$file")")
    done
    echo "$device: ${names[*]}: ${values[*]}"
    is "$device: ${#names[@]} hw_counters are the twin's" "${values[*]}" "$(ask told "$twin" "${names[@]}")"
  done
  is "commands that Linux sent and saw completed" "$(device_counter efa_0 submitted_cmds)" \
    "$(device_counter efa_0 completed_cmds)"
}
device_counter() { cat "/sys/class/infiniband/$1/hw_counters/$2"; }

# Linux's efa counts keep-alives, and does nothing else with them (efa_main.c, efa_keep_alive: the
# same in 6.12, in 7.2 and in Amazon's own 3.1.0). A device that sends none is not missed: the counter
# that stands still is all that is said.
keep_alives() {
  local before
  before=$(device_counter efa_0 keep_alive_rcvd)
  succeeds "keep-alives come" await have_grown $((before + 2))
  succeeds "as many as were sent" await are_equal
  is "keep-alives of a device that sends none" 0 "$(device_counter efa_1 keep_alive_rcvd)"
  is "which is not said in the log" "" "$(dmesg | grep -i keep)"
}
have_grown() { (($(device_counter efa_0 keep_alive_rcvd) >= $1)); }
are_equal() { [[ $(ask told left keep_alives) = "$(device_counter efa_0 keep_alive_rcvd)" ]]; }

# Linux resets the device when it takes it, and when it leaves it.
resets() {
  local before address
  address=$(basename "$(readlink -f /sys/class/infiniband/efa_0/device)")
  before=$(ask told left control_resets)
  echo "$address" >/sys/bus/pci/drivers/efa/unbind
  is "the driver resets the device that it leaves" $((before + 1)) "$(ask told left control_resets)"
  echo 1 >"/sys/bus/pci/devices/$address/reset"
  echo "$address" >/sys/bus/pci/drivers/efa/bind
  await [ -d /sys/class/infiniband/efa_0 ]
  is "and that it takes" $((before + 2)) "$(ask told left control_resets)"
  has "a device that was reset works" 'state ACTIVE' "$(rdma link show efa_0/1)"
}

reloads() {
  local turn up=0
  for turn in 1 2 3 4 5 6 7 8 9 10; do
    rmmod efa
    modprobe efa
    await [ -d /sys/class/infiniband/efa_2 ] && up=$((up + 1))
  done
  is "unloaded and loaded ten times" 10 $up
  verbs ping efa_1 efa_0
}
