#!/usr/bin/env bash
# Makes data/textures and data/models again from nothing but the codec in data/codec.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TEXT'
tools/bundled_data/make.sh [--bin FOLDER] [--data FOLDER] textures|more|model [DSF_TRAIN_OPTION…]

  textures   400 sounds to train on and 100 for validation, by dsf_textures, encoded with
             FOLDER/codec/weights.pth: FOLDER/textures (some two minutes on two cores)
  more       1600 sounds to train on, the same way, into runs/bundled_sounds: they do not come with
             dsf, but its model is trained on them (some four minutes)
  model      trains CONFIG on these, by dsf_train with the options given, validates it on the 100
             and stores the weights of the best checkpoint as FOLDER/models/textures.safetensors

  --bin FOLDER     where the programs are (build/release)
  --data FOLDER    data to make (data)
  --config FILE    what `model` trains (configs/bundled.yaml, if there is one, else
                   configs/params_med.yaml)

A training that was ended goes on where it stopped, if it is called again with --resume among the
options. Sizes are checked at the end: textures 3 MB, models 6 MB, codec 4 MB at most.
TEXT
}

bin=build/release data=data config=configs/params_med.yaml what=""
[ ! -e configs/bundled.yaml ] || config=configs/bundled.yaml
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin=${2:?--bin takes a folder}; shift ;;
    --data) data=${2:?--data takes a folder}; shift ;;
    --config) config=${2:?--config takes a file}; shift ;;
    --help|-h) usage; exit 0 ;;
    textures|more|model) what=$1; shift; break ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$what" ] || { usage >&2; exit 2; }
export DSF_DATA=$data
more=runs/bundled_sounds
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

# $1 sounds of each class to train on and $2 for validation, encoded: $made.
make_sounds() {
  sounds=$(mktemp -d) made=$sounds/textures
  trap 'rm -rf "$sounds"' EXIT
  "$bin/dsf_textures" --out "$sounds" --count "$1" --validation-count "$2"
  mkdir "$made"
  for side in train val; do
    [ -e "$sounds/dac-$side.csv" ] || continue
    "$bin/dsf_codec" encode "$sounds/$side-wav" --output "$made/dac-$side" --mono --weights bundled
    # The sounds themselves are not kept, so the frame does not name them.
    cut -d, -f2- "$sounds/dac-$side.csv" >"$made/dac-$side.csv"
  done
}

# What is there stays until all is made.
put() {  # FOLDER
  mkdir -p "$(dirname "$1")"
  rm -rf "$1"
  mv "$made" "$1"
}

no_options() {
  [ $# -eq 0 ] || { echo "$what takes no options behind it: $*" >&2; usage >&2; exit 2; }
}

make_textures() {
  no_options "$@"
  make_sounds 100 25
  check_size "$made" 3
  put "$data/textures"
}

make_more() {
  no_options "$@"
  make_sounds 400 0
  put "$more"
}

make_model() {
  [ -d "$more" ] || { echo "no $more: tools/bundled_data/make.sh more makes it" >&2; exit 2; }
  "$bin/dsf_train" "$config" --set "data_dir=$more/dac-train" \
    --set "validator_data_dir=$data/textures/dac-val" --set experiment=bundled_model --set codec=bundled "$@"
  mkdir -p "$data/models"
  "$bin/dsf_convert" "runs/bundled_model/best.safetensors" "$data/models/textures.safetensors" --weights-only --codec bundled
  check_size "$data/models" 6
}

"make_$what" "$@"
check_size "$data/codec" 4
