# SPDX-License-Identifier: BSD-2-Clause
# Two guests with a twin each on one wire: iperf3 between them; then the wire loses, doubles and
# reorders, and TCP brings every byte across all the same.
# shellcheck shell=bash

guest_mb=384
megabytes=16

host() {
  mkdir "$work/data"
  head -c "${megabytes}M" /dev/urandom >"$work/data/data"
  bring=("$work/data/data")
  make_initramfs
  guest_append=wire=clean
  pair left right
  is "a clean wire loses, doubles and reorders nothing" "0 0 0" "$impaired"
  guest_append=wire=bad
  pair "left?loss=0.05&duplicate=0.02&reorder=0.05&seed=3" right
  echo "lost, doubled, late: $impaired"
  is "the bad one does all three, hundreds of times" yes "$(
    for times in $impaired; do ((times > 100)) || echo "$impaired"; done | sort -u | grep . || echo yes)"
}
# What the wire did to frames on their way to either end.
impaired() {
  local lost doubled late sum=()
  for end in left right; do
    read -r lost doubled late <<<"$(told $end lost duplicated reordered)"
    sum=($((sum[0] + lost)) $((sum[1] + doubled)) $((sum[2] + late)))
  done
  echo "${sum[@]}"
}
pair() { # LEFT RIGHT: twins, with a guest each
  twins "$@"
  (boot right "$work/right.sock" && ((failures == 0))) &
  local right=$!
  boot left "$work/left.sock"
  wait $right || not_ok "the right guest" "see above"
  no_faults left right
  impaired=$(impaired)
  end "shunt twin" "$twins_pid"
}

guest() { "$guest_name"; }

right() {
  nic_up 10.0.0.2/24
  iperf3 -s -D
  httpd -p 5000 -h /root
  ask is_over left
}

left() {
  nic_up 10.0.0.1/24
  await ping -q -c 1 -w 1 10.0.0.2 >/dev/null || not_ok "the other guest is there" "no answer"
  if grep -q wire=clean /proc/cmdline; then clean_wire; else bad_wire; fi
}

clean_wire() {
  local report
  report=$(iperf3 -c 10.0.0.2 -t 3 -f m 2>&1)
  has "iperf3 there" ' [1-9][0-9.]* Mbits/sec +receiver' "$report"
  grep receiver <<<"$report"
  report=$(iperf3 -c 10.0.0.2 -t 3 -R -f m 2>&1)
  has "iperf3 back" ' [1-9][0-9.]* Mbits/sec +receiver' "$report"
  grep receiver <<<"$report"
}

# 5 % of all frames are lost, some come twice, some late.
bad_wire() {
  has "ping sees the loss" ' [1-9][0-9.]*% packet loss' "$(ping -q -f -c 200 -w 20 10.0.0.2)"
  is "5 % lost, some doubled and late: sha256 equal" "$(sha256sum </root/data)" \
    "$(timeout 200 wget -q -O - http://10.0.0.2:5000/data | sha256sum)"
}
