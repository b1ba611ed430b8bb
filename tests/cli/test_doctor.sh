#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The doctor before a healthy machine, one that is ill, that with one fault at a time, and none.
set -euo pipefail
shunt=$1/bin/shunt
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/cli/tree.sh
source "$2/tests/cli/tree.sh"

grade() { # name: its grade in the text that was printed
  printf '%s\n' "$out" | awk -v name="$1" '$2 == name { print $1 }'
}
expect() { # name, grade
  [ "$(grade "$1")" = "$2" ] || complain "$1 is \"$(grade "$1")\", not \"$2\": $out"
}

# Healthy: nothing to do.
make_healthy "$work/healthy"
run 0 doctor --root "$work/healthy"
has "$out" " 0 warn, 0 fail"
has "$out" "Linux 6.1.0-18-amd64"
has "$out" "node0 48 of 64 free"
checks=$(printf '%s\n' "$out" | grep -cE '^(pass|warn|fail) ')
[ "$checks" -ge 20 ] || complain "only $checks checks"
printf '%s\n' "$out" | grep -q 'try:' && complain "a remedy where nothing is wrong: $out"

# Ill: nothing passes, and each line has a remedy.
make_ill "$work/ill"
run 3 doctor --root "$work/ill"
has "$out" "0 pass, "
for name in kernel memlock huge-pages-2m cgroup; do
  expect $name fail
done
remedies=$(printf '%s\n' "$out" | grep -c 'try: ')
[ "$remedies" = "$checks" ] || complain "$remedies remedies for $checks faults: $out"
has "$out" "irqbalance runs (process 417)"
has "$out" "shunt bind 0000:03:00.0"
has "$out" "CONFIG_VFIO_PCI"
has "$out" "C6 takes 133 us"
has "$out" "intel_iommu=off"
has "$out" "isolcpus=managed_irq,domain,2-3,"

# The same as JSON.
run 3 doctor --json --root "$work/ill"
has "$out" '"pass":0'
has "$out" '"name":"memlock"'
[ -z "$err" ] || complain "--json wrote on standard error: $err"
if command -v python3 >/dev/null; then
  printf '%s' "$out" | python3 -c '
import json, sys
report = json.load(sys.stdin)
assert all(c["grade"] in ("warn", "fail") and c["evidence"] and c["remedy"] for c in report["checks"])
assert report["fail"] == sum(c["grade"] == "fail" for c in report["checks"])
' || complain "the JSON does not hold what it should"
fi

