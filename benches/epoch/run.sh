#!/usr/bin/env bash
# An epoch of the 3 x 1024 network with dropout on MNIST, ours and PyTorch's in turn: seconds, their medians, and
# the ratio. Measure while nothing else runs.
#
#   benches/epoch/run.sh PYTHON FOLDER [ROUNDS] [THREADS]
#
# PYTHON has torch; FOLDER has MNIST's four uncompressed files (`elision data fetch mnist` puts them there).
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${1:?a Python with torch} folder=${2:?the folder of MNIST} rounds=${3:-5} threads=${4:-1}

cargo build --quiet --release -p elision-cli
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
median() { sort -n | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int((NR + 2) / 2)]) / 2 }'; }

for round in $(seq "$rounds"); do
  ./target/release/elision train --config benches/epoch/epoch.toml --data-dir "$folder" --threads "$threads" \
    --seed "$round" --out "$out" --name "round$round" >/dev/null 2>&1
  # epoch,...,seconds: the columns are named in the first line.
  ours=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "seconds") column = i } END { print $column }' "$out/round$round/metrics.csv")
  read -r theirs loss <<<"$("$python" benches/epoch/torch_epoch.py "$folder" "$threads")"
  echo "round $round: elision $ours s, PyTorch $theirs s (loss $loss)"
  echo "$ours" >>"$out/ours"
  echo "$theirs" >>"$out/theirs"
done
ours=$(median <"$out/ours") theirs=$(median <"$out/theirs")
echo "median of $rounds with $threads threads: elision $ours s, PyTorch $("$python" -c 'import torch; print(torch.__version__)') $theirs s, ratio $(awk "BEGIN { print $theirs / $ours }")"
