#!/usr/bin/env bash
# The test command that the README tells its readers to run, read from the README itself.
set -euo pipefail
cd "$(dirname "$0")/.."

# The fenced block between the two markers, without its fences.
block=$(sed -n '/<!-- test-command -->/,/<!-- \/test-command -->/p' README.md | sed '/^<!--/d; /^```/d')
if [ -z "${block//[[:space:]]/}" ]; then
  echo 'README.md has no command between <!-- test-command --> and <!-- /test-command -->'
  exit 1
fi
echo "$block" | sed 's/^/$ /'
bash -euo pipefail -c "$block"
