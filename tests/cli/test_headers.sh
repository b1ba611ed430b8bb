#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Every header compiles alone: the public ones as C11 and C++17, those of hw/ as C11, with every
# compiler that is here, and twice in one file.
set -euo pipefail
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-Wall -Wextra -Werror -pedantic -Wundef -fsyntax-only"
status=0 count=0

compile() { # compiler and language, header
  printf '#include "%s"\n#include "%s"\nint main(void);\n' "$2" "$2" >"$work/one"
  count=$((count + 1))
  # shellcheck disable=SC2086
  if ! $1 $flags -I"$source/include" -I"$source" "$work/one" 2>"$work/messages"; then
    echo "$2 does not compile alone with $1:"
    head -5 "$work/messages"
    status=1
  fi
}

command -v gcc >/dev/null || { echo "skipped: there is no gcc"; exit 77; }
for header in "$source"/include/shunt/*.h; do
  name=shunt/${header##*/}
  compile "gcc -std=c11 -x c" "$name"
  ! command -v clang >/dev/null || compile "clang -std=c11 -x c" "$name"
  ! command -v g++ >/dev/null || compile "g++ -std=c++17 -x c++" "$name"
  ! command -v clang++ >/dev/null || compile "clang++ -std=c++17 -x c++" "$name"
  if [ "$name" != shunt/shunt.h ] && ! grep -q "\"$name\"" "$source/include/shunt/shunt.h"; then
    echo "include/shunt/shunt.h does not include $name"
    status=1
  fi
done
for header in "$source"/hw/*.h; do
  compile "gcc -std=c11 -x c" "hw/${header##*/}"
done
[ $status = 0 ] && echo "$count times a header compiled alone"
exit $status
