#!/usr/bin/env bash
# No warning of rustc or clippy, in any target.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-clippy >/dev/null || rustup component add clippy
cargo clippy --locked --workspace --all-targets -- -D warnings
