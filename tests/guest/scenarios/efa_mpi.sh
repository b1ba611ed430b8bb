# SPDX-License-Identifier: BSD-2-Clause
# Debian's Open MPI over libfabric's efa provider: four ranks, two in each of two guests, pass a ring
# and exchange all with all, and look at each byte. What they send goes by the EFAs, as these count.
# shellcheck shell=bash

host() {
  extra=(fabric)
  has_efa
  make_initramfs
  twins left=efa right=efa
  cable right left
  guest_devices=("${cable[@]}")
  (boot right "$work/right.sock" && ((failures == 0))) &
  local right=$!
  cable left right
  guest_devices=("${cable[@]}")
  boot left "$work/left.sock"
  wait $right || not_ok "the right guest" "see above"
  no_faults left right
}
host_told() { told "$@"; }
# The right guest can be reached.
host_listens() { touch "$work/listens" && echo; }
host_is_heard() {
  await "the right guest listens" [ -e "$work/listens" ]
  echo
}

guest() {
  hostname "$guest_name"
  echo "root:x:0:0:root:/root:/bin/sh" >/etc/passwd
  printf '10.0.0.1 left\n10.0.0.2 right\n' >/etc/hosts
  make_remote_shell
  efa_up
  "$guest_name"
}

# Open MPI starts its daemon in the other guest by a remote shell: /tmp/agent HOST COMMAND, which
# /tmp/remote runs over there.
make_remote_shell() {
  cat >/tmp/agent <<'END'
#!/bin/sh
host=$1
shift
echo "$*" | nc "$host" 5000
END
  cat >/tmp/remote <<'END'
#!/bin/sh
read -r command
eval "$command" >/tmp/remote.log 2>&1 </dev/null
END
  chmod +x /tmp/agent /tmp/remote
}

right() {
  cable_up 10.0.0.2/24
  nc -ll -p 5000 -e /tmp/remote &
  await listens
  ask listens
  ask is_over left
  cat /tmp/remote.log
}
listens() { netstat -ltn | grep -q ':5000 '; }

left() {
  local twin
  cable_up 10.0.0.1/24
  ask is_heard
  mpi efa_mpi 262144
  is "Open MPI ends well" 0 $?
  for twin in left right; do
    has "the ranks talk by the $twin EFA: megabytes" '^[0-9]{7,} [0-9]{7,}$' "$(ask told $twin tx_bytes rx_bytes)"
  done
}

# By nothing but efa, within a guest too. A rank takes long to post its buffers: the device is to try
# for so long.
mpi() { # PROGRAM ARGUMENT...
  export PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
    PMIX_MCA_pcompress_base_silence_warning=1
  timeout 150 prterun --prtemca plm_ssh_agent /tmp/agent --host left:2,right:2 --map-by slot \
    --bind-to none -x FI_EFA_ENABLE_SHM_TRANSFER=0 -x FI_EFA_RNR_RETRY=7 \
    -x OMPI_MCA_pml=cm -x OMPI_MCA_mtl=ofi -x OMPI_MCA_mtl_ofi_provider_include=efa \
    -x OMPI_MCA_mpi_yield_when_idle=1 "$@"
}