# One change at a time, each seen by its own check and no other.
alone() { # name, grade, text of the evidence, file, content, more files and contents
  local root=$work/one name=$1 grade=$2 evidence=$3 code=0 wanted=1 wrong
  rm -rf "$root"
  make_healthy "$root"
  shift 3
  while [ $# -gt 0 ]; do
    if [ "$2" = GONE ]; then rm -rf "${root:?}/$1"; else put "$root" "$1" "$2"; fi
    shift 2
  done
  [ "$grade" = fail ] && code=3
  [ "$grade" = pass ] && wanted=0
  run $code doctor --root "$root"
  expect "$name" "$grade"
  has "$out" "$evidence"
  wrong=$(printf '%s\n' "$out" | grep -cE '^(warn|fail) ' || true)
  [ "$wrong" = $wanted ] || complain "$name: $wrong checks changed, not $wanted: $out"
}
cpu=sys/devices/system/cpu
alone memlock pass "64 KiB, which CAP_IPC_LOCK lifts" proc/self/limits \
  'Max locked memory         65536                unlimited            bytes'
alone cgroup warn "1.5 CPUs" sys/fs/cgroup/user.slice/cpu.max '150000 100000'
alone cgroup warn "hugetlb.2MB.max is 0" sys/fs/cgroup/user.slice/hugetlb.2MB.max 0
alone cgroup fail "1048576 bytes" sys/fs/cgroup/user.slice/memory.max 1048576
alone cgroup warn "no unified hierarchy" proc/self/cgroup 4:memory:/
alone governor warn "1 of 4 CPUs" $cpu/cpu3/cpufreq/scaling_governor schedutil
alone c-states warn "133 us" $cpu/cpu3/cpuidle/state2/disable 0
alone c-states pass "2 us" $cpu/cpu1/cpuidle/state2/disable 0
alone cpus-tickless warn "not all that are isolated" $cpu/nohz_full 2
alone irq-affinity warn "24 on 2" proc/irq/24/effective_affinity_list 2
alone turbo pass "no switch" $cpu/intel_pstate/no_turbo GONE
alone turbo warn "on:" $cpu/intel_pstate/no_turbo 0
alone clock-source warn "echo tsc >" sys/devices/system/clocksource/clocksource0/current_clocksource hpet
alone vfio warn "/dev/vfio/vfio is not there" dev/vfio/vfio GONE
alone vfio warn "unsafe" sys/module/vfio/parameters/enable_unsafe_noiommu_mode Y
alone tun warn "modprobe tun" dev/net/tun GONE
alone kernel-config warn "not readable" boot GONE
config=$(cat "$work/healthy/boot/config-6.1.0-18-amd64")
alone kernel warn "older than 5.10" proc/sys/kernel/osrelease 4.19.0 boot/config-4.19.0 "$config"
alone kernel fail "older than 4.14" proc/sys/kernel/osrelease 4.9.1 boot/config-4.9.1 "$config"
alone bpf-jit warn "No such file" proc/sys/net/core/bpf_jit_enable GONE
alone huge-pages-1g warn "0 of 4 free" \
  sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages 4
alone huge-pages-2m warn "ordinary pages" \
  sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages 0

# Without capabilities the limit of locked memory counts.
limited() { # KiB, grade, exit code
  make_healthy "$work/limited"
  put "$work/limited" proc/self/status "CapEff: 0"
  put "$work/limited" proc/self/limits "Max locked memory  $(($1 * 1024))  unlimited  bytes"
  run "$3" doctor --root "$work/limited"
  expect memlock "$2"
  expect capabilities warn
}
limited 65536 pass 0
limited 65535 warn 0
limited 16384 warn 0
limited 16383 fail 3

# What is registered with an EFA is locked, all of it.
with_efa() { # limit in bytes, capabilities, free 2 MiB pages, grade
  make_healthy "$work/efa"
  put_pci "$work/efa" 0000:0a:00.0 0x1d0f 0xefa2 0x020000 vfio-pci 12
  put "$work/efa" dev/vfio/12 ''
  put "$work/efa" proc/self/status "CapEff: $2"
  put "$work/efa" proc/self/limits "Max locked memory  $1  unlimited  bytes"
  put "$work/efa" sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages "$3"
  code=0
  [ "$4" = fail ] && code=3
  run $code doctor --root "$work/efa"
  expect efa-memory "$4"
}
with_efa unlimited 0 48 pass
with_efa 67108864 ffffffffffffffff 48 pass
with_efa 67108864 0 48 fail
has "$out" "fail with ENOMEM"
with_efa unlimited 0 0 warn

# Nothing to look at, and garbage: no crash, no pass for what was not seen.
mkdir "$work/empty"
run 0 doctor --root "$work/empty"
for name in kernel kernel-config iommu vfio capabilities memlock cgroup cards clock-source; do
  expect $name warn
done
rm -rf "$work/garbage"
make_healthy "$work/garbage"
find "$work/garbage" -type f | while read -r file; do
  head -c 3000 /dev/urandom >"$file"
done
code=0
"$shunt" doctor --root "$work/garbage" >/dev/null 2>&1 || code=$?
[ $code = 0 ] || [ $code = 3 ] || complain "garbage: exit $code"

# This machine, as it is.
code=0
"$shunt" doctor >"$work/out" || code=$?
[ $code = 0 ] || [ $code = 3 ] || complain "this machine: exit $code"
has "$(cat "$work/out")" "Linux $(uname -r)"
run 2 doctor --root "$work/nowhere"
has "$err" "there is no directory"
finish
