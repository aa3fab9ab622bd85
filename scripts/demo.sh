#!/usr/bin/env bash
# From a fresh clone to sound, in one command.
set -euo pipefail
# From where the caller stands; the programs read it too.
[ -z "${DSF_DATA:-}" ] || DSF_DATA=$(realpath -m -- "$DSF_DATA")
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
scripts/demo.sh [--no-install] [--minutes M]

  1. installs missing Debian packages (apt; sudo where needed)
  2. builds dsf_train, dsf_infer and dsf_codec (in build/release, as it is configured, if that is
     there, else for the CPU alone in build/demo); all that follows is done on the CPU
  3. trains a small model on data/textures for M minutes (2), in whole epochs: configs/demo.yaml,
     into runs/demo-…
  4. generates 10 s from that model and 10 s from the bundled one, into out/demo-…
  5. names the WAV and PNG files, and says how long each step took

On 2 cores some five minutes where nothing is installed or built yet, else the training's. Nothing is
fetched but Debian's packages. The data, the codec and the model are those in data/, or in the folder
that the environment variable DSF_DATA names.
TEXT
}

install=1 minutes=2
while [ $# -gt 0 ]; do
  case "$1" in
    --no-install) install=0 ;;
    --minutes) minutes=${2:-}; [ $# -lt 2 ] || shift ;;
    --help|-h) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
awk -v m="$minutes" 'BEGIN {exit !(m ~ /^[0-9]*[.]?[0-9]+$/ && m > 0)}' ||
  { echo "--minutes '$minutes': expected a number above 0" >&2; exit 2; }

data=${DSF_DATA:-data}
for needed in codec/weights.pth textures/dac-train textures/dac-val models/textures.safetensors; do
  [ -e "$data/$needed" ] || { echo "$data/$needed is not there: tools/bundled_data/README.md says how it is made" >&2; exit 2; }
done

name=demo-$(date +%Y%m%d-%H%M%S)
out=out/$name
times=()
step() {  # NAME COMMAND…
  local begin=$SECONDS what=$1
  shift
  printf '\n== %s (%s s so far)\n' "$what" "$begin"
  "$@"
  times+=("$(printf '%5d s  %s' $((SECONDS - begin)) "$what")")
}

build() {
  if [ -e build/release/build.ninja ]; then
    bin=build/release
    cmake --build --preset release --parallel "$(nproc)" --target dsf_train dsf_infer dsf_codec
  else
    bin=build/demo
    cmake --preset demo >/dev/null
    cmake --build --preset demo --parallel "$(nproc)"
  fi
}
train() {  # a data_dir without its codec is warned of
  "$bin/dsf_train" configs/demo.yaml --minutes "$minutes" --set "experiment=$name" \
    --set "data_dir=$data/textures/dac-train" --set "validator_data_dir=$data/textures/dac-val" \
    --set codec=bundled
}
generate_fresh() { "$bin/dsf_infer" "runs/$name" --morph tour --out "$out"; }
generate_bundled() { "$bin/dsf_infer" --out "$out"; }

echo "Installs what is missing, builds, trains $minutes min, generates twice 10 s (--help says more)"
[ "$install" -eq 0 ] || step "Installing what is missing" scripts/install_dependencies.sh --programs
step "Building the programs" build
step "Training a small model for $minutes min, in whole epochs" train
step "Generating from this model" generate_fresh
step "Generating from the bundled model" generate_bundled

printf '\n== Done\n'
printf '%s\n' "${times[@]}"
printf '%5d s  in all\n' "$SECONDS"
echo
echo "from the model just trained: $out/$name-tour-seed0.wav, and .png (after few epochs it is faint"
echo "                             in places: more --minutes)"
echo "from the bundled model:      $out/textures-tour-seed0.wav, and .png"
for sound in "$out/$name-tour-seed0" "$out/textures-tour-seed0"; do
  ls "$sound.wav" "$sound.png" >/dev/null
done
