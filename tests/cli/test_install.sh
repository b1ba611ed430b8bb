#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make install into a directory of its own; a program built against that, and nothing else, with
# the shared library and with the static one, runs on two twins.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for tool in cmake pkg-config gcc; do
  command -v $tool >/dev/null || { echo "skipped: there is no $tool"; exit 77; }
done
fail() {
  echo "FAILED: $*"
  exit 1
}

sanitizers=$(sed -n 's/^SHUNT_SANITIZE:STRING=//p' "$build/CMakeCache.txt")
more=${sanitizers:+-fsanitize=$sanitizers}
grep -q '^SHUNT_COVERAGE:BOOL=ON' "$build/CMakeCache.txt" && more="$more --coverage"

DESTDIR=$work/root cmake --install "$build" >"$work/log" 2>&1 || {
  tail -5 "$work/log"
  fail "cmake --install"
}
prefix=$work/root$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$build/CMakeCache.txt")
pc=$(find "$prefix" -name shunt.pc)
[ -n "$pc" ] || fail "no shunt.pc was installed"
export PKG_CONFIG_PATH=${pc%/*}
libraries=$(pkg-config --variable=libdir shunt)

cp "$source"/examples/hello.c "$source"/examples/echo_inline.c "$work"
cd "$work"
for program in hello echo_inline; do
  # shellcheck disable=SC2046,SC2086
  gcc -std=gnu11 -O2 -Wall -Wextra -Werror $more $program.c $(pkg-config --cflags --libs shunt) \
    -o $program-shared
  # shellcheck disable=SC2046,SC2086
  gcc -std=gnu11 -O2 $more $program.c $(pkg-config --cflags shunt) \
    -l:libshunt.a $(pkg-config --static --libs shunt | sed 's/-lshunt//') -o $program-static
  LD_LIBRARY_PATH=$libraries ./$program-shared >output || fail "$program, shared"
  ./$program-static >output-static || fail "$program, static"
done
LD_LIBRARY_PATH=$libraries ./hello-shared | grep -q '"hello, wire"' || fail "hello said nothing"
readelf -d hello-shared | grep -q 'NEEDED.*libshunt\.so\.[0-9]' ||
  fail "hello-shared is not linked with the versioned library"
readelf -d hello-static | grep -q libshunt && fail "hello-static needs the shared library"

# A program for ef_vi, by its own pkg-config file alone.
cp "$source"/examples/efvi_pingpong.c "$work"
# shellcheck disable=SC2046,SC2086
gcc -std=gnu11 -O2 -Wall -Wextra -Werror $more efvi_pingpong.c \
  $(pkg-config --cflags --libs ciul1) -o efvi-shared
# shellcheck disable=SC2046,SC2086
gcc -std=gnu11 -O2 $more efvi_pingpong.c $(pkg-config --cflags ciul1) -l:libciul1.a \
  $(pkg-config --static --libs ciul1 | sed 's/-lciul1//; s/-lshunt//') -o efvi-static
readelf -d efvi-shared | grep -q 'NEEDED.*libciul\.so\.1' || fail "efvi-shared lacks libciul.so.1"
readelf -d efvi-static | grep -qE 'NEEDED.*lib(ciul|shunt)' && fail "efvi-static is not static"
export SHUNT_EFVI_DEVICE='eth0=ixgbe:twin?wire=a,eth1=ixgbe:twin?wire=a'
for program in efvi-shared efvi-static; do
  LD_LIBRARY_PATH=$libraries ./$program eth0 eth1 100 | grep -q 'all payloads right' || fail $program
done

"$prefix/bin/shunt" --version | grep -q '^shunt [0-9]' || fail "the installed command"
[ -f "$prefix/share/bash-completion/completions/shunt" ] || fail "no completion for bash"
[ -f "$prefix/share/zsh/site-functions/_shunt" ] || fail "no completion for zsh"
if command -v scdoc >/dev/null; then
  for page in "$source"/docs/man/*.scd; do
    name=$(basename "$page" .scd)
    [ -n "$(find "$prefix/share/man" -name "$name*")" ] || fail "no man page $name"
  done
fi
# The units: systemd knows each key, and what they start is there. (It warns, and ends with 0.)
units=$prefix/lib/systemd/system
[ -f "$units/shunt-xdp-helper.socket" ] || fail "no unit shunt-xdp-helper.socket"
if command -v systemd-analyze >/dev/null; then
  mkdir units
  cp "$units"/* units
  sed -i "s|=${prefix#"$work/root"}/bin|=$prefix/bin|" units/*.service
  grep -q "^ExecStart=$prefix/bin/shunt xdp-helper" units/*.service || fail "what the unit starts"
  systemd-analyze verify --man=no units/* >verified 2>&1 || fail "the units: $(cat verified)"
  [ ! -s verified ] || fail "the units: $(cat verified)"
else
  echo "there is no systemd-analyze: the units were not verified"
fi
# What is installed does not lean on the source tree.
for header in "$prefix"/include/shunt/*.h; do
  echo "#include <shunt/${header##*/}>"
done >all.c
# shellcheck disable=SC2046
gcc -std=c11 -Werror -fsyntax-only $(pkg-config --cflags shunt) all.c || fail "installed headers"
echo "installed, built against and run: shared and static"
