#!/usr/bin/env bash
# Every file is as rustfmt writes it.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v rustfmt >/dev/null || rustup component add rustfmt
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
