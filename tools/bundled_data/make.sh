#!/usr/bin/env bash
# Makes data/textures and data/models again from nothing but the codec in data/codec.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TEXT'
tools/bundled_data/make.sh [--bin FOLDER] [--data FOLDER] textures|model [DSF_TRAIN_OPTION…]

  textures   400 sounds to train on and 100 for validation, by dsf_textures, encoded with
             FOLDER/codec/weights.pth: FOLDER/textures (some two minutes on two cores)
  model      trains CONFIG on them, by dsf_train with the options given, and stores the weights of
             the best checkpoint as FOLDER/models/textures.safetensors

  --bin FOLDER     where the programs are (build/release)
  --data FOLDER    data to make (data)
  --config FILE    what `model` trains (configs/bundled.yaml, if there is one, else
                   configs/params_med.yaml)
  --count N        sounds of each class to train on (100); a quarter as many validate

A training that was ended goes on where it stopped, if it is called again with --resume among the
options. Sizes are checked at the end: textures 3 MB, models 6 MB, codec 4 MB at most.
TEXT
}

bin=build/release data=data count=100 config=configs/params_med.yaml what=""
[ ! -e configs/bundled.yaml ] || config=configs/bundled.yaml
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin=${2:?--bin takes a folder}; shift ;;
    --data) data=${2:?--data takes a folder}; shift ;;
    --config) config=${2:?--config takes a file}; shift ;;
    --count) count=${2:?--count takes a number}; shift ;;
    --help|-h) usage; exit 0 ;;
    textures|model) what=$1; shift; break ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$what" ] || { usage >&2; exit 2; }
export DSF_DATA=$data
for program in dsf_textures dsf_codec dsf_train dsf_convert; do
  [ -x "$bin/$program" ] || { echo "no $bin/$program: build first, or --bin FOLDER" >&2; exit 2; }
done
[ -e "$data/codec/weights.pth" ] || { echo "no $data/codec/weights.pth: tools/codec_training makes it" >&2; exit 2; }

# As `git` would add them: file by file, not by the blocks of a disk.
check_size() {  # FOLDER MEGABYTES
  local bytes
  bytes=$(find "$1" -type f -printf '%s\n' | awk '{sum += $1} END {print sum + 0}')
  echo "$1: $bytes bytes"
  [ "$bytes" -le $(($2 * 1000000)) ] || { echo "$1: more than $2 MB" >&2; exit 1; }
}

make_textures() {
  [ $# -eq 0 ] || { echo "textures takes no options behind it: $*" >&2; usage >&2; exit 2; }
  local sounds made
  sounds=$(mktemp -d) made=$sounds/textures
  trap "rm -rf '$sounds'" EXIT
  "$bin/dsf_textures" --out "$sounds" --count "$count" --validation-count $(((count + 3) / 4))
  mkdir "$made"
  for side in train val; do
    "$bin/dsf_codec" encode "$sounds/$side-wav" --output "$made/dac-$side" --mono --weights bundled
    # The sounds themselves are not kept, so the frame does not name them.
    cut -d, -f2- "$sounds/dac-$side.csv" >"$made/dac-$side.csv"
  done
  check_size "$made" 3
  # What is there stays until all is made.
  rm -rf "$data/textures"
  mv "$made" "$data/textures"
}

make_model() {
  "$bin/dsf_train" "$config" --set "data_dir=$data/textures/dac-train" \
    --set "validator_data_dir=$data/textures/dac-val" --set experiment=bundled_model --set codec=bundled "$@"
  mkdir -p "$data/models"
  "$bin/dsf_convert" "runs/bundled_model/best.safetensors" "$data/models/textures.safetensors" --weights-only --codec bundled
  check_size "$data/models" 6
}

"make_$what" "$@"
check_size "$data/codec" 4
