#!/usr/bin/env bash
# The documentation builds without a warning: no broken link, no missing item.
set -euo pipefail
cd "$(dirname "$0")/.."

RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --workspace
