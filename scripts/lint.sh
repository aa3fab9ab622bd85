#!/usr/bin/env bash
# Checks the format of all sources and the code of kernels, engine and apps.
# Arguments: a configured build folder; --deep: clang-tidy's analyzer as well, and the code of
# tests and benches (some 20 minutes on 2 cores).
# Files that passed clang-tidy are remembered in the build folder by content, and not checked again.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/lint.sh BUILD_FOLDER [--deep]}
code="kernels engine apps" checks=""
if [ "${2:-}" = --deep ]; then
  code="$code tests bench"
  # Division by zero: it does not see that an op's <op>.cpp checked the shapes. Leaks: Google
  # Benchmark's registry owns what RegisterBenchmark makes.
  checks="clang-analyzer-*,-clang-analyzer-core.DivideZero,-clang-analyzer-optin.core.EnumCastOutOfRange,-clang-analyzer-cplusplus.NewDeleteLeaks"
fi

list() { find "$@" \( -name '*.cpp' -o -name '*.h' \) | LC_ALL=C sort; }
mapfile -t all < <(list kernels engine apps tests bench; find kernels -name '*.cu' | LC_ALL=C sort)
# Other versions break lines differently and know other checks: Debian 12's is the reference.
reference=14
version=$(clang-format --version | grep -oE '[0-9]+' | head -n 1)
if [ "$version" != "$reference" ]; then
  echo "SKIPPED: clang-format and clang-tidy are version $version, the reference is $reference (Debian 12's)"
  exit 0
fi
clang-format --dry-run -Werror "${all[@]}"
echo "clang-format: ${#all[@]} files"

passed=$build/clang-tidy-passed
mkdir -p "$passed"
# A source is checked anew when it, any header of ours or what is checked changes.
common=$( (cat .clang-tidy $(list kernels engine apps tests bench | grep '\.h$'); echo "$checks") | sha256sum)
export build passed common checks
check() {
  local stamp
  stamp=$passed/$( (echo "$common"; cat "$1") | sha256sum | cut -c1-40)
  [ -e "$stamp" ] && return 0
  clang-tidy --quiet --checks="$checks" -p "$build" "$1" 2>/dev/null ||
    { echo "clang-tidy: $1" >&2; return 1; }
  touch "$stamp"
}
export -f check
mapfile -t sources < <(list $code | grep '\.cpp$')
printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "clang-tidy: ${#sources[@]} files"
