#!/usr/bin/env bash
# Fuzzes every reader of files (libFuzzer with the address and undefined-behaviour sanitizers).
# A reader may refuse an input with a dsf::Error. A crash, a leak, undefined behaviour, another
# exception, more than 10 s or more than 1 GB is a finding.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
scripts/fuzz.sh [--no-install] [--jobs N] [SECONDS_PER_TARGET] [TARGET…]

  1. installs clang and its runtime libraries where they are missing (apt; sudo where needed)
  2. builds the preset "fuzz": one program per reader (tests/fuzz/fuzz_TARGET.cpp)
  3. makes seeds with our own writers and runs each target for SECONDS_PER_TARGET (60), N at a
     time (all cores)
  4. prints a table: target, inputs, inputs per second, coverage (edges), findings

What was found useful is kept in build/fuzz/corpus and taken up again by the next call.
Exit code: 0 nothing found, 1 a finding, whose input is kept and named, 2 misused.
Run one again: build/fuzz/tests/fuzz/fuzz_TARGET FILE
TEXT
}

install=1 jobs=$(nproc) seconds=60 targets=()
while [ $# -gt 0 ]; do
  case "$1" in
    --no-install) install=0 ;;
    --jobs) jobs=${2:?--jobs takes a number}; shift ;;
    --help|-h) usage; exit 0 ;;
    [0-9]*) seconds=$1 ;;
    *) [ -e "tests/fuzz/fuzz_$1.cpp" ] || { echo "no target $1" >&2; usage >&2; exit 2; }
       targets+=("$1") ;;
  esac
  shift
done
if [ ${#targets[@]} -eq 0 ]; then
  for source in tests/fuzz/fuzz_*.cpp; do
    target=${source#tests/fuzz/fuzz_}
    targets+=("${target%.cpp}")
  done
fi

[ "$install" -eq 0 ] || scripts/install_dependencies.sh --fuzzing

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --parallel "$(nproc)"

build=build/fuzz
findings=$build/findings logs=$build/fuzz-logs
mkdir -p "$findings" "$logs" "$build/corpus"
programs=$build/tests/fuzz
rm -rf "$build/seeds"
"$programs/make_seeds" "$build/seeds"

# Inputs go through files: in memory, where that is possible.
if [ -w /dev/shm ]; then TMPDIR=$(mktemp -d -p /dev/shm); else TMPDIR=$(mktemp -d); fi
trap 'rm -rf "$TMPDIR"' EXIT
export TMPDIR build findings logs programs seconds
# What is freed is kept for 16 MB only: the gigabyte is to be the reader's own.
export ASAN_OPTIONS=quarantine_size_mb=16:${ASAN_OPTIONS:-}

run_target() {
  local target=$1 dictionary=() longest
  # Longer seeds would be cut.
  longest=$(find "$build/seeds/$target" -type f -printf '%s\n' | sort -n | tail -n 1)
  mkdir -p "$build/corpus/$target"
  [ -e "tests/fuzz/$target.dict" ] && dictionary=("-dict=tests/fuzz/$target.dict")
  "$programs/fuzz_$target" "-max_total_time=$seconds" -timeout=10 -rss_limit_mb=1024 \
    -malloc_limit_mb=1024 "-max_len=$((longest > 2048 ? longest : 2048))" -print_final_stats=1 \
    "-artifact_prefix=$findings/$target-" \
    "${dictionary[@]}" "$build/corpus/$target" "$build/seeds/$target" \
    >"$logs/$target.log" 2>&1 && echo 0 >"$logs/$target.code" || echo $? >"$logs/$target.code"
}
export -f run_target
echo "${#targets[@]} targets, $seconds s each, $jobs at a time"
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'run_target {}'

total=0 found=0
printf '%-14s %12s %10s %10s  %s\n' target inputs per_second coverage findings
for target in "${targets[@]}"; do
  log=$logs/$target.log
  inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  coverage=$(grep -oE 'cov: [0-9]+' "$log" | tail -n 1 | cut -d' ' -f2 || true)
  finding=none
  if [ "$(cat "$logs/$target.code")" -ne 0 ] || [ "${inputs:-0}" -eq 0 ]; then
    finding=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    finding="${finding:-no input kept} (log: $log)"
    found=$((found + 1))
  fi
  total=$((total + ${inputs:-0}))
  printf '%-14s %12s %10s %10s  %s\n' "$target" "${inputs:-?}" "${speed:-?}" "${coverage:-?}" "$finding"
done
echo "$total inputs, $found targets with a finding"
[ "$found" -eq 0 ]
