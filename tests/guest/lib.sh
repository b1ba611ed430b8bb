# SPDX-License-Identifier: BSD-2-Clause
# The host's side of a scenario: twins, our own commands at their far end, and QEMU.
# Sourced by run, which sets $build (where bin/shunt is), $cache, $kernel and $work (the scenario's
# own folder, which also holds the sockets).
# shellcheck shell=bash

# What a scenario may change.
guest_cpus=2    # of each guest
guest_mb=512
guest_append='' # to the kernel's command line
guest_devices=() # arguments to QEMU
guest_within=()  # what it is run by
bring=()         # files for the guest's /root
extra=()         # more of the cache's archives

failures=0 checks=0
busybox=$cache/root/usr/bin/busybox

# What is found is said here also by those whose output goes to a guest.
exec {said}>&1
ok() { checks=$((checks + 1)) && echo "ok $1" >&"$said"; }
not_ok() {
  checks=$((checks + 1)) failures=$((failures + 1))
  echo "not ok $1: $2" >&"$said"
}
# is NAME WANTED GOT
is() {
  if [[ $2 = "$3" ]]; then ok "$1"; else not_ok "$1" "wanted $2, got $3"; fi
}

# A process of the scenario's, ended with it. Its output goes to $work/NAME.log.
running=()
start() { # NAME COMMAND...
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 </dev/null &
  running+=($!)
  eval "pid_$name=$!"
}
# End it as a user would, and wait for what it says at its end, 20 s at most.
stop() { # NAME
  local pid="pid_$1"
  end "$1" "${!pid}"
}
end() { # WHAT PID
  local turn
  kill -TERM "$2" 2>/dev/null
  for ((turn = 0; turn < 200; turn++)); do
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  ! kill -KILL "$2" 2>/dev/null || not_ok "$1 ends" "not within 20 s of SIGTERM"
  wait "$2" 2>/dev/null
}
# Wait for a condition, 20 s at most.
await() { # WHAT COMMAND...
  local what=$1 turn
  shift
  for ((turn = 0; turn < 200; turn++)); do
    "$@" && return
    sleep 0.1
  done
  not_ok "$what" "not within 20 s"
  return 1
}

clean_up() {
  local pid
  for pid in "${running[@]}"; do
    kill -KILL "$pid" 2>/dev/null
  done
  wait "${running[@]}" 2>/dev/null
  [[ ${SHUNT_GUEST_KEEP:-} ]] || rm -rf "$work"
}

# ---- Twins ----

