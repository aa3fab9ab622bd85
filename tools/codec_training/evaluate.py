"""How well a codec keeps textures, per class, on sound that it was not trained on.

    dsf_textures --out held_out --count 6 --seconds 5 --seed 900000
    python tools/codec_training/evaluate.py held_out codec/weights.pth [OTHER.pth …]
    python tools/codec_training/evaluate.py held_out codec/weights.pth --picture spectra.png

log-mel      mean |Δ log10| of 80 mel bands (magnitudes, window 2048, hop 512)
envelope r   correlation of the envelopes (RMS of 10 ms)
onset r      correlation of the envelopes' rises
tonality     how far the spectrum's lines at multiples of the frame rate (sample rate / hop) stand
             above their surroundings, dB, the mean of the five highest; in brackets the original's
perplexity   of each codebook, over all sounds
"""
import argparse
import pathlib

import numpy as np
import torch

from data import Segments, class_of, read_wav
from losses import magnitudes, mel_filters
from model import Codec


def load(path):
    content = torch.load(path, weights_only=True)
    kwargs = content["metadata"]["kwargs"]
    codec = Codec(**{k: kwargs[k] for k in (
        "encoder_dim", "encoder_rates", "decoder_dim", "decoder_rates", "n_codebooks",
        "codebook_size", "codebook_dim", "sample_rate", "latent_dim")})
    names = {name.replace("parametrizations.weight.original0", "weight_g")
             .replace("parametrizations.weight.original1", "weight_v"): value.float()
             for name, value in content["state_dict"].items()}
    missing, unknown = codec.load_state_dict(names, strict=False)
    if unknown or any(not name.endswith((".count", ".sum")) for name in missing):
        raise SystemExit(f"{path}: {unknown or missing}")
    return codec.eval()


def log_mel(sound, rate):
    spectrum = magnitudes(torch.from_numpy(sound).view(1, 1, -1), 2048)[0]
    return torch.log10((mel_filters(2048, 80, rate, spectrum.device) @ spectrum).clamp(min=1e-5))


def envelope(sound, rate):
    width = rate // 100
    frames = sound[:len(sound) // width * width].reshape(-1, width)
    return np.sqrt((frames ** 2).mean(1))


def correlation(a, b):
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else float("nan")


def tonality(sound, rate, hop=512):
    """The power spectrum at some 2.7 Hz, averaged; lines at the frame rate beside their medians."""
    window = 16384
    spectra = magnitudes(torch.from_numpy(sound).view(1, 1, -1), window)[0]
    power = 10 * np.log10(spectra.square().mean(1).numpy() + 1e-12)
    step = window / hop  # bins between lines
    heights = []
    for line in range(1, int(8000 / (rate / hop))):
        centre = round(line * step)
        around = power[centre - int(step / 2):centre + int(step / 2)]
        heights.append(power[centre - 1:centre + 2].max() - np.median(around))
    return float(np.sort(heights)[-5:].mean())


def draw(path, pairs):
    """Spectrograms of up to eight sounds over their reconstructions: (name, original, ours)."""
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(2, len(pairs), figsize=(2.4 * len(pairs), 5), sharey=True,
                                   squeeze=False, layout="constrained")
    for column, (name, original, ours) in zip(axes.T, pairs):
        for axis, sound, side in zip(column, (original, ours), ("original", "codec")):
            level = 20 * log_mel(sound, 44100).numpy()
            axis.imshow(level, origin="lower", aspect="auto", vmin=-80, vmax=20, cmap="magma")
            axis.set_title(f"{name[:18]}\n{side}", fontsize=8)
            axis.set_xticks([])
        column[1].set_xlabel(f"{len(original) / 44100:.1f} s")
    axes[0, 0].set_ylabel("mel band")
    figure.savefig(path, dpi=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds")
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--picture", help="PNG of up to eight sounds, with the first weights")
    arguments = parser.parse_args()
    pairs = []
    for path in arguments.weights:
        codec, rows, used = load(path), {}, []
        for file in sorted(pathlib.Path(arguments.sounds).glob("**/*.wav")):
            sound, rate = read_wav(file)
            if rate != codec.sample_rate:
                raise SystemExit(f"{file}: {rate} Hz, the codec's rate is {codec.sample_rate}")
            sound *= Segments.RMS / max(np.sqrt(np.mean(sound ** 2)), 1e-4)
            sound = sound[:len(sound) // 512 * 512].clip(-1, 1)
            with torch.inference_mode():
                ours, codes, _ = codec(torch.from_numpy(sound).view(1, 1, -1))
            ours = ours.view(-1).numpy()
            used.append(codes[0])
            if path == arguments.weights[0]:
                pairs.append((file.stem, sound, ours))
            a, b = envelope(sound, rate), envelope(ours, rate)
            rows.setdefault(class_of(file), []).append((
                float((log_mel(sound, rate) - log_mel(ours, rate)).abs().mean()),
                correlation(a, b),
                correlation(np.diff(a).clip(0), np.diff(b).clip(0)),
                tonality(ours, rate), tonality(sound, rate)))
        print(f"\n{path}\n\n| class | log-mel | envelope r | onset r | tonality dB (original) |\n"
              "|---|---|---|---|---|")
        rows["all"] = [row for values in rows.values() for row in values]
        for name, values in rows.items():
            mel, env, onset, tone, original = np.nanmean(values, axis=0)
            print(f"| {name} | {mel:.3f} | {env:.2f} | {onset:.2f} | {tone:.1f} ({original:.1f}) |")
        for number, codes in enumerate(torch.cat(used, 1)):
            share = torch.bincount(codes, minlength=1024).double() / len(codes)
            entropy = -(share[share > 0] * share[share > 0].log()).sum()
            print(f"codebook {number}: perplexity {entropy.exp():.0f} of {len(share)}")
    if arguments.picture:
        draw(arguments.picture, pairs[::-(-len(pairs) // 8)])


if __name__ == "__main__":
    main()
