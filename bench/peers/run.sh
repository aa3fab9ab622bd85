#!/usr/bin/env bash
# Training steps and generated frames, ours and PyTorch's in one run, with two threads each.
# Needs a Python with bench/peers/requirements.txt: PYTHON=/path/to/python bench/peers/run.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
export OMP_NUM_THREADS=2
rounds=${1:-3}
for round in $(seq "$rounds"); do
  echo "# round $round of $rounds: name, median s, fastest s"
  build/release/bench/model_bench
  for variant in rope_concat rope_film; do
    "$python" bench/peers/torch_model.py --time --variant "$variant"
  done
done
