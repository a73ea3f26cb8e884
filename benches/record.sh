#!/usr/bin/env bash
# Runs every bench and writes what criterion measured to docs/bench/<machine>/<date>.csv.
#
#   benches/record.sh MACHINE [arguments of cargo bench]
#
# MACHINE is a name of your choice for the kind of machine, such as `xeon-8-cores`. Run it on a quiet
# machine: it takes some six minutes. Needs jq.
set -euo pipefail
cd "$(dirname "$0")/.."

machine=${1:?usage: benches/record.sh MACHINE [arguments of cargo bench]}
shift
file=docs/bench/$machine/$(date -u +%F).csv
revision=$(git describe --always --dirty)

# A folder of its own, so that results of earlier runs are not taken for this one's.
CRITERION_HOME=$PWD/target/record
export CRITERION_HOME
rm -rf "$CRITERION_HOME"
cargo bench --package elision "$@"

cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1 || true)
[ -n "$cpu" ] || cpu=$(sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m)

mkdir -p "$(dirname "$file")"
{
    echo "# cpu: $cpu"
    echo "# threads of the machine: $(getconf _NPROCESSORS_ONLN)"
    echo "# rustc: $(rustc --version)"
    echo "# revision: $revision"
    echo "# ELISION_MAX_ISA: ${ELISION_MAX_ISA:-not set}"
    echo "# low and high bound the median with 95 % confidence; throughput is 10^9 elements a second, or"
    echo "# 10^9 floating-point operations a second where the id begins with gemm or linear."
    echo "id,median_ns,low_ns,high_ns,throughput"
    find "$CRITERION_HOME" -path '*/new/estimates.json' | LC_ALL=C sort | while read -r estimates; do
        jq -r -s '
            def rounded: . * 1000 | round / 1000;
            (.[0].throughput.Elements) as $work | .[0].full_id as $id | .[1].median
            | [ $id,
                (.point_estimate, .confidence_interval.lower_bound, .confidence_interval.upper_bound,
                 $work / .point_estimate | rounded) ]
            | map(tostring) | join(",")
        ' "$(dirname "$estimates")/benchmark.json" "$estimates"
    done
} >"$CRITERION_HOME/record.csv"
mv "$CRITERION_HOME/record.csv" "$file"
echo "$file: $(grep -vc -e '^#' -e '^id,' "$file") results"
