#!/usr/bin/env bash
# The test command: installs what is missing, builds, checks format and code, runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
scripts/test.sh [--no-install] [--no-lint] [--deep] [--sanitizers]

  1. installs missing Debian packages (apt; sudo where needed)
  2. configures and builds the preset "release" on all cores
  3. checks the format (clang-format) and the code (clang-tidy), with Debian 12's versions
  4. runs all tests

  --no-install   skip step 1
  --no-lint      skip step 3
  --deep         step 3 runs clang's analyzer as well, and checks the tests' code
                 (some 20 minutes on 2 cores)
  --sanitizers   also build and run the tests under "asan-ubsan" and "tsan"
TEXT
}

install=1 lint=1 deep="" sanitizers=0
for argument in "$@"; do
  case "$argument" in
    --no-install) install=0 ;;
    --no-lint) lint=0 ;;
    --deep) deep=--deep ;;
    --sanitizers) sanitizers=1 ;;
    --help|-h) usage; exit 0 ;;
    *) echo "unknown argument: $argument" >&2; usage >&2; exit 2 ;;
  esac
done

say() { printf '\n== %s (%s s so far)\n' "$*" "$SECONDS"; }

build() {  # with tests, whatever it was configured for before; says what it leaves out
  cmake --preset "$1" -DDSF_TESTS=ON | { grep -E "SKIPPED|built without|is not built" || true; }
  cmake --build --preset "$1" --parallel "$(nproc)"
}

# PRESET: runs its tests, and says why some were skipped.
run_tests() {
  ctest --preset "$1" --parallel "$(nproc)"
  grep -h '^SKIPPED' "build/$1/Testing/Temporary/LastTest.log" | sort | uniq -c || true
}

say "Installs, builds, checks and tests: some 25 minutes on 2 cores where nothing is there yet"
if [ "$install" -eq 1 ]; then
  say "Installing what is missing"
  scripts/install_dependencies.sh
fi
say "Building the preset release"
build release

if [ "$lint" -eq 1 ]; then
  say "Checking format and code"
  scripts/lint.sh build/release $deep
fi

say "Running the tests"
run_tests release

if [ "$sanitizers" -eq 1 ]; then
  for preset in asan-ubsan tsan; do
    say "Building and testing the preset $preset"
    build "$preset"
    run_tests "$preset"
  done
fi
say "Done"
