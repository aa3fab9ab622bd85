"""The codec beside the `dac` package (PyPI: descript-audio-codec 1.0.0), by numbers.

Needs a build of dsf and Python with torch, numpy, soundfile and descript-audio-codec; nothing of
dsf itself needs any of them.

    with_dac.py --bin build/release [WAV...]

The codec has the official one's size (44.1 kHz, 9 codebooks of 1024, 76 million weights) and
random weights, made on the spot. Without files two sounds are made: 3 s, encoded whole, and 11 s,
encoded in windows of 5 s. For each sound, with 4 and with all codebooks:

codes     Which of our codes differ from the package's where its two nearest codewords are more
          than 1e-6 apart (the later codebooks of a frame follow from the earlier ones: they are
          compared up to the first difference). The package's own codes in double precision tell
          how far float32 itself goes.
sound     The package's .dac decoded by us, and ours by the package, beside the package's own, and
          both beside the package in double precision: random weights amplify float32's rounding.

Sound goes in at the codec's rate and as it is (no loudness normalisation), then at -16 LUFS as
`dac encode` does; the package measures loudness in float32, so that there codes may differ. Exit code 1 if a figure is above its limit.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import soundfile
import torch

# torchaudio refuses a torch that was built for another CUDA; only code for CPUs runs here.
torch.version.cuda = None
import dac  # noqa: E402
from audiotools import AudioSignal  # noqa: E402

SEED = 1
WINDOW_SECONDS = 5.0
LEAST_GAP = 1e-6    # of squared distances between unit vectors
SOUND_LIMIT = 1e-4  # of samples in [-1, 1]


def random_codec():
    """DAC of the official size whose activations neither die nor grow: unit gain in each layer."""
    torch.manual_seed(SEED)
    model = dac.DAC()
    for layer in model.modules():
        if not isinstance(layer, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            continue
        direction = layer.weight_v
        inputs = direction[0].numel()
        if isinstance(layer, torch.nn.ConvTranspose1d):
            inputs = direction.shape[0] * direction.shape[2] // layer.stride[0]
        with torch.no_grad():
            direction.normal_(0, inputs ** -0.5)
            layer.weight_g.copy_(direction.flatten(1).norm(dim=1).view_as(layer.weight_g))
            layer.bias.normal_(0, 0.01)
    model.eval()
    last = [layer for layer in model.decoder.modules() if isinstance(layer, torch.nn.Conv1d)][-1]
    codes = torch.randint(0, 1024, (1, 9, 50))
    with torch.no_grad():  # far from where tanh saturates and would hide differences
        spread = torch.atanh(model.decode(model.quantizer.from_codes(codes)[0])
                             .clamp(-0.999, 0.999)).std()
        last.weight_g.mul_(0.1 / spread)
    return model


def made_sounds(folder):
    """Noise in bursts over a gliding tone: nothing that repeats, nothing silent."""
    random = np.random.default_rng(SEED)
    paths = []
    for seconds in (3, 11):
        t = np.arange(seconds * 44100) / 44100
        noise = random.normal(size=t.size) * (0.02 + 0.15 * np.sin(2 * np.pi * 1.3 * t) ** 8)
        tone = 0.1 * np.sin(2 * np.pi * (200 * t + 300 * t ** 2 / seconds))
        paths.append(folder / f"made_{seconds}s.wav")
        soundfile.write(paths[-1], np.clip(noise + tone, -1, 1), 44100, subtype="PCM_16")
    return paths


class Gaps:
    """How far apart the two nearest codewords were, for every code that a model chooses."""

    def __init__(self, model):
        self.per_codebook = [[] for _ in model.quantizer.quantizers]
        for quantizer, gaps in zip(model.quantizer.quantizers, self.per_codebook):
            quantizer.in_proj.register_forward_hook(
                lambda _, __, latents, q=quantizer, to=gaps: to.append(self.gaps(latents, q)))

    @staticmethod
    def gaps(latents, quantizer):
        unit = torch.nn.functional.normalize(latents[0].T.double())
        words = torch.nn.functional.normalize(quantizer.codebook.weight.double())
        nearest = torch.topk(unit @ words.T, 2, dim=1).values
        return 2 * (nearest[:, 0] - nearest[:, 1])

    def take(self):
        """[codebooks, frames]; begins anew."""
        gaps = [torch.cat(parts).numpy() for parts in self.per_codebook if parts]
        for parts in self.per_codebook:
            parts.clear()
        return np.stack(gaps)


def differing(ours, theirs, gaps):
    """Frames that differ though the codewords do not tie, those after a tie, and the widest gap."""
    wrong, ties, widest = 0, 0, 0.0
    for frame in range(theirs.shape[1]):
        unequal = np.flatnonzero(ours[:, frame] != theirs[:, frame])
        if unequal.size == 0:
            continue
        widest = max(widest, gaps[unequal[0], frame])
        tie = gaps[unequal[0], frame] <= LEAST_GAP
        ties += tie
        wrong += not tie
    return wrong, ties, widest


class Report:
    def __init__(self):
        self.failed = False

    def add(self, text, figure, limit):
        above = not figure <= limit
        self.failed |= above
        print(f"{text}: {figure:.3g}, limit {limit:.3g}, {'ABOVE' if above else 'ok'}", flush=True)


class Comparison:
    def __init__(self, bin_dir, folder, report):
        self.dsf_codec, self.folder, self.report = bin_dir / "dsf_codec", folder, report
        self.model = random_codec()
        self.weights = folder / "weights.pth"
        self.model.save(self.weights, package=False)
        self.gaps = Gaps(self.model)
        self.double = dac.DAC().eval().double()
        self.double.load_state_dict(self.model.state_dict())
        self.double.encoder.register_forward_pre_hook(lambda _, sound: (sound[0].double(),))

    def run(self, *words):
        words = [str(word) for word in (self.dsf_codec, *words, "--weights", self.weights)]
        result = subprocess.run(words, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"{' '.join(words)} failed:\n{result.stdout}{result.stderr}")

    def compress(self, model, path, normalize_db, n_quantizers):
        signal = AudioSignal(str(path))
        file = model.compress(signal, WINDOW_SECONDS, normalize_db=normalize_db,
                              n_quantizers=n_quantizers)
        return file, file.codes[0].numpy()

    def compare(self, path, normalize_db, n_quantizers):
        name = (f"{path.name}, {n_quantizers or 'all'} codebooks, "
                f"{'as it is' if normalize_db is None else f'{normalize_db} LUFS'}")
        theirs, codes = self.compress(self.model, path, normalize_db, n_quantizers)
        gaps = self.gaps.take()
        self.run("encode", path, "--output", self.folder / "ours", "--overwrite",
                 "--win-duration", WINDOW_SECONDS, "--n-quantizers", n_quantizers or 9,
                 "--normalize-db", "off" if normalize_db is None else normalize_db)
        our_path = self.folder / "ours" / path.with_suffix(".dac").name
        ours = dac.DACFile.load(our_path)
        for key in ("chunk_length", "original_length", "channels", "sample_rate", "padding"):
            if getattr(ours, key) != getattr(theirs, key):
                self.report.add(f"{name}: {key} {getattr(ours, key)}, the package's "
                                f"{getattr(theirs, key)}", float("inf"), 0)
        wrong, ties, widest = differing(ours.codes[0].numpy(), codes, gaps)
        said = f"{name}, {'whole' if theirs.padding else 'in windows'}, {codes.shape[1]} frames"
        if normalize_db is None:
            _, exact = self.compress(self.double, path, normalize_db, n_quantizers)
            said += (f" (of them other than in double precision: ours "
                     f"{np.any(ours.codes[0].numpy() != exact, 0).sum()}, the package's "
                     f"{np.any(codes != exact, 0).sum()})")
            self.report.add(f"{said}: frames with another code without a tie ({ties} with one)",
                            wrong, 0)
        else:
            print(f"{said}: {wrong + ties} with another code, where the nearest codewords are at "
                  f"most {widest:.1e} apart: the package's loudness is of float32")
        self.compare_sound(name, path, theirs, ours)

    def compare_sound(self, name, path, theirs, ours):
        their_path = self.folder / "theirs" / path.with_suffix(".dac").name
        their_path.parent.mkdir(exist_ok=True)
        theirs.save(their_path)
        self.run("decode", their_path, "--output", self.folder / "wav", "--format", "wavfloat")
        decoded, _ = soundfile.read(self.folder / "wav" / path.name, dtype="float32")
        expected = self.model.decompress(theirs).audio_data[0, 0].numpy()
        exact = self.double.decompress(theirs).audio_data[0, 0].numpy()
        self.report.add(f"{name}: the package's .dac decoded by us, largest difference (of "
                        f"{np.abs(expected).max():.2f}; from double precision: ours "
                        f"{np.abs(decoded - exact).max():.1e}, the package's "
                        f"{np.abs(expected - exact).max():.1e})",
                        np.abs(decoded - expected).max(), SOUND_LIMIT)
        ours.codes = theirs.codes  # ties apart, and what decoding takes from the file stays ours
        expected_of_ours = self.model.decompress(ours).audio_data[0, 0].numpy()
        self.report.add(f"{name}: our .dac decoded by the package, likewise",
                        np.abs(expected_of_ours - decoded).max(), SOUND_LIMIT)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of dsf's programs")
    parser.add_argument("wav", nargs="*", type=pathlib.Path, help="mono, at 44.1 kHz")
    arguments = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        comparison = Comparison(arguments.bin.resolve(), folder, report)
        for path in arguments.wav or made_sounds(folder):
            for normalize_db, n_quantizers in ((None, 4), (None, None), (-16, 4)):
                comparison.compare(path, normalize_db, n_quantizers)
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
