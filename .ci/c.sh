#!/usr/bin/env bash
# The C interface: its programs with both libraries, under sanitizers and valgrind, its header against the symbols
# that are exported, its installation, and the examples of its README.
set -euo pipefail
cd "$(dirname "$0")/../integrations/c"

export CARGO_TARGET_DIR=$PWD/../../target
built=$CARGO_TARGET_DIR/debug
golden=../../tests/golden/stream-v1.txt
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
skipped=0

# Installs the package $1 if there is no command $2. False, and counted, if it cannot be had.
have() {
  command -v "$2" >/dev/null && return
  { apt-get update && apt-get install -y "$1"; } >"$out/apt" 2>&1 && return
  echo "$2: NOT RUN, it cannot be installed"
  skipped=$((skipped + 1))
  return 1
}

echo "format, lints, the library and its tests in Rust"
cargo fmt --check
cargo clippy --quiet --locked --all-targets -- -D warnings
cargo build --quiet --locked --lib
cargo test --quiet --locked

strict=(-D_POSIX_C_SOURCE=200809L -Wall -Wextra -Wpedantic -Werror -g -Iinclude)
static=("$built/libelision_c.a" -lpthread -ldl -lm)
# The shared library knows itself by its installed name.
ln -s "$built/libelision_c.so" "$out/libelision.so.1"
shared=("$built/libelision_c.so" -lpthread -lm "-Wl,-rpath,$out")
cc -std=c99 "${strict[@]}" tests/c/*.c "${static[@]}" -o "$out/static"
cc -std=c99 "${strict[@]}" tests/c/*.c "${shared[@]}" -o "$out/shared"
cc -std=c99 "${strict[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all \
  tests/c/*.c "${static[@]}" -o "$out/sanitized"
for kind in static shared; do
  echo "$kind library"
  "$out/$kind" "$golden"
done
echo "address and undefined-behaviour sanitizers"
# It tells what memory the system does not have; the library reports that as an error.
ASAN_OPTIONS=allocator_may_return_null=1 "$out/sanitized" "$golden" 2>"$out/log" || { cat "$out/log"; exit 1; }
if have valgrind valgrind; then
  echo "valgrind"
  # A short file: it runs some fifty times as long.
  awk '/^#/ || $5 < 20000' "$golden" >"$out/golden"
  valgrind --quiet --error-exitcode=1 --leak-check=full \
    --show-leak-kinds=definite --errors-for-leak-kinds=definite \
    "$out/static" "$out/golden"
fi

echo "C++"
c++ -std=c++11 "${strict[@]}" tests/c/header.cpp "${static[@]}" -o "$out/cpp"
"$out/cpp"

echo "symbols"
have binutils nm && {
  sed '/^ \*/d; /\/\*.*\*\//d' include/elision.h | grep -oE '\belision_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$out/declared"
  nm -D --defined-only "$built/libelision_c.so" | sed -nE 's/.* T //p' | sort -u >"$out/exported"
  diff "$out/declared" "$out/exported" || { echo "the header (<) and the library (>) differ"; exit 1; }
  echo "$(wc -l <"$out/declared") functions"
}

# What stands between two markers of the README, without its fences.
block() { sed -n "/<!-- $1 -->/,/<!-- \/$1 -->/p" README.md | sed '/^<!--/d; /^```/d'; }

echo "the README"
# As a reader types it, but for the profile and the folder: an optimised build would take minutes.
block example | sed "s|--release||; s|target/release|$built|; s|target/dropout|$out/dropout|" >"$out/example.sh"
[ "$(wc -l <"$out/example.sh")" -eq 3 ] || { echo "README.md has no example of three lines"; exit 1; }
bash -euo pipefail "$out/example.sh"
block program >"$out/program.c"
[ -s "$out/program.c" ] || { echo "README.md has no program"; exit 1; }
cc -std=c99 "${strict[@]}" "$out/program.c" "${static[@]}" -o "$out/program"
"$out/program"
# The program in the header's first lines.
sed -n '/^ \*     #include/,/^ \*     }$/s/^ \*     \{0,1\}//p' include/elision.h | sed 's/^ \*$//' >"$out/first.c"
cc -std=c99 "${strict[@]}" "$out/first.c" "${static[@]}" -o "$out/first"
"$out/first"

if have cmake cmake; then
  echo "installation"
  quietly() { "$@" >"$out/log" 2>&1 || { cat "$out/log"; exit 1; }; }
  quietly cmake -S . -B "$out/build" -DCMAKE_INSTALL_PREFIX="$out/installed" -DCMAKE_INSTALL_LIBDIR=lib \
    -DELISION_PROFILE=dev -DELISION_TARGET_DIR="$CARGO_TARGET_DIR"
  quietly cmake --build "$out/build"
  quietly cmake --install "$out/build"
  quietly cmake -S tests/package -B "$out/user" -DCMAKE_PREFIX_PATH="$out/installed"
  quietly cmake --build "$out/user"
  "$out/user/with_elision" >"$out/a"
  "$out/user/with_static" >"$out/b"
  cmp "$out/a" "$out/b"
  if have pkg-config pkg-config; then
    export PKG_CONFIG_PATH=$out/installed/lib/pkgconfig
    # shellcheck disable=SC2046
    cc -std=c99 example/dropout.c $(pkg-config --cflags --libs elision) -o "$out/packaged"
    LD_LIBRARY_PATH=$out/installed/lib "$out/packaged" | cmp - "$out/a"
  fi
fi
echo "$skipped checks were skipped"
