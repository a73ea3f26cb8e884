#!/usr/bin/env bash
# Every fuzz target on its committed inputs and then on its own inventions for SECONDS_EACH seconds,
# under the address sanitizer. On a machine of your own give it hours: `SECONDS_EACH=3600 .ci/fuzz.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."

# libFuzzer and the sanitizer hang on compiler flags that are unstable, not on a nightly compiler.
export RUSTC_BOOTSTRAP=1
# Memory that the system does not have is an error of the library, which the targets check, and not of the sanitizer.
export ASAN_OPTIONS=allocator_may_return_null=1
seconds_each=${SECONDS_EACH:-20}
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
target=$(rustc -vV | sed -n 's/^host: //p')

cargo fuzz build --target "$target"
for name in $(cargo fuzz list); do
  for inputs in {,cli/,integrations/c/}tests/regressions/$name; do
    [ -d "$inputs" ] && break
  done
  mkdir -p "fuzz/corpus/$name"
  echo "$name: $(find "$inputs" -type f | wc -l) committed inputs, then $seconds_each s"
  log=$(mktemp)
  if ! cargo fuzz run --target "$target" "$name" "fuzz/corpus/$name" "$inputs" -- \
    -max_total_time="$seconds_each" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "$name: commit the input above to $inputs once it is understood"
    exit 1
  fi
  sed -n 's/^stat::number_of_executed_units: */  executed /p; s/^stat::new_units_added: */  new to the corpus /p' "$log"
  rm -f "$log"
done
