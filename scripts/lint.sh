#!/usr/bin/env bash
# Checks clang-format and, with --tidy, clang-tidy on all sources. Arguments: a configured build
# folder [--tidy].
# Files that passed clang-tidy are remembered there by content, and not checked again.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?usage: scripts/lint.sh BUILD_FOLDER [--tidy]}

list() { find kernels engine apps tests bench \( -name '*.cpp' -o "$@" \) | LC_ALL=C sort; }
mapfile -t sources < <(list -name '*.h')
# Other versions of clang-format break lines differently: one is the reference.
reference=14
version=$(clang-format --version | grep -oE '[0-9]+' | head -n 1)
if [ "$version" = "$reference" ]; then
  clang-format --dry-run -Werror "${sources[@]}"
  echo "clang-format: ${#sources[@]} files"
else
  echo "SKIPPED: clang-format is version $version, the reference is $reference (Debian 12's)"
fi
[ "${2:-}" = --tidy ] || exit 0

passed=$build/clang-tidy-passed
mkdir -p "$passed"
# A source is checked anew when it, any header of ours or the configuration changes.
common=$(cat .clang-tidy */.clang-tidy $(find kernels engine apps tests bench -name '*.h' | LC_ALL=C sort) |
  sha256sum)
export build passed common
check() {
  local stamp
  stamp=$passed/$( (echo "$common"; cat "$1") | sha256sum | cut -c1-40)
  [ -e "$stamp" ] && return 0
  clang-tidy --quiet -p "$build" "$1" 2>/dev/null || { echo "clang-tidy: $1" >&2; return 1; }
  touch "$stamp"
}
export -f check
list -false | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "clang-tidy: $(list -false | wc -l) files"
