#!/usr/bin/env python3
"""What is fast and how fast it could be: a table of works beside the machine's limits, measured in
the same run, and beside current PyTorch where a Python that has it is named.

  bench/limits_table.py [--rounds 5] [--peers PYTHON] [--only PART …] [--output FILE]

A round runs every program once, ours and the peers' in turn; the table has the medians of the
rounds' medians and, in brackets, the least and the most of a round. A ratio is the median of the
rounds' ratios. Two threads each. A round takes some four minutes on 2 cores, twice that with peers.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "build" / "release" / "bench"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "2"}

# Name of a work as our benches print it: what was asked of it, and of which kind that is: share of
# the limit that binds, seconds of a second of sound, or neither.
ASKED = {
    "train_step/params/rope_concat": ("share", 75), "train_step/params/postnorm_concat": ("share", 75),
    "train_step/params/rope_film": ("share", 75), "train_step/params/rope_adaln": ("share", 75),
    "train_step/params/streaming": ("share", 75),
    "train_step/params_sm/rope_concat": (None, None), "train_step/params_sm/rope_film": (None, None),
    "frame/params/streaming": ("share", 85), "frame/params/streaming/bf16_weights": ("share", 70),
    "frame/params/streaming/int8_weights": ("share", 40),
    "frame/params/rope_concat": ("share", 75), "frame/params/rope_film": ("share", 75),
    "decode/official/whole": ("real time", 2.7), "encode/official/whole": ("real time", 5.5),
    "decode/official/streamed_by_8": (None, None), "decode/official/plain_whole": (None, None),
    "sound/official/streamed_by_8": (None, None), "sound/official/streamed_by_36": (None, None),
    "sound/official/streamed_by_144": ("real time", 2.0),
    "bf16_step/params/rope_concat": (None, None), "bf16_step/params/rope_film": (None, None),
    "bf16_step/params/streaming": (None, None), "decode/official/bf16_whole": ("real time", 4.5),
    "sound/official/streamed_by_144/bf16": ("real time", 3.5),
}
# Ours, the peer's, how many times as fast we were to be.
RATIOS = [
    ("train_step/params/rope_concat", "train_step/params/rope_concat/torch_eager", 2),
    ("train_step/params/rope_film", "train_step/params/rope_film/torch_eager", 2),
    ("bf16_step/params/rope_concat", "train_step/params/rope_concat/torch_eager", 3.5),
    ("bf16_step/params/rope_film", "train_step/params/rope_film/torch_eager", 3.5),
    ("train_step/params_sm/rope_concat", "train_step/params_sm/rope_concat/torch_eager", 5),
    ("train_step/params_sm/rope_film", "train_step/params_sm/rope_film/torch_eager", 5),
    ("train_step/params/rope_concat", "train_step/params/rope_concat/torch_compiled", None),
    ("train_step/params_sm/rope_concat", "train_step/params_sm/rope_concat/torch_compiled", None),
    ("frame/params/rope_concat", "frame/params/rope_concat/torch_eager", None),
    ("frame/params/rope_concat", "frame/params/rope_concat/torch_compiled", None),
    ("frame/params/streaming", "frame/params/streaming/torch_cached", None),
    ("frame/params/streaming", "frame/params/streaming/torch_cached_compiled", None),
    ("decode/official/whole", "decode/official/torch_eager", None),
    ("decode/official/whole", "decode/official/onnxruntime", 1.5),
    ("decode/official/plain_whole", "decode/official/onnxruntime", 1.5),
    ("decode/official/streamed_by_8", "decode/official/whole", 1 / 1.2),
    ("decode/official/streamed_by_8", "decode/official/plain_whole", None),
]
OURS = [["model_bench", "train_step/params"], ["model_bench", "frame/params/"],
        ["model_bench", "bf16_step/params/rope_concat"], ["model_bench", "bf16_step/params/rope_film"],
        ["model_bench", "bf16_step/params/streaming"],
        ["codec_bench", "official/whole"], ["codec_bench", "official/plain_whole"],
        ["codec_bench", "official/bf16_whole"],
        ["codec_bench", "decode/official/streamed_by_8"], ["codec_bench", "sound/official"],
        ["live_bench", "--seconds", "20"], ["limits_bench"]]
PEER_FRAMES = 128  # that decoders decode at once, as ours do
DECODER = ["torch_codec.py", "--frames", str(PEER_FRAMES)]
PEERS = [["torch_model.py", "--time", "--variant", "rope_concat"],
         ["torch_model.py", "--time", "--variant", "rope_film"], DECODER + ["--time"],
         DECODER + ["--time-onnx"], ["torch_cached.py"], ["torch_cached.py", "--compile"],
         ["torch_model.py", "--time", "--variant", "rope_concat", "--compile"]]
PEER_DECODERS = ("decode/official/torch_eager", "decode/official/onnxruntime")
PEER_SOUND = PEER_FRAMES * 512 / 44100  # seconds of it
LINE = re.compile(r"^(\w+/[\w/]+) ([\d.]+)(?: ([\d.]+) (\d+)%  # of (\d+) GFLOP/s, ([\d.]+) GB/s)?")
PEAK = re.compile(r"^multiply_add/(\w+) (\d+) G/s")
CHANGED = re.compile(r"^command to first changed sample played.* median (\d+) ms")


def run(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def start_to_first_sample():
    command = [ROOT / "build/release/dsf_infer", "--stream", "--quiet"]
    begin = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          env=ENVIRONMENT) as program:
        beginning = program.stdout.read(46)  # a WAV's header and a sample
        seconds = time.monotonic() - begin
        program.stdout.close()
    if len(beginning) < 46:
        sys.exit(f"{' '.join(map(str, command))}: no sound")
    return seconds


class Round:
    def __init__(self):
        self.seconds, self.shares, self.limits, self.peaks = {}, {}, [], {}

    def take(self, output):
        for line in output.splitlines():
            if found := PEAK.match(line):
                self.peaks[found.group(1)] = float(found.group(2))
            elif found := LINE.match(line):
                name, median, _, share, flops, gigabytes = found.groups()
                name = name.replace("/fp32", "")
                self.seconds[name] = float(median)
                if name in PEER_DECODERS:
                    self.seconds[name] /= PEER_SOUND
                if share:  # of the fastest call; here, of the median one
                    self.shares[name] = float(share) * float(found.group(3)) / float(median)
                    self.limits.append((float(flops), float(gigabytes), name))
            elif found := CHANGED.match(line):
                self.seconds["control/changed"] = float(found.group(1)) / 1000


def spread(values, show):
    return f"{show(statistics.median(values))} ({show(min(values))} … {show(max(values))})"


def of(rounds, values):
    return [values(r) for r in rounds if values(r) is not None]


def duration(seconds):
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.2f} ms"


def rows(rounds):
    for name, (kind, asked) in ASKED.items():
        seconds = of(rounds, lambda r: r.seconds.get(name))
        if not seconds:
            continue
        shares = of(rounds, lambda r: r.shares.get(name))
        got, reached = "", ""
        if shares:
            got = spread(shares, lambda v: f"{v:.0f}") + " % of the limit"
        if kind == "share":
            reached = "yes" if statistics.median(shares) >= asked else "**no**"
            asked = f"{asked} %"
        elif kind == "real time":
            reached = "yes" if 1 / statistics.median(seconds) >= asked else "**no**"
            got = spread([1 / s for s in seconds], lambda v: f"{v:.2f}") + " × real time, " + got
            asked = f"{asked} ×"
        yield name, spread(seconds, duration), got, asked or "", reached
    for name, limit in (("control/changed", 0.150), ("start/first_sample", 0.5)):
        seconds = of(rounds, lambda r: r.seconds.get(name))
        if seconds:
            reached = "yes" if statistics.median(seconds) <= limit else "**no**"
            yield name, spread(seconds, duration), "", duration(limit), reached


def ratio_rows(rounds):
    for ours, theirs, asked in RATIOS:
        ratios = of(rounds, lambda r: r.seconds[theirs] / r.seconds[ours]
                    if theirs in r.seconds and ours in r.seconds else None)
        if ratios:
            wanted = "" if asked is None else f"{asked:.2f} ×"
            reached = "" if asked is None else (
                "yes" if statistics.median(ratios) >= asked else "**no**")
            yield ours, theirs, spread(ratios, lambda v: f"{v:.2f}"), wanted, reached


def table(rounds):
    flops = [limit[0] for r in rounds for limit in r.limits]
    gigabytes = [limit[1] for r in rounds for limit in r.limits if "/streaming" not in limit[2]]
    lines = [f"{len(rounds)} rounds; limits measured in them: {spread(flops, lambda v: f'{v:.0f}')} "
             f"GFLOP/s in float32, {spread(gigabytes, lambda v: f'{v:.1f}')} GB/s read; frames of "
             "one stream are beside the bandwidth of a buffer of their weights' and rings' size.",
             *["Multiply-adds on registers, G/s: " + "; ".join(
                 f"{kind} {spread(of(rounds, lambda r: r.peaks.get(kind)), lambda v: f'{v:.0f}')}"
                 for kind in rounds[0].peaks) + "."] * bool(rounds[0].peaks), "",
             "| work | time | of its limit | asked | reached |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows(rounds)]
    lines += ["", "| work | beside | times as fast | asked | reached |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in ratio_rows(rounds)]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", metavar="PYTHON", help="with bench/peers/requirements.txt")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART",
                        help="programs whose command has one of these parts")
    parser.add_argument("--output", metavar="FILE", help="for the table, beside standard output")
    arguments = parser.parse_args()
    commands = [[BENCH / command[0], *command[1:]] for command in OURS]
    if arguments.peers:
        commands += [[arguments.peers, ROOT / "bench/peers" / command[0], *command[1:]]
                     for command in PEERS]
    commands = [c for c in commands
                if any(part in " ".join(map(str, c)) for part in arguments.only)]
    rounds = []
    for number in range(arguments.rounds):
        rounds.append(Round())
        for command in commands:
            print(f"round {number + 1}: {' '.join(map(str, command[-3:]))}", file=sys.stderr)
            rounds[-1].take(run(command))
        if "" in arguments.only:
            rounds[-1].seconds["start/first_sample"] = start_to_first_sample()
        text = table(rounds)
        if arguments.output:  # after each round, so that none is lost with a later one
            pathlib.Path(arguments.output).write_text(text)
    print(text)


if __name__ == "__main__":
    main()
