#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# libciul shows what the headers of ef_vi declare, nothing less and nothing more; and a program that
# knows of nothing but ef_vi links with -lciul1, shared and static, and runs on two twins.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v gcc >/dev/null || { echo "skipped: there is no gcc"; exit 77; }
fail() {
  echo "FAILED: $*"
  exit 1
}

for header in "$source"/include/etherfabric/*.h; do
  echo "#include <etherfabric/${header##*/}>"
done >"$work/all.c"
gcc -std=gnu11 -I"$source/include" -fsyntax-only -aux-info "$work/prototypes" "$work/all.c"
grep -F "/include/etherfabric/" "$work/prototypes" | grep -v '\*/ static ' |
  grep -oE '[ *](__)?efc?t?_[a-z0-9_]+ \(' | grep -oE '[a-z_][a-z0-9_]+' |
  LC_ALL=C sort -u >"$work/declared"
nm -D --defined-only "$build/lib/libciul.so" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
  LC_ALL=C sort -u >"$work/exported"
declared=$(wc -l <"$work/declared")
[ "$declared" -ge 100 ] || fail "only $declared declarations found: this test does not work"
diff "$work/declared" "$work/exported" >"$work/difference" || {
  cat "$work/difference"
  fail "declared (<) and exported (>) are not the same"
}
grep -oE '^ +[a-z_][a-z0-9_]+;' "$source/src/efvi/libciul.map" | tr -d ' ;' >"$work/listed"
LC_ALL=C sort -c "$work/listed" || fail "src/efvi/libciul.map is not sorted"
readelf -d "$build/lib/libciul.so" | grep -q 'SONAME.*\[libciul\.so\.1\]' || fail "the soname"

# The checked build looks at the caller of each that takes an interface.
grep -F "/include/etherfabric/" "$work/prototypes" | grep -v '\*/ static ' |
  grep -E 'struct ef_vi \*|[( ]ef_vi \*' | grep -oE '[ *](__)?efc?t?_[a-z0-9_]+ \(' |
  grep -oE '[a-z_][a-z0-9_]+' | LC_ALL=C sort -u >"$work/taking"
taking=$(wc -l <"$work/taking")
[ "$taking" -ge 45 ] || fail "only $taking functions take an interface: this test does not work"
while read -r name; do
  grep -qE "REFUSED(_0|_VOID)?\($name," "$source/tests/unit/test_efvi_checked_threads.c" ||
    fail "test_efvi_checked_threads.c does not call $name"
done <"$work/taking"

# Each function, exported or inline, and each macro that is one, is called by a test in which it works;
# those of what is refused call everything, and don't count.
find "$source/tests/unit" "$source/tests/conformance" -name '*.[ch]' \
  ! -name 'test_efvi_checked*.c' ! -name test_efvi_bad.c -exec cat {} + |
  sed -E 's|/\*.*\*/||; s|^ \* .*||' | grep -oE '\b(__)?(ef[a-z]*_|EF_)[A-Za-z0-9_]+[(,]' |
  tr -d '(,' | LC_ALL=C sort -u >"$work/called"
{
  cat "$work/listed"
  sed -nE 's/^#define ((__)?(ef[a-z]*_|EF_)[A-Za-z0-9_]+)\(.*/\1/p' "$source"/include/etherfabric/*.h
  grep -F "/include/etherfabric/" "$work/prototypes" |
    sed -nE 's|.*\*/ static [^(]*[ *]((__)?ef[a-z]*_[a-z0-9_]+) \(.*|\1|p'
} | LC_ALL=C sort -u >"$work/callable"
callable=$(wc -l <"$work/callable")
[ "$callable" -ge 150 ] || fail "only $callable functions and macros found: this test does not work"
LC_ALL=C comm -23 "$work/callable" "$work/called" >"$work/uncalled"
[ ! -s "$work/uncalled" ] || fail "no test calls $(tr '\n' ' ' <"$work/uncalled")"

sanitizers=$(sed -n 's/^SHUNT_SANITIZE:STRING=//p' "$build/CMakeCache.txt")
more=${sanitizers:+-fsanitize=$sanitizers}
! grep -q '^SHUNT_COVERAGE:BOOL=ON' "$build/CMakeCache.txt" || more="$more --coverage"
export SHUNT_EFVI_DEVICE='eth0=ixgbe:twin?wire=a,eth1=ixgbe:twin?wire=a'
cd "$work"
mkdir static
ln -s "$(realpath "$build")/lib/libciul1.a" static
# shellcheck disable=SC2086
gcc -O2 $more -I"$source/include" "$source/examples/efvi_pingpong.c" -L"$build/lib" -lciul1 \
  -Wl,-rpath-link,"$build/lib" -o shared
# shellcheck disable=SC2086
gcc -O2 $more -I"$source/include" "$source/examples/efvi_pingpong.c" -Lstatic -lciul1 -lpthread \
  -lm -lmnl -lcap-ng -o static/program
readelf -d shared | grep -q 'NEEDED.*libciul\.so\.1' || fail "not linked with the versioned library"
LD_LIBRARY_PATH=$build/lib ./shared eth0 eth1 100 | grep -q 'all payloads right' || fail "shared"
./static/program eth0 eth1 100 | grep -q 'all payloads right' || fail "static"
echo "$declared functions declared and exported; a program links with -lciul1 and runs"
