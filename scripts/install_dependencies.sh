#!/usr/bin/env bash
# Installs what dsf needs from Debian (12 or 13), with --programs only what its programs need, with
# --fuzzing also what fuzzing needs. Says what is missing and why before it does.
set -euo pipefail

# package: why
needs="
g++: compiler (C++20; GCC 12 or later)
cmake: build
ninja-build: build
pkg-config: finds libraries
libdnnl-dev: matrix products and convolutions (oneDNN)
librandom123-dev: counter-based random numbers
libfmt-dev: text
libspdlog-dev: messages of the programs
libcli11-dev: command lines
libyaml-cpp-dev: configurations
nlohmann-json3-dev: JSON side-cars, safetensors headers
libzip-dev: PyTorch's archives, spreadsheets
libpugixml-dev: spreadsheets' XML
libsndfile1-dev: WAV and FLAC
libkissfft-dev: spectrograms
libcairo2-dev: pictures
portaudio19-dev: sound while it is generated
librtmidi-dev: control by MIDI
"
case "${1:-}" in
  ''|--programs|--fuzzing) ;;
  *) echo "$1: unknown; usage: scripts/install_dependencies.sh [--programs|--fuzzing]" >&2; exit 2 ;;
esac
[ "${1:-}" = --programs ] || needs+="
libgtest-dev: tests
liboscpack-dev: tests; others' OSC
libboost-context-dev: tests; the threads of simulated CUDA kernels
libbenchmark-dev: benches
clang-format: checks of format
clang-tidy: checks of code
qemu-user: tests on processors without AVX-512
libomp-dev: OpenMP's header for clang-tidy
"
[ "${1:-}" != --fuzzing ] || needs+="
clang: the compiler that has libFuzzer
libclang-rt-dev: libFuzzer and the sanitizers
"

if [ ! -r /etc/debian_version ] || ! command -v apt-get >/dev/null; then
  echo "This script knows Debian's apt only. Install the equivalents of:"
  echo "$needs"
  exit 2
fi

missing=()
while IFS=: read -r package why; do
  [ -n "$package" ] || continue
  if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
    missing+=("$package")
    echo "will install $package:$why"
  fi
done <<<"$needs"

if [ ${#missing[@]} -eq 0 ]; then
  echo "all packages are installed"
  exit 0
fi
sudo=""
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "needs root or sudo to install packages" >&2; exit 1; }
  sudo=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed ${#missing[@]} packages"
