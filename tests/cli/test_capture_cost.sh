#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A port that can be captured costs a few instructions a burst while nobody does, and a copy while
# somebody does: counted under callgrind.
set -euo pipefail
build=$1
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

if ! command -v valgrind >/dev/null; then
  echo "skipped: no valgrind here"
  exit 77
fi
"$build/bin/shunt-capture-cost" "$out/cost.json" >"$out/table"

# more_than_without CAPTURE WORKLOAD BATCH INSTRUCTIONS: so many a burst, at most
more_than_without() {
  awk -v capture="$1" -v workload="$2" -v batch="$3" -v most="$4" '
    $2 == workload && $3 == batch { got[$1] = $4 * batch }
    END {
      if (!("without" in got) || !(capture in got)) { print "no figure for", workload, batch; exit 1 }
      if (got[capture] - got["without"] > most) {
        printf "%s, %s, batch %s: %d more instructions a burst (at most %s)\n",
          capture, workload, batch, got[capture] - got["without"], most
        exit 1
      }
    }' "$out/table"
}
for workload in rx-drop tx-only; do
  more_than_without nobody $workload 1 7
  more_than_without nobody $workload 64 7
  more_than_without attached $workload 64 $((64 * 220))
done
echo "within bounds"
