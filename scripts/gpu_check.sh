#!/usr/bin/env bash
# Everything that needs a GPU, in one command of at most nine minutes. Made in two parts, as the
# machine with the GPU may have nothing but CUDA: a bundle of programs, libraries and cases, and
# the check that runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
scripts/gpu_check.sh --bundle [FOLDER]       where dsf is built (preset release or release-cuda):
                                             puts what the check needs into FOLDER (build/gpu_bundle)
                                             and, a third of the size, FOLDER.tar.xz
scripts/gpu_check.sh [FOLDER [REPORT_FOLDER]]
                                             on a machine with a GPU, cuBLAS, cuDNN (or without) and
                                             compute-sanitizer:
                                             checks, times and writes REPORT_FOLDER/report.md
                                             (build/gpu_report) and the logs

The check: op cases against the CPU; golden cases in fp32, TF32 and bf16, and through cuDNN;
training, generation and decoding against the CPU, 200 training steps among them; errors, times and
rates of ops, times of training steps, frames and decoded sound; PyTorch's of the same where there
is a python3 with it, and how many times ours they are; compute-sanitizer's four tools.
Exit code: 0 all well, 1 something failed (the report says what), 2 misused.
TEXT
}

make_bundle() {
  local folder=$1 build=build/release program
  [ -x "$build/tests/dsf_gpu_tests" ] || build=build/release-cuda
  [ -x "$build/tests/dsf_gpu_tests" ] || { echo "no dsf_gpu_tests in build/: build with nvcc first" >&2; exit 2; }
  echo "Putting programs, libraries and cases into $folder"
  rm -rf "$folder"
  mkdir -p "$folder/bin" "$folder/lib" "$folder/data"
  for program in tests/dsf_gpu_tests bench/side_by_side dsf_check; do
    cp "$build/$program" "$folder/bin/"
    strip --strip-debug "$folder/bin/$(basename "$program")"
  done
  # All libraries but the C library's and CUDA's, which the other machine has.
  for program in "$folder"/bin/*; do ldd "$program"; done | awk '$2 == "=>" && $3 ~ /^\// {print $3}' |
    sort -u | grep -vE '/(libc|libm|libdl|librt|libpthread|libcuda|libcublas.*|libcudart.*|libcudnn.*)\.so' |
    xargs -I{} cp -L {} "$folder/lib/"
  cp -r tests/data/transformer tests/data/dac "$folder/data/"
  rm -f "$folder"/data/dac/*.dac
  if [ -d ../shared/golden ]; then
    cp -r ../shared/golden/transformer/*_{small,odd} "$folder/data/transformer/"
    cp -r ../shared/golden/dac/oddrates "$folder/data/dac/"
  else
    echo "SKIPPED: larger golden cases: ../shared/golden is not here"
  fi
  chmod -R u+w "$folder"
  cp -r bench/peers "$folder/peers"
  echo "Packing $folder.tar.xz (a minute)"
  tar -C "$(dirname "$folder")" -cJf "$folder.tar.xz.part" "$(basename "$folder")"
  mv "$folder.tar.xz.part" "$folder.tar.xz"
  du -sh "$folder" "$folder.tar.xz"
}

case "${1:-}" in
  --help|-h) usage; exit 0 ;;
  --bundle) make_bundle "${2:-build/gpu_bundle}"; exit 0 ;;
  -*) echo "unknown argument: $1" >&2; usage >&2; exit 2 ;;
esac

bundle=${1:-build/gpu_bundle} report=${2:-build/gpu_report}
[ -x "$bundle/bin/dsf_gpu_tests" ] || { echo "$bundle: no bundle; make one with --bundle" >&2; exit 2; }
bundle=$(cd "$bundle" && pwd)
mkdir -p "$report"
report=$(cd "$report" && pwd)
# Where nvcc or PyTorch's packages keep cuBLAS; without such packages the second adds nothing.
cuda_libraries=/usr/local/cuda/lib64
for folder in $(python3 -c 'import nvidia, glob; print(*glob.glob(list(nvidia.__path__)[0] + "/*/lib"))' 2>/dev/null || true); do
  cuda_libraries=$cuda_libraries:$folder
done
# For the bundle's programs alone: python3 and the driver's tools want their own machine's libraries.
libraries=(env "LD_LIBRARY_PATH=$bundle/lib:$cuda_libraries:${LD_LIBRARY_PATH:-}")
export DSF_TEST_DATA=$bundle/data

failed=0
summary=$report/summary.txt
: > "$summary"

# Where PyTorch was timed: its times beside those of side-by-side.log, of the same precision.
beside_pytorch() {
  [ -e "$report/side-by-side.log" ] || return 0
  cat "$report"/torch-*.log 2>/dev/null | awk '
    BEGIN { column["fp32"] = 4; column["tf32"] = 5; column["bf16"] = 6 }
    NR == FNR {
      split($0, cell, "|")
      name = cell[2]
      gsub(/^ | $/, "", name)
      for (precision in column) ours[name, precision] = cell[column[precision]]
      next
    }
    $1 ~ /\/torch_/ {
      name = $1
      sub(/\/torch_.*/, "", name)
      kind = $1
      sub(/.*\/torch_/, "", kind)
      split(kind, part, "/")
      mine = ours[name, part[2]]
      if (mine + 0 == 0) next
      if (!rows++) printf "\n| work | precision | ours ms | PyTorch | ms | × |\n|---|---|---|---|---|---|\n"
      printf "| %s | %s | %.4f | %s | %.4f | %.2f |\n", name, part[2], mine, part[1], 1000 * $2, 1000 * $2 / mine
    }' "$report/side-by-side.log" -
}

write_report() {
  local result=0
  {
    echo "# GPU check"
    echo
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader ||
      echo "nvidia-smi does not say what GPU this is"
    echo
    echo "| step | result | time |"
    echo "|---|---|---|"
    cat "$summary"
    echo
    echo "Losses of training steps:"
    echo
    grep -E '^\||losses differ' "$report/loss-curve.log" 2>/dev/null || echo "none"
    beside_pytorch || { echo "FAILED: PyTorch's times could not be set beside ours"; result=1; }
    for log in "$report"/side-by-side.log "$report"/convolutions.log "$report"/torch-*.log; do
      [ -e "$log" ] && { echo; echo "$(basename "$log" .log):"; echo; cat "$log"; }
    done
  } > "$report/report.md"
  cat "$report/report.md"
  return $result
}
trap 'code=$?; write_report || code=1; exit $code' EXIT  # also where time runs out

readonly kDeadline=530  # of nine minutes
# step NAME SECONDS COMMAND…: runs it with a limit, logs to NAME.log, notes how it ended.
step() {
  local name=$1 limit=$2 begin=$SECONDS code=0
  shift 2
  limit=$((limit < kDeadline - SECONDS ? limit : kDeadline - SECONDS))
  if [ "$limit" -le 0 ]; then
    echo "| $name | FAILED: no time was left | 0 s |" | tee -a "$summary"
    failed=1
    return
  fi
  timeout "$limit" "$@" > "$report/$name.log" 2>&1 || code=$?
  printf '| %s | %s | %s s |\n' "$name" "$([ $code -eq 0 ] && echo ok || echo "FAILED ($code)")" \
    $((SECONDS - begin)) | tee -a "$summary"
  [ $code -eq 0 ] || failed=1
}

step tests 120 "${libraries[@]}" "$bundle/bin/dsf_gpu_tests" --gtest_filter='-*LossCurve*'
if grep -q '^SKIPPED: no GPU' "$report/tests.log"; then
  echo "there is no GPU that CUDA can use: nothing is checked" >&2
  exit 1
fi
for precision in fp32 tf32 bf16; do
  step "golden-$precision" 40 "${libraries[@]}" "$bundle/bin/dsf_check" \
    --device cuda --precision $precision "$bundle"/data/*/*
done
through_cudnn=("${libraries[@]}" "$bundle/bin/dsf_check" --device cuda --convolutions cudnn)
no_cudnn=$({ "${through_cudnn[@]}" "$bundle/data/dac" 2>&1 || true; } | grep 'available: own$' || true)
if [ -n "$no_cudnn" ]; then
  echo "| cuDNN | SKIPPED: ${no_cudnn##*cudnn: } | |" | tee -a "$summary"
else
  step golden-cudnn 40 "${through_cudnn[@]}" "$bundle"/data/dac/*
  step convolutions 40 "${libraries[@]}" "$bundle/bin/side_by_side" --tiles
  if grep -q 'tf32.*no plan' "$report/convolutions.log"; then
    echo "| cuDNN's plans | FAILED: convolutions.log | |" | tee -a "$summary"
    failed=1
  fi
fi
step side-by-side 150 "${libraries[@]}" "$bundle/bin/side_by_side" --brief
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  time_torch=(--time --device cuda --precision fp32 tf32 bf16)
  step torch-eager 60 python3 "$bundle/peers/torch_model.py" "${time_torch[@]}"
  step torch-codec 40 python3 "$bundle/peers/torch_codec.py" "${time_torch[@]}"
  step torch-compiled 150 python3 "$bundle/peers/torch_model.py" "${time_torch[@]}" --compile
else
  echo "| PyTorch | SKIPPED: no python3 with PyTorch and a GPU | |" | tee -a "$summary"
fi
step loss-curve 120 "${libraries[@]}" "$bundle/bin/dsf_gpu_tests" --gtest_filter='*LossCurve*'
# What is not timed, side by side.
together() {
  (failed=0; step "$@"; exit $failed) &
  pids+=($!)
}
pids=()
if command -v compute-sanitizer > /dev/null; then
  checked='*OverwritesAs*:*CudaGeneration*:*StepsBehind*:*CudaConvolution*:*CudaStreamDecoder*-*Cudnn*'
  for tool in memcheck racecheck synccheck initcheck; do
    for shard in 0 1 2; do
      together "$tool-$shard" 240 "${libraries[@]}" GTEST_TOTAL_SHARDS=3 GTEST_SHARD_INDEX=$shard \
        compute-sanitizer --tool $tool --error-exitcode 1 \
        "$bundle/bin/dsf_gpu_tests" --gtest_filter="$checked"
    done
  done
else
  echo "| compute-sanitizer | SKIPPED: not here | |" | tee -a "$summary"
fi
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done

exit $failed
