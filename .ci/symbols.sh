#!/usr/bin/env bash
# No helper of a kernel has fallen out of its trampoline.
#
# `#[target_feature]` stands on the trampolines alone. What is inlined there is compiled with the
# instruction set; a function that is left over beside them is compiled without it and runs many times
# slower, with the same results. In the release build, the symbols of such functions name a token or a
# register (v0 mangling spells out type parameters), or are intrinsics that something calls.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=$PWD/target/symbols
export RUSTFLAGS="-C symbol-mangling-version=v0"
# Linking many programs with it takes long, and it could only inline what would be left over.
export CARGO_PROFILE_RELEASE_LTO=off
command -v nm >/dev/null || { apt-get update && apt-get install -y binutils; }
case "$(rustc -vV)" in
  *"host: x86_64"*) ;;
  *) echo "this processor has no trampolines: NOT RUN"; exit 0 ;;
esac

# The functions of the program $1 that mention an instruction set and are no trampoline.
fallen() {
  nm --demangle "$1" | sed -nE 's/^[0-9a-f]+ [tTwW] //p' |
    grep -E 'elision::simd::(avx2::Avx2|avx512::Avx512)|core_arch::x86(_64)?::(__m(256|512)|.*::_mm(256|512)?_)' |
    grep -vE '^<?elision::simd::dispatch::under_(avx2|avx512)::<|^core::ptr::drop_(in_place|glue)::<' || true
}

# The kernels that a trampoline of the programs runs, one name a line.
run_by_trampolines() {
  nm --demangle "$@" | grep -oE 'under_avx2::<(elision::[a-z_0-9:]+::)?[A-Za-z0-9]+' | sed 's/.*[:<]//' | sort -u
}

echo "the check finds a fault that is planted"
cargo build --quiet --locked --release --manifest-path .ci/plant/Cargo.toml
planted=$(fallen "$CARGO_TARGET_DIR/release/plant")
for token in avx2::Avx2 avx512::Avx512; do
  grep -q "plant::helper::<elision::simd::$token>" <<<"$planted" || { echo "it does not see $token"; exit 1; }
done

echo "building every program of the workspace"
programs=$(cargo build --locked --release --workspace --bins --examples --tests --message-format=json |
  sed -nE 's/.*"executable":"([^"]+)".*/\1/p' | sort -u)
found=$(for program in $programs; do fallen "$program"; done | sort -u)
if [ -n "$found" ]; then
  echo "compiled without their instruction set, for want of #[inline(always)] or because of a closure:"
  sed 's/^/  /' <<<"$found"
  exit 1
fi

# A kernel that no program runs would pass unseen. Map and Zip are parts of other kernels only.
kernels=$(grep -rhoE 'Kernel for [A-Za-z0-9]+' src/kernels src/rng src/ops | sed 's/Kernel for //' |
  grep -vxE 'Map|Zip' | sort -u)
# shellcheck disable=SC2086
missed=$(comm -23 <(echo "$kernels") <(run_by_trampolines $programs))
if [ -n "$missed" ]; then
  echo "kernels that no program runs, so that nothing is known of them:" $missed
  exit 1
fi
echo "$(wc -l <<<"$kernels") kernels in $(wc -l <<<"$programs") programs: nothing left over"
