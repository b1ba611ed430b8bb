#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The driver's own code may not grow: instructions per packet under callgrind, which repeat exactly.
set -euo pipefail
build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if ! command -v valgrind >/dev/null; then
  echo "skipped: no valgrind here"
  exit 77
fi
"$build/bin/shunt-cost" "$out/cost.json"

# at_most DRIVER WORKLOAD API BATCH INSTRUCTIONS DOORBELLS
at_most() {
  awk -v driver="$1" -v workload="$2" -v api="$3" -v batch="$4" -v instructions="$5" \
    -v doorbells="$6" '
    $1 == driver && $2 == workload && $3 == api && $4 == batch {
      found = 1
      if ($5 > instructions || $6 > doorbells) {
        printf "%s %s %s batch %s: %s instructions (at most %s), %s doorbells (at most %s)\n",
          driver, workload, api, batch, $5, instructions, $6, doorbells
        exit 1
      }
    }
    END { if (!found) { print "no figure for", driver, workload, api, batch; exit 1 } }' "$out/table"
}

"$build/bin/shunt-cost" "$out/again.json" >"$out/table"
cmp "$out/cost.json" "$out/again.json" # the same count twice, or it is no gate
at_most ixgbe forward portable 32 60 0.05
at_most ixgbe forward inline 32 50 0.05
at_most ixgbe icmp-echo inline 1 110 1.02
at_most ixgbe rx-drop inline 32 32 0.01
at_most ixgbe tx-only inline 32 34 0.04
# The user-space half of AF_XDP in copy mode: a doorbell is a system call, one a burst.
at_most xdp rx-drop inline 64 12 0
at_most xdp rx-drop portable 64 12 0
at_most xdp tx-only inline 64 13 0.016
at_most xdp forward inline 64 22 0.016
at_most xdp icmp-echo inline 1 120 1
# EFA: a work request with 32 bytes inline, its share of a doorbell with two fences, a completion.
at_most efa send-32 inline 32 45 0.04
at_most efa send-32 inline 1 55 1
at_most efa poll-sent inline 32 25 0
at_most efa poll-rcvd inline 32 50 0

# What a message of SRD costs two software EFAs, wire and acknowledgement included.
"$build/bin/shunt-twin-cost" "$out/twin-cost.json" >"$out/twin-table"
awk '$1 == "efa-twin" && $3 == "32" && $4 == "sends" && ($5 == 64 || $5 == 8192) {
    found++
    if ($7 > 2500) {
      printf "efa-twin, %s bytes: %s instructions beyond the copy (at most 2500)\n", $5, $7
      exit 1
    }
  }
  END { if (found != 2) { print "no figures for the EFA twin"; exit 1 } }' "$out/twin-table"
# ef_vi, from a received frame to its answer's doorbell, above the verbs of the same exchange; the
# whole round, with buffers given back and completions taken; frames of 200 bytes; and with checksums
# filled in, as interfaces do unless told not to.
above() { # WORKLOAD INSTRUCTIONS
  awk -v workload="$1" -v most="$2" '
    $1 == "efvi" && $2 == workload { count[$3] = $5 }
    END {
      above = count["efvi"] - count["verbs"]
      if (!count["efvi"] || !count["verbs"] || above > most) {
        printf "ef_vi, %s: %s instructions, %s above the verbs (at most %s)\n", workload,
          count["efvi"], above, most
        exit 1
      }
    }' "$out/table"
}
above answer 40
above answer-of-40 200
above round 400
above answer-200 170
above answer-sums 240
echo "within bounds"
