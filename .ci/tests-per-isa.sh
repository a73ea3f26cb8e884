#!/usr/bin/env bash
# The whole suite once for each instruction set of this processor, chosen by ELISION_MAX_ISA. Everything is
# built once: the variable is read when a program runs.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the processor has, asked of the system and not of the library that is under test.
levels=(scalar portable)
absent=()
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) flags=" $(sed -n 's/^flags[[:space:]]*: //p' /proc/cpuinfo | head -n 1) " ;;
  Darwin-x86_64) flags=" $(sysctl -n machdep.cpu.features machdep.cpu.leaf7_features | tr 'A-Z\n' 'a-z ') " ;;
  *) flags=" " ;;
esac
has() { for flag; do [[ $flags == *" $flag "* ]] || return 1; done; }
if has avx2 fma; then levels+=(avx2); else absent+=(avx2); fi
if has avx2 fma avx512f avx512bw avx512dq avx512vl; then levels+=(avx512); else absent+=(avx512); fi

cargo test --locked --workspace --lib --bins --tests --no-run

# The probe runs a kernel and says which level it found itself in.
probe=(cargo test --quiet --locked -p elision --test levels)
if ELISION_MAX_ISA=scalar ELISION_EXPECT_ISA=portable "${probe[@]}" >/dev/null 2>&1; then
  echo "the probe passes under a level that it does not expect"
  exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for level in "${levels[@]}"; do
  start=$SECONDS
  export ELISION_MAX_ISA=$level
  ELISION_EXPECT_ISA=$level "${probe[@]}" -- --nocapture >"$log" 2>&1 && grep -q "executed: $level" "$log" ||
    { cat "$log"; echo "$level did not run"; exit 1; }
  cargo test --locked --workspace --lib --bins --tests --no-fail-fast >"$log" 2>&1 ||
    { grep -vE '^test .* ok$' "$log"; echo "the suite fails with $level"; exit 1; }
  counts=$(awk '/^test result:/ { passed += $4; ignored += $8 } END { print passed + 0, ignored + 0 }' "$log")
  read -r passed ignored <<<"$counts"
  [ "$passed" -gt 0 ] || { cat "$log"; echo "no test ran with $level"; exit 1; }
  echo "$level: $passed passed, $ignored skipped, $((SECONDS - start)) s"
done
for level in ${absent[@]+"${absent[@]}"}; do
  echo "$level: ABSENT on this processor, NOT RUN"
done
