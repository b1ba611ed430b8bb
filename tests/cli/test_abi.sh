#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The shared library exports what the public headers declare: nothing less, nothing more; and the
# symbol map lists it in alphabetical order.
set -euo pipefail
build=$1 source=$2
library=$build/lib/libshunt.so
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# gcc writes down each function that it sees declared, with the file where.
for header in "$source"/include/shunt/*.h; do
  echo "#include \"shunt/${header##*/}\""
done >"$work/all.c"
gcc -std=c11 -I"$source/include" -I"$source" -fsyntax-only -aux-info "$work/prototypes" "$work/all.c"
grep -F "/include/shunt/" "$work/prototypes" | grep -v '\*/ static ' |
  grep -oE '[ *]shunt_[a-z0-9_]+ \(' | grep -oE 'shunt_[a-z0-9_]+' | LC_ALL=C sort -u >"$work/declared"

nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
  LC_ALL=C sort -u >"$work/exported"
grep -oE '^ +shunt_[a-z0-9_]+;' "$source/src/libshunt.map" | tr -d ' ;' >"$work/listed"

status=0
declared=$(wc -l <"$work/declared")
if [ "$declared" -lt 100 ]; then
  echo "only $declared declarations found: this test does not work"
  status=1
fi
complain() { # file, what it means
  [ -s "$1" ] || return 0
  echo "$2:"
  sed 's/^/  /' "$1"
  status=1
}
LC_ALL=C comm -23 "$work/declared" "$work/exported" >"$work/missing"
complain "$work/missing" "declared in include/shunt, and not exported (src/libshunt.map lacks it?)"
LC_ALL=C comm -13 "$work/declared" "$work/exported" >"$work/extra"
complain "$work/extra" "exported, and declared in no public header"
LC_ALL=C comm -23 <(LC_ALL=C sort "$work/listed") "$work/exported" >"$work/gone"
complain "$work/gone" "listed in src/libshunt.map, and there is no such function"
LC_ALL=C sort -c "$work/listed" || status=1

soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
case $soname in
libshunt.so.[0-9]*) ;;
*)
  echo "the soname is \"$soname\", without a version"
  status=1
  ;;
esac
[ $status = 0 ] && echo "$declared functions declared, exported and listed; soname $soname"
exit $status
