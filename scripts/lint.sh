#!/usr/bin/env bash
# Checks the format of all sources and the code of kernels, engine and apps.
# Arguments: a configured build folder; --deep: clang-tidy's analyzer as well, and the code of
# tests and benches (some 20 minutes on 2 cores).
# Sources are checked a dozen at a time, as one that includes them: what takes time are the headers.
# Where that finds something, or names collide, each of the dozen is checked by itself.
# What passed clang-tidy is remembered in the build folder by content, and not checked again.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/lint.sh BUILD_FOLDER [--deep]}
code="kernels engine lib apps" checks="" others=OFF
if [ "${2:-}" = --deep ]; then
  code="$code tests bench" others=ON
  # Division by zero: it does not see that an op's <op>.cpp checked the shapes. Leaks: Google
  # Benchmark's registry owns what RegisterBenchmark makes.
  checks="clang-analyzer-*,-clang-analyzer-core.DivideZero,-clang-analyzer-optin.core.EnumCastOutOfRange,-clang-analyzer-cplusplus.NewDeleteLeaks"
fi

list() { find "$@" \( -name '*.cpp' -o -name '*.h' \) | LC_ALL=C sort; }
mapfile -t all < <(list kernels engine include lib apps tests bench; find kernels -name '*.cu' | LC_ALL=C sort)
# Other versions break lines differently and know other checks: Debian 12's is the reference.
reference=14
version=$(clang-format --version | grep -oE '[0-9]+' | head -n 1)
if [ "$version" != "$reference" ]; then
  echo "SKIPPED: clang-format and clang-tidy are version $version, the reference is $reference (Debian 12's)"
  exit 0
fi
clang-format --dry-run -Werror "${all[@]}"
echo "clang-format: ${#all[@]} files"

# clang-tidy looks for these in main files alone, which a group's sources are not.
while IFS=: read -r source alias; do
  grep -q "\b$alias::" "$source" || { echo "$source: the namespace alias $alias is unused" >&2; exit 1; }
done < <(grep -HoP '^namespace \K\w+(?= = )' "${all[@]}")

passed=$build/clang-tidy-passed
mkdir -p "$passed"
# A source is checked anew when it, any header of ours or what is checked changes.
common=$( (cat .clang-tidy $(list kernels engine include lib apps tests bench | grep '\.h$'); echo "$checks") | sha256sum)
# CMake leaves groups that it no longer makes where they are.
[ ! -d "$build/lint" ] || find "$build/lint" -name 'unity_*.cxx' -delete
configure() {  # FOLDER OPTION…
  cmake --preset release -B "$1" -DDSF_CUDA=OFF -DDSF_TESTS=$others -DDSF_BENCHES=$others "${@:2}" >/dev/null
}
configure "$build/lint" -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12
configure "$build/lint/single" -DDSF_UNITY=OFF
export build passed common checks
# What a group's file includes; a source by itself.
sources_of() {
  case "$1" in
    *.cxx) sed -n 's/^#include "\(.*\)"$/\1/p' "$1" ;;
    *) echo "$1" ;;
  esac
}
check() {
  local stamp source failed=0
  stamp=$passed/$( (echo "$common"; sources_of "$1" | xargs cat) | sha256sum | cut -c1-40)
  [ -e "$stamp" ] && return 0
  case "$1" in
    *.cxx)
      if ! clang-tidy --quiet --checks="$checks,-bugprone-suspicious-include" -p "$build/lint" "$1" >/dev/null 2>&1; then
        for source in $(sources_of "$1"); do check "$source" || failed=1; done
        [ $failed -eq 0 ] || return 1
      fi ;;
    *)
      clang-tidy --quiet --checks="$checks" -p "$build/lint/single" "$1" 2>/dev/null ||
        { echo "clang-tidy: $1" >&2; return 1; } ;;
  esac
  touch "$stamp"
}
export -f check sources_of
mapfile -t sources < <(list $code | grep '\.cpp$')
mapfile -t groups < <(find "$build/lint" -name 'unity_*.cxx' | LC_ALL=C sort)
# Sources that no target of this folder has are checked by themselves.
mapfile -t alone < <(comm -23 <(printf "$PWD/%s\n" "${sources[@]}" | LC_ALL=C sort) \
  <(for group in "${groups[@]}"; do sources_of "$group"; done | LC_ALL=C sort -u))
printf '%s\n' "${groups[@]}" "${alone[@]}" | grep . | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "clang-tidy: ${#sources[@]} files"