# Serve twins at $work/NAME.sock, those of a kind (ixgbe, efa) on one wire, in a network of their own:
# that is where a TAP interface is made. What is on the wire goes by the first one's keys.
twins() { # NAME[=KIND][?KEYS]...
  local argument name kind keys arguments=()
  for argument; do
    IFS='?' read -r name keys <<<"$argument"
    IFS='=' read -r name kind <<<"$name"
    kind=${kind:-ixgbe}
    arguments+=("$work/$name.sock=$kind?wire=$kind${keys:+&$keys}")
  done
  rm -f "$work/twins.in" "$work/twins.out" "$work"/*.over
  mkfifo "$work/twins.in" "$work/twins.out"
  unshare "${own_network[@]}" "$build/bin/shunt" twin --control --json "${arguments[@]}" \
    <"$work/twins.in" >"$work/twins.out" 2>"$work/twins.log" &
  twins_pid=$!
  running+=("$twins_pid")
  exec {twins_in}>"$work/twins.in" {twins_out}<"$work/twins.out"
  await "twins are served" grep -q -s ready "$work/twins.log"
}
order_twins() { echo "$*" >&"$twins_in"; }
# What is told about one twin: its part of the status, as "key":value lines.
status_of() { # TWIN
  local status
  order_twins status
  read -r -t 10 status <&"$twins_out" || echo "the twins don't answer" >&2
  grep "/$1.sock" <<<"${status//'{"socket":'/$'\n'}" | tr '{},' '\n'
}
# Values of the status of a twin: told TWIN KEY...
told() {
  local status key
  status=$(status_of "$1")
  shift
  for key; do
    sed -n "s/^\"$key\"://p" <<<"$status"
  done | xargs
}
# What a twin refused to a driver or to QEMU: the counters of faults that are not 0.
faults_of() { # TWIN
  status_of "$1" |
    grep -E '"(bad_.*|unknown_register|endless_frame|dma_refused|oversized_frame|dma_faults|stalled|too_many_fds|unexpected_fds)":[1-9]' |
    tr -d '"' | xargs
}
no_faults() { # TWIN...
  local twin
  for twin; do
    is "the $twin twin has no fault to report" "" "$(faults_of "$twin")"
  done
}
# A command in the network of the twins.
outside() { nsenter -t "$twins_pid" "${own_network[@]}" "$@"; }
# Who is not root gets a network with a user namespace.
own_network=(--net)
[[ $(id -u) = 0 ]] || own_network=(--net --user)

# ---- Guests ----

# Programs of the build for the guest, with the libraries of this system and their loader.
bring_programs() { # NAME...
  local name library folder=$work/host
  mkdir -p "$folder/bin" "$folder/lib"
  for name; do
    cp "$build/bin/$name" "$folder/lib/$name"
    for library in $(ldd "$build/bin/$name" | grep -o '/[^ ]*'); do
      cp -L "$library" "$folder/lib/"
    done
    printf '#!/bin/sh\nexec /root/host/lib/ld.so --library-path /root/host/lib %s "$@"\n' \
      "/root/host/lib/$name" >"$folder/bin/$name"
    chmod +x "$folder/bin/$name"
  done
  mv "$folder"/lib/ld-linux*.so.* "$folder/lib/ld.so"
  bring+=("$folder")
}

# The initramfs: the base, the kernel's modules, and this scenario with what it brings along.
# extra: more archives; bring: files for the guest's /root.
make_initramfs() { # by boot, once a scenario
  local folder=$work/initramfs file
  [[ ! -e $work/initramfs.cpio ]] || return 0
  mkdir -p "$folder/root"
  cp "$here/init" "$folder/init"
  cp "$here/guest.sh" "$folder/root/guest.sh"
  cp "$scenario_file" "$folder/root/scenario.sh"
  for file in "${bring[@]}"; do
    cp -r "$file" "$folder/root/"
  done
  {
    cat "$cache/cpio/base.cpio" "$cache/kernels/$kernel/modules.cpio"
    for file in "${extra[@]}"; do
      cat "$cache/cpio/$file.cpio"
    done
    (cd "$folder" && find . | "$busybox" cpio -o -H newc 2>/dev/null)
  } >"$work/initramfs.cpio"
}

# The rate of the CPU's counter, which is the guest's clock, too: measured by a guest while others have
# the CPU it can come out at a third, and the guest's seconds be as short.
host_clock() {
  "$build/bin/shunt" doctor --json 2>/dev/null |
    sed -n 's/.*"tsc, \([0-9]*\)\.\([0-9]*\) MHz.*/tsc_early_khz=\1\2/p'
}

# QEMU of the chroot with the chroot's loader and libraries: needs no root, sees the host's files.
# An empty SOCKET: a guest without a twin. On a busy machine a CPU of a guest can stand still for long: it
# is not stuck before two minutes are over.
qemu() { # NAME SOCKET [ARGUMENT...]: takes the place of the shell, and its pid
  local name=$1 libraries=$cache/root/usr/lib/x86_64-linux-gnu twin=()
  [[ -z $2 ]] || twin=(-device '{"driver":"vfio-user-pci","socket":{"path":"'"$2"'","type":"unix"}}')
  shift 2
  exec "${guest_within[@]}" "$cache/root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" \
    "$cache/root/usr/bin/qemu-system-x86_64" \
    -L "$cache/root/usr/share/qemu" -L "$cache/root/usr/share/seabios" -bios qboot.rom \
    -M q35,memory-backend=memory -accel tcg,thread=multi -cpu max -smp "$guest_cpus" \
    -m "${guest_mb}M" -object "memory-backend-memfd,id=memory,size=${guest_mb}M,share=on" \
    -nodefaults -no-user-config -display none -serial stdio -no-reboot \
    -kernel "$cache/kernels/$kernel/vmlinuz" -initrd "$work/initramfs.cpio" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check \
      watchdog_thresh=60 $(host_clock) guest=$name kernel=$kernel $guest_append" \
    "${guest_devices[@]}" "$@" "${twin[@]}"
}

