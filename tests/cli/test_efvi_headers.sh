#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every header of ef_vi compiles alone and twice in one file, as C11 and C++17, under the flags that
# its users build with, and so does a program that names what they promise.
set -euo pipefail
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-Wall -Wextra -Werror -Wundef -pedantic -fsyntax-only"
status=0 count=0
command -v gcc >/dev/null || { echo "skipped: there is no gcc"; exit 77; }

compile() { # compiler and language, what, file
  count=$((count + 1))
  # shellcheck disable=SC2086
  if ! $1 $flags -I"$source/include" "$3" 2>"$work/messages"; then
    echo "$2 does not compile with $1:"
    head -5 "$work/messages"
    status=1
  fi
}
compile_all() { # what, file
  compile "gcc -std=c11 -Wstrict-prototypes -x c" "$1" "$2"
  ! command -v clang >/dev/null || compile "clang -std=c11 -Wstrict-prototypes -x c" "$1" "$2"
  ! command -v g++ >/dev/null || compile "g++ -std=c++17 -x c++" "$1" "$2"
  ! command -v clang++ >/dev/null || compile "clang++ -std=c++17 -x c++" "$1" "$2"
}

headers="base pd memreg vi ef_vi efct_vi capabilities pio checksum timer packedstream"
for header in $headers; do
  printf '#include <etherfabric/%s.h>\n#include <etherfabric/%s.h>\nint main(void);\n' \
    "$header" "$header" >"$work/one"
  compile_all "etherfabric/$header.h" "$work/one"
done
[ "$(find "$source/include/etherfabric" -name '*.h' | wc -l)" = "$(wc -w <<<"$headers")" ] || {
  echo "this test does not know all headers of include/etherfabric"
  status=1
}

# What programs lean on: a flag of more than 32 bits that prints as a long, members that are read
# directly, events compared as they come.
{
  for header in $headers; do echo "#include <etherfabric/$header.h>"; done
  cat <<'END'
#include <stdio.h>
int use(ef_vi *vi, ef_event *e, ef_pd *pd);
int use(ef_vi *vi, ef_event *e, ef_pd *pd)
{
  printf("%lx " EF_ADDR_FMT " " EF_EVENT_FMT "\n", (unsigned long)EF_VI_RX_FILTER_ID,
         EF_INVALID_ADDR, EF_EVENT_PRI_ARG(*e));
  switch (EF_EVENT_TYPE(*e)) {
  case EF_EVENT_TYPE_RX:
    return EF_EVENT_RX_SOP(*e) && !EF_EVENT_RX_CONT(*e) ? EF_EVENT_RX_BYTES(*e) : 0;
  case EF_EVENT_TYPE_RX_REF:
    return (int)e->rx_ref.pkt_id;
  case EF_EVENT_TYPE_TX_WITH_TIMESTAMP:
    return (int)EF_EVENT_TX_WITH_TIMESTAMP_SYNC_FLAGS(*e);
  default:
    return (vi->vi_out_flags & EF_VI_OUT_CLOCK_SYNC_STATUS) || pd->pd_intf_name[0] ||
           vi->nic_type.arch == EF_VI_ARCH_AF_XDP || vi->vi_flags & EF_VI_RX_FILTER_ID;
  }
}
END
} >"$work/program"
compile_all "a program" "$work/program"

[ $status = 0 ] && echo "$count times the headers compiled"
exit $status
