# SPDX-License-Identifier: BSD-2-Clause
# Machines of a test's own: copies of /proc, /sys and /dev to look at with --root.
# shellcheck shell=bash

put() { # root, file, text
  mkdir -p "$(dirname "$1/$2")"
  printf '%s\n' "$3" >"$1/$2"
}

link() { # root, file, what it points to
  mkdir -p "$(dirname "$1/$2")"
  ln -sfn "$3" "$1/$2"
}

# A PCI function: root, address, vendor, device, class, driver or "", IOMMU group or "".
put_pci() {
  local device=sys/bus/pci/devices/$2
  put "$1" "$device/vendor" "$3"
  put "$1" "$device/device" "$4"
  put "$1" "$device/class" "$5"
  put "$1" "$device/numa_node" 0
  put "$1" "$device/driver_override" "(null)"
  put "$1" "$device/config" ""
  if [ -n "$6" ]; then
    mkdir -p "$1/sys/bus/pci/drivers/$6"
    link "$1" "$device/driver" "../../drivers/$6"
  fi
  if [ -n "$7" ]; then
    link "$1" "$device/iommu_group" "../../../kernel/iommu_groups/$7"
    put "$1" "sys/kernel/iommu_groups/$7/type" DMA
  fi
}

# An interface on a PCI function: root, address, name, carrier, speed.
put_interface() {
  put "$1" "sys/bus/pci/devices/$2/net/$3/carrier" "$4"
  put "$1" "sys/bus/pci/devices/$2/net/$3/speed" "$5"
  link "$1" "sys/class/net/$3" "../../bus/pci/devices/$2/net/$3"
}

route_header='Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT'

# Made for kernel bypass: everything passes.
make_healthy() {
  local root=$1 cpu
  put "$root" proc/cmdline \
    'quiet intel_iommu=on iommu=pt isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3'
  put "$root" proc/sys/kernel/osrelease 6.1.0-18-amd64
  put "$root" proc/sys/kernel/numa_balancing 0
  put "$root" proc/sys/net/core/bpf_jit_enable 1
  put "$root" proc/modules 'vfio_pci 16384 0 - Live 0x0000000000000000'
  put "$root" proc/self/status $'Name:\tshunt\nCapEff:\t000001ffffffffff'
  put "$root" proc/self/limits \
    'Max locked memory         unlimited            unlimited            bytes'
  put "$root" proc/self/cgroup 0::/user.slice
  put "$root" proc/cpuinfo $'processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc rdtscp'
  put "$root" proc/1/comm systemd
  put "$root" proc/net/route "$route_header"
  put "$root" proc/irq/24/effective_affinity_list 0
  put "$root" boot/config-6.1.0-18-amd64 "CONFIG_HUGETLBFS=y
CONFIG_VFIO_PCI=m
CONFIG_IOMMU_SUPPORT=y
CONFIG_TUN=m
CONFIG_XDP_SOCKETS=y
CONFIG_NO_HZ_FULL=y
CONFIG_CPU_ISOLATION=y"
  put_pci "$root" 0000:03:00.0 0x8086 0x10fb 0x020000 vfio-pci 12
  put "$root" dev/vfio/vfio ''
  put "$root" dev/vfio/12 ''
  put "$root" dev/net/tun ''
  put "$root" dev/cpu_dma_latency ''
  put "$root" sys/kernel/iommu_groups/0/type DMA-FQ
  put "$root" sys/fs/cgroup/cgroup.controllers 'cpuset cpu memory hugetlb'
  put "$root" sys/fs/cgroup/user.slice/cpu.max 'max 100000'
  put "$root" sys/fs/cgroup/user.slice/memory.max max
  put "$root" sys/kernel/mm/transparent_hugepage/enabled 'always [madvise] never'
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages 64
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages 48
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages 0
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages 0
  put "$root" sys/devices/system/cpu/online 0-3
  put "$root" sys/devices/system/cpu/isolated 2-3
  put "$root" sys/devices/system/cpu/nohz_full 2-3
  put "$root" sys/devices/system/cpu/smt/active 0
  put "$root" sys/devices/system/cpu/smt/control off
  put "$root" sys/devices/system/cpu/cpuidle/current_driver intel_idle
  put "$root" sys/devices/system/cpu/intel_pstate/no_turbo 1
  for cpu in 0 1 2 3; do
    put "$root" sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor performance
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state0/name POLL
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state0/latency 0
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state1/name C1
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state1/latency 2
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state2/name C6
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state2/latency 133
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state2/disable 1
  done
  put "$root" sys/devices/system/clocksource/clocksource0/current_clocksource tsc
  put "$root" sys/devices/system/clocksource/clocksource0/available_clocksource 'tsc hpet'
}

# The same machine with everything wrong that can be.
make_ill() {
  local root=$1 cpu
  make_healthy "$root"
  rm -rf "$root"/sys/kernel/iommu_groups "$root"/dev/vfio "$root"/sys/bus/pci/drivers/vfio-pci \
    "$root"/sys/bus/pci/devices "$root"/dev/net "$root"/dev/cpu_dma_latency
  put "$root" proc/cmdline 'quiet intel_iommu=off nohz_full=2-3'
  put "$root" proc/sys/kernel/osrelease 4.9.0-1-amd64
  put "$root" boot/config-4.9.0-1-amd64 'CONFIG_HUGETLBFS=y'
  put "$root" proc/sys/kernel/numa_balancing 1
  put "$root" proc/sys/net/core/bpf_jit_enable 0
  put "$root" proc/self/status $'Name:\tshunt\nCapEff:\t0000000000000000'
  put "$root" proc/self/limits 'Max locked memory         65536                65536                bytes'
  put "$root" proc/cpuinfo $'processor\t: 0\nflags\t\t: fpu tsc'
  put "$root" proc/417/comm irqbalance
  put_pci "$root" 0000:03:00.0 0x8086 0x10fb 0x020000 ixgbe ''
  put_pci "$root" 0000:0a:00.0 0x1d0f 0xefa2 0x020000 efa ''
  put "$root" sys/fs/cgroup/user.slice/memory.max 33554432
  put "$root" .dockerenv ''
  put "$root" sys/kernel/mm/transparent_hugepage/enabled '[always] madvise never'
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages 0
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages 0
  put "$root" sys/devices/system/node/node0/hugepages/hugepages-1048576kB/nr_hugepages 2
  put "$root" sys/devices/system/cpu/isolated ''
  put "$root" sys/devices/system/cpu/nohz_full '(null)'
  put "$root" sys/devices/system/cpu/smt/active 1
  put "$root" sys/devices/system/cpu/intel_pstate/no_turbo 0
  for cpu in 0 1 2 3; do
    put "$root" sys/devices/system/cpu/cpu$cpu/cpufreq/scaling_governor powersave
    put "$root" sys/devices/system/cpu/cpu$cpu/cpuidle/state2/disable 0
  done
  put "$root" sys/devices/system/clocksource/clocksource0/current_clocksource hpet
}

# ---- Judging ----

failures=0
complain() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Run the command; its exit code must be the first argument. Leaves $out and $err.
run() {
  local wanted=$1 code=0
  shift
  "$shunt" "$@" >"$work/out" 2>"$work/err" || code=$?
  out=$(cat "$work/out") err=$(cat "$work/err")
  [ "$code" = "$wanted" ] || complain "shunt $*: exit $code, not $wanted: $out $err"
}

# text, what it must hold
has() {
  case $1 in
  *"$2"*) ;;
  *) complain "\"$2\" is not in: $1" ;;
  esac
}

finish() {
  [ "$failures" = 0 ] || exit 1
  echo "all as it should be"
}