# A second device for a guest: of the twin right.
also_right=(-device '{"driver":"vfio-user-pci","socket":{"path":"'"$work"'/right.sock","type":"unix"},"addr":"10"}')

# An Ethernet between two guests, for those who agree over TCP on what they do with an EFA.
cable() { # NAME OTHER
  rm -f "$work/$1.cable"
  cable=(-netdev "dgram,id=cable,local.type=unix,local.path=$work/$1.cable,remote.type=unix,remote.path=$work/$2.cable"
    -device "virtio-net-pci,netdev=cable,mac=$(printf '%s' "$1" | md5sum | sed 's/\(..\)\(..\)\(..\).*/52:54:00:\1:\2:\3/')")
}

# Skip what this kernel has no efa.ko for.
has_efa() {
  [[ ! -e $cache/kernels/$kernel/no-efa ]] || skip "no efa.ko: $(<"$cache/kernels/$kernel/no-efa")"
}

# A guest asks for this that serves another one: it is answered when that one has ended. (Not by the
# other one over their wire: its last words can be lost there.)
host_is_over() { # NAME
  until [[ -e $work/$1.over ]] || ((SECONDS > 400)); do
    sleep 0.1
  done
  [[ -e $work/$1.over ]] || not_ok "the $1 guest is over" "not when the scenario had run for 400 s"
  echo
}

# How long a guest may say nothing: four minutes, but not until ctest ends the scenario, after ten, with
# no word of why.
set_patience() {
  patience_s=$((540 - SECONDS))
  if ((patience_s > 240)); then patience_s=240; fi
  if ((patience_s < 1)); then patience_s=1; fi
}

# Boot a guest and do what it asks for: a line "@WORD ARGUMENTS" on its console calls host_WORD,
# whose output (one line) is typed in as the answer. Ends with the guest, or when it has said nothing
# for too long.
boot() { # NAME SOCKET
  local name=$1 line words in out pid quiet patience_s why="its console's last lines:" ended=
  make_initramfs
  rm -f "$work/$name.in" "$work/$name.out"
  mkfifo "$work/$name.in" "$work/$name.out"
  qemu "$@" <"$work/$name.in" >"$work/$name.out" 2>&1 &
  pid=$!
  running+=("$pid")
  exec {in}>"$work/$name.in" {out}<"$work/$name.out"
  while set_patience && IFS= read -r -t "$patience_s" line <&"$out" ||
    { quiet=$(($? > 128)) && false; }; do
    line=${line%$'\r'}
    echo "$line" >>"$work/$name.console"
    case $line in
    ok\ * | "not ok "*)
      echo "$name: $line"
      checks=$((checks + 1))
      [[ $line = ok* ]] || failures=$((failures + 1))
      ;;
    @*)
      read -r -a words <<<"${line#@}"
      "host_${words[0]}" "${words[@]:1}" >&"$in"
      ;;
    "guest ends") ended=yes ;;
    esac
  done
  if ((quiet)); then
    why="nothing was said for $patience_s s, until second $SECONDS of the scenario; $why"
    kill -KILL "$pid" 2>/dev/null
  fi
  wait "$pid" 2>/dev/null
  exec {in}>&- {out}<&-
  touch "$work/$name.over"
  [[ $ended ]] && return
  not_ok "$name ends" "$why"
  tail -n 15 "$work/$name.console"
}
