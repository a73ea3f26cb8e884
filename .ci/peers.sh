#!/usr/bin/env bash
# The comparison with other libraries builds, refuses planted wrong answers, and measures whatever is
# installed. The figures of so short a run mean nothing, so they go to a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=$PWD/target/peers
# A quick run needs no optimisation across crates, which would take a minute for each program.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=none
command -v cargo-clippy >/dev/null || rustup component add clippy
command -v rustfmt >/dev/null || rustup component add rustfmt
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for manifest in benches/peers/Cargo.toml benches/guard/Cargo.toml; do
  cargo fmt --manifest-path "$manifest" --check
  cargo clippy --quiet --locked --manifest-path "$manifest" --all-targets -- -D warnings
done

# candle takes most of the time of a build: clippy has seen that it fits, a full run measures it.
peers=(--quiet --locked --release --manifest-path benches/peers/Cargo.toml --no-default-features)
cargo test "${peers[@]}"
cargo test --quiet --locked --release --manifest-path benches/guard/Cargo.toml
cargo run "${peers[@]}" -- --quick --threads 1 --out "$out" 2>"$out/log" || { cat "$out/log"; exit 1; }
sed -n '/ is missing (/p; /^    /p' "$out/log"
for file in peers.md peers.svg; do
  [ -s "$out/$file" ] || { echo "$file is missing"; exit 1; }
done
echo "$(grep -c '^threads: ' "$out/log") pieces of work measured and checked"
