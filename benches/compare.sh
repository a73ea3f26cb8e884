#!/usr/bin/env bash
# Compares the kernels of two revisions: instructions, counted by callgrind, and time.
#
#   benches/compare.sh [--limit RATIO] [--rounds N] [--only TEXT] BASE [HEAD]
#
# BASE and HEAD are revisions that git knows; without HEAD, the working tree as it stands is compared with BASE.
#
#   --limit RATIO   fail if HEAD executes more than RATIO times BASE's instructions in any work, such as 1.05
#   --rounds N      pairs of runs whose medians give the times; 15 if not given
#   --only TEXT     only the works whose name contains TEXT
#
# Both revisions are built into the same program, benches/guard, as it stands in the working tree. Instructions
# are those of AVX2, which is as far as valgrind goes; they hardly vary from run to run, so a small excess means
# something. Times are those of the processor's best instruction set on one thread, in turn, and the ratio is the
# median of the pairs' ratios. Without valgrind (`apt-get install valgrind`) only times are compared, and a limit
# cannot be kept: the script then fails.
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p;}' "$0"; }
fail() { echo "compare.sh: $*" >&2; exit 2; }

limit= rounds=15 only= revisions=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --limit) limit=${2:?--limit needs a ratio}; shift ;;
    --rounds) rounds=${2:?--rounds needs a number}; shift ;;
    --only) only=${2:?--only needs a text}; shift ;;
    -*) fail "unknown option $1; see --help" ;;
    *) revisions+=("$1") ;;
  esac
  shift
done
[ ${#revisions[@]} -eq 1 ] || [ ${#revisions[@]} -eq 2 ] || { usage >&2; exit 2; }
[[ -z $limit || $limit =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "--limit $limit is no ratio"
[[ $rounds =~ ^[1-9][0-9]*$ ]] || fail "--rounds $rounds is no number of rounds"

cd "$(dirname "$0")/.."
root=$PWD
base=${revisions[0]} head=${revisions[1]:-}
for revision in "${revisions[@]}"; do
  git rev-parse --quiet --verify "$revision^{commit}" >/dev/null || fail "git knows no revision $revision"
done

scratch=$(mktemp -d)
clean() {
  git worktree remove --force "$scratch/tree" >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap clean EXIT
export CARGO_TARGET_DIR=$scratch/target RAYON_NUM_THREADS=1

# Builds the program of the folder $1 as $2. The lock file is left as it is for every revision alike, so that
# only the library differs.
build() {
  echo "building $2" >&2
  cargo build --quiet --release --manifest-path "$1/benches/guard/Cargo.toml" >&2 ||
    fail "the program does not build against $2: does that revision have all that it calls?"
  cp "$CARGO_TARGET_DIR/release/elision-guard" "$scratch/$2"
}

# Builds a revision in a tree of its own, with this tree's program.
build_revision() {
  git worktree add --quiet --detach "$scratch/tree" "$1"
  rm -rf "$scratch/tree/benches/guard"
  mkdir -p "$scratch/tree/benches"
  cp -r "$root/benches/guard" "$scratch/tree/benches/guard"
  build "$scratch/tree" "$2"
  git worktree remove --force "$scratch/tree"
}

build_revision "$base" base
if [ -n "$head" ]; then build_revision "$head" head; else build "$root" head; fi

# Instructions that callgrind counts in $1 with $3 calls of the work $2.
count() {
  ELISION_MAX_ISA=avx2 valgrind --tool=callgrind --callgrind-out-file=/dev/null "$scratch/$1" "$2" "$3" 2>&1 >/dev/null |
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# Instructions of one call: what two more calls add, so that reading the inputs does not count.
instructions() {
  local few many
  few=$(count "$1" "$2" 1)
  many=$(count "$1" "$2" 3)
  [ -n "$few" ] && [ -n "$many" ] || fail "callgrind does not run $1 $2"
  echo $(((many - few) / 2))
}

median() { sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }
divide() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", a / b }'; }

# The median over the rounds of HEAD's time divided by BASE's, each run of some 20 ms.
time_ratio() {
  local once repeats round first second
  once=$("$scratch/base" "$1" 3)
  repeats=$(awk -v ns="$once" 'BEGIN { n = int(2e7 / ns); print (n < 1 ? 1 : n > 100000 ? 100000 : n) }')
  for ((round = 0; round < rounds; round++)); do
    first=$("$scratch/base" "$1" "$repeats")
    second=$("$scratch/head" "$1" "$repeats")
    divide "$second" "$first"
    echo
  done | median
}

counts=true
command -v valgrind >/dev/null || {
  counts=false
  echo "valgrind is missing: instructions are not compared. To compare them: apt-get install valgrind" >&2
}

above=()
printf '%-28s %16s %16s %24s %16s\n' work "base, instr." "head, instr." "instructions head/base" "time head/base"
for work in $("$scratch/head"); do
  [[ $work == *"$only"* ]] || continue
  before=- after=- ratio=-
  if $counts; then
    before=$(instructions base "$work")
    after=$(instructions head "$work")
    ratio=$(divide "$after" "$before")
    if [ -n "$limit" ] && awk -v r="$ratio" -v l="$limit" 'BEGIN { exit !(r > l) }'; then above+=("$work"); fi
  fi
  printf '%-28s %16s %16s %24s %16s\n' "$work" "$before" "$after" "$ratio" "$(time_ratio "$work")"
done

if [ -n "$limit" ]; then
  $counts || { echo "the limit of $limit was not checked"; exit 1; }
  [ ${#above[@]} -eq 0 ] || { echo "more than $limit times the instructions: ${above[*]}"; exit 1; }
  echo "no work executes more than $limit times the instructions"
fi
