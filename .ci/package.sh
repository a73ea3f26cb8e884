#!/usr/bin/env bash
# What would be published is what a user needs: sources and licences, and none of the workshop.
set -euo pipefail
cd "$(dirname "$0")/.."

files=$(cargo package --locked --list --allow-dirty -p elision)
for needed in src/lib.rs README.md LICENSE-MIT LICENSE-APACHE CHANGELOG.md Cargo.toml; do
  grep -qx "$needed" <<<"$files" || { echo "the package lacks $needed"; exit 1; }
done
if grep -E '^(\.ci|fuzz|target|runs|docs/bench)/' <<<"$files"; then
  echo "the package holds the files above, which no user needs"
  exit 1
fi
echo "$(wc -l <<<"$files") files"
