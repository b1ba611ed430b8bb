#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The code in docs/from-dpdk-and-ef_vi.md is code: what stands there as ef_vi's and as shunt's calls
# compiles against this tree's headers, and as DPDK's where its headers are there.
set -euo pipefail
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v gcc >/dev/null || { echo "skipped: there is no gcc"; exit 77; }
fail() {
  echo "FAILED: $*"
  exit 1
}

# part LIBRARY: the pieces of the guide that begin with a comment of that name, up to the next, each
# as a function of its own; their count on the last line.
part() {
  awk -v library="$1" '
    /^```c/ { inside = 1; next }
    /^```/ { if (open) print "}"; inside = open = 0; next }
    inside && /^\/\* (DPDK|ef_vi|shunt)/ {
      if (open) print "}"
      open = index($0, "/* " library) == 1
      if (open) printf "static void part_%d(void)\n{\n", ++n
    }
    inside && open { print }
    END {
      printf "void (*const parts[])(void) = {"
      for (i = 1; i <= n; i++) printf "part_%d, ", i
      print "};\n// " n
    }' "$source/docs/from-dpdk-and-ef_vi.md"
}

# compile LIBRARY LEAST ARGUMENTS...: with the declarations on standard input.
compile() {
  local library=$1 least=$2 count
  cat >"$work/$library.c"
  part "$library" >>"$work/$library.c"
  count=$(tail -1 "$work/$library.c" | tr -dc 0-9)
  [ "${count:-0}" -ge "$least" ] || fail "only ${count:-0} pieces of $library found"
  gcc -std=gnu11 -Wall -Wextra -Werror -Wno-unused-but-set-variable -Wno-sign-compare \
    -fsyntax-only "${@:3}" "$work/$library.c" || fail "$library: see above"
  echo "$library: $count pieces compile"
}

compile ef_vi 6 -I"$source/include" <<'C'
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include <etherfabric/memreg.h>
#include <etherfabric/pd.h>
#include <etherfabric/vi.h>
ef_driver_handle dh;
ef_pd pd;
ef_vi vi;
ef_memreg memreg;
ef_filter_spec spec;
ef_filter_cookie cookie;
ef_event event, events[32];
ef_request_id ids[EF_VI_TRANSMIT_BATCH];
ef_precisetime when;
ef_addr address;
ef_vi_tx_warm_state saved;
unsigned char *memory, *packet;
size_t bytes;
int n, i, id, prefix, length, warming;
void handle(unsigned char *packet, int bytes);
void late(long long sec, unsigned ns);
C

compile shunt 6 -I"$source/include" <<'C'
#include <arpa/inet.h>
#include <string.h>
#include <shunt/multicast.h>
#include <shunt/port.h>
#include <shunt/region.h>
#include <shunt/xdp.h>
#include <shunt/xdp_rule.h>
struct shunt_port *port;
struct shunt_queue *q;
struct shunt_pool *pool;
struct shunt_multicast *groups;
struct shunt_xdp_rule rule = {.size = sizeof(rule)};
struct shunt_port_options options = {.size = sizeof(options)};
struct shunt_error error;
struct shunt_frame frame, frames[32];
shunt_buf bufs[32];
uint32_t rule_id;
unsigned n, i;
void handle(void *packet, unsigned bytes);
void late(uint64_t ns);
C

if ! pkg-config --exists libdpdk 2>/dev/null; then
  echo "DPDK: not compiled, its headers are not here"
  exit 0
fi
# shellcheck disable=SC2046
compile DPDK 6 $(pkg-config --cflags libdpdk) -Wno-error <<'C'
#include <string.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
int argc;
char **argv;
struct rte_mempool *pool;
uint16_t port;
struct rte_eth_conf config;
struct rte_mbuf *mbufs[32];
struct rte_ether_addr group;
uint64_t time_flag;
int time_offset, i, n;
void handle(uint8_t *packet, unsigned bytes);
void late(uint64_t ns);
C
