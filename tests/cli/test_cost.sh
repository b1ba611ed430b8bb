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

# at_most WORKLOAD API BATCH INSTRUCTIONS DOORBELLS
at_most() {
  awk -v workload="$1" -v api="$2" -v batch="$3" -v instructions="$4" -v doorbells="$5" '
    $2 == workload && $3 == api && $4 == batch {
      found = 1
      if ($5 > instructions || $6 > doorbells) {
        printf "%s %s batch %s: %s instructions (at most %s), %s doorbells (at most %s)\n",
          workload, api, batch, $5, instructions, $6, doorbells
        exit 1
      }
    }
    END { if (!found) { print "no figure for", workload, api, batch; exit 1 } }' "$out/table"
}

"$build/bin/shunt-cost" "$out/again.json" >"$out/table"
cmp "$out/cost.json" "$out/again.json" # the same count twice, or it is no gate
at_most forward portable 32 60 0.05
at_most forward inline 32 50 0.05
at_most icmp-echo inline 1 110 1.02
at_most rx-drop inline 32 32 0.01
at_most tx-only inline 32 34 0.04
echo "within bounds"
