#!/usr/bin/env bash
# Makes data/textures and data/models again from nothing but the codec in data/codec.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
  cat <<'TEXT'
tools/bundled_data/make.sh [--bin FOLDER] [--data FOLDER] textures|more|model [DSF_TRAIN_OPTION…]

  textures   400 sounds to train on and 100 for validation, by dsf_textures, encoded with
             FOLDER/codec/weights.pth: FOLDER/textures (some two minutes on two cores)
  more       3012 sounds of 20 s to train on and 60 for validation, into runs/bundled_sounds: they do
             not come with dsf, but its model is trained on them (some 25 minutes on two cores,
             1.8 GB of TMPDIR)
  model      trains CONFIG on these, by dsf_train with the options given, and stores the weights of
             the best checkpoint, rounded to bf16, as FOLDER/models/textures.safetensors

  --bin FOLDER     where the programs are (build/release)
  --data FOLDER    data to make (data)
  --config FILE    what `model` trains (configs/bundled.yaml)

A training that was ended goes on where it stopped, if it is called again with --resume among the
options. Sizes are checked at the end: textures 3 MB, models 6 MB, codec 4 MB at most.
TEXT
}

bin=build/release data=data config=configs/bundled.yaml what=""
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

make_textures() {
  no_options "$@"
  sounds=$(mktemp -d) made=$sounds/textures
  trap 'rm -rf "$sounds"' EXIT
  "$bin/dsf_textures" --out "$sounds" --count 100 --validation-count 25
  mkdir "$made"
  for side in train val; do
    "$bin/dsf_codec" encode "$sounds/$side-wav" --output "$made/dac-$side" --mono --weights bundled
    # The sounds themselves are not kept, so the frame does not name them.
    cut -d, -f2- "$sounds/dac-$side.csv" >"$made/dac-$side.csv"
  done
  check_size "$made" 3
  put "$data/textures"
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

# $1 sounds of 20 s of each class from seed $2 on, encoded in one piece each (in windows the last would
# be filled up with silence, which a model learns) into $made/$3; their names get $4.
make_long_sounds() {
  local sounds file
  sounds=$(mktemp -d -p "$made")
  "$bin/dsf_textures" --out "$sounds" --count "$1" --validation-count 0 --seconds 20 --seed "$2"
  "$bin/dsf_codec" encode "$sounds/train-wav" --output "$sounds/dac" --mono --weights bundled --win-duration 25
  mkdir -p "$made/$3"
  for file in "$sounds"/dac/*.dac; do
    mv "$file" "$made/$3/$(basename "${file/--x-/--x-$4}")"
  done
  rm -rf "$sounds"
}

make_more() {
  no_options "$@"
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  chmod 755 "$made"
  make_long_sounds 250 5000 dac-train ""
  make_long_sounds 251 105000 dac-train 1
  make_long_sounds 252 205000 dac-train 2
  make_long_sounds 15 900000 dac-val ""
  put "$more"
}

make_model() {
  [ -d "$more" ] || { echo "no $more: tools/bundled_data/make.sh more makes it" >&2; exit 2; }
  "$bin/dsf_train" "$config" --set "data_dir=$more/dac-train" \
    --set "validator_data_dir=$more/dac-val" --set experiment=bundled_model --set codec=bundled "$@"
  mkdir -p "$data/models"
  "$bin/dsf_convert" "runs/bundled_model/best.safetensors" "$data/models/textures.safetensors" --weights-only \
    --dtype bf16 --codec bundled
  check_size "$data/models" 6
}

"make_$what" "$@"
check_size "$data/codec" 4
