"""Procedural textures beside recordings of the same classes, by numbers.

Needs a build of dsf and Python with numpy and matplotlib; nothing of dsf itself needs any of them.
Recordings are mono WAV files of 16 bits whose names say class and parameter as training files do
(DSWind--strength-00.50--x-90.wav), like those of upstream's test data.

    compare_with_recordings.py --bin build/release RECORDING...
    compare_with_recordings.py --bin build/release --output bench/results RECORDING...

Prints a table; with --output writes it to textures.md and the curves to textures.png there.
"""
import argparse
import itertools
import pathlib
import re
import subprocess
import tempfile
import wave

import numpy as np

RATE = 44100
TAKES = 12
OCTAVES = 2.0 ** np.arange(-1, 8)                    # 0.5 ... 128 Hz, middles of modulation bands
THIRDS = 1000 * 2.0 ** (np.arange(-13, 13) / 3)      # 50 Hz ... 16 kHz
SPECTRUM_RANGE = 60                                  # dB below the loudest band: what is compared
SUBBANDS = ((60, 500), (500, 2000), (2000, 10000))   # Hz, whose envelopes are compared
SUBBAND_RANGE = 50                                   # dB below the whole: quieter ones are not


def read_wav(path):
    with wave.open(str(path)) as file:
        if file.getframerate() != RATE or file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise SystemExit(f"{path}: expected 44.1 kHz, mono, 16 bits")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def frames_of(sound, size, hop):
    return np.lib.stride_tricks.sliding_window_view(sound, size)[::hop] * np.hanning(size)


def long_term_spectrum(sound):
    """Levels of third-octave bands in dB, 0 on average over those within the range."""
    size = 8192
    power = (np.abs(np.fft.rfft(frames_of(sound, size, size // 2))) ** 2).mean(0)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    edges = np.append(THIRDS * 2 ** (-1 / 6), THIRDS[-1] * 2 ** (1 / 6))
    # Interpolated, as the lowest bands are narrower than two bins.
    cumulated = np.interp(edges, frequency + frequency[1] / 2, np.cumsum(power))
    levels = 10 * np.log10(np.diff(cumulated) + 1e-12)
    return np.maximum(levels - levels.max(), -SPECTRUM_RANGE)


def spectrum_distance(one, other):
    difference = one["spectrum"] - other["spectrum"]
    return np.sqrt(((difference - difference.mean()) ** 2).mean())


def modulation_spectrum(sound):
    """For each subband, dB of the envelope's power in octave bands, relative to its square mean;
    NaN for subbands with next to nothing in them."""
    spectrum = np.fft.fft(sound)
    frequency = np.fft.fftfreq(len(sound), 1 / RATE)
    rows = []
    for low, high in SUBBANDS:
        inside = (frequency >= low) & (frequency < high)
        share = (np.abs(spectrum[inside]) ** 2).sum() / (np.abs(spectrum[frequency > 0]) ** 2).sum()
        if share < 10 ** (-SUBBAND_RANGE / 10):
            rows.append(np.full(len(OCTAVES), np.nan))
            continue
        envelope = np.abs(np.fft.ifft(2 * spectrum * inside))
        envelope = envelope[:len(envelope) // 100 * 100].reshape(-1, 100).mean(1)  # at 441 Hz
        window = np.hanning(len(envelope))
        swing = (envelope / envelope.mean() - 1) * window
        power = np.abs(np.fft.rfft(swing)) ** 2 / (window ** 2).sum() / len(envelope) * 2
        place = np.fft.rfftfreq(len(envelope), 100 / RATE)
        rows.append(np.array([
            10 * np.log10(power[(place >= f / 2 ** .5) & (place < f * 2 ** .5)].sum() + 1e-9)
            for f in OCTAVES]))
    return np.array(rows)


def modulation_distance(one, other):
    return np.sqrt(np.nanmean((one["modulation"] - other["modulation"]) ** 2))


def event_rate(sound):
    """Of rises and falls by 6 dB above 1 kHz: as engine/audio/texture_features.h has it."""
    power = np.abs(np.fft.rfft(frames_of(sound, 132, 33))) ** 2
    power = power[:, 3:48].sum(1)
    levels = np.maximum(10 * np.log10(power / power.max() + 1e-12), -25)
    events, rising, extreme = 0, False, levels[0]
    for level in levels:
        extreme = max(extreme, level) if rising else min(extreme, level)
        if rising and level <= extreme - 6:
            events, rising, extreme = events + 1, False, level
        elif not rising and level >= extreme + 6:
            rising, extreme = True, level
    return events * RATE / len(sound)


def describe(sound):
    return {"spectrum": long_term_spectrum(sound), "modulation": modulation_spectrum(sound),
            "events": event_rate(sound)}


def make_takes(program, kind, parameter, seconds):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "--out", folder, "--classes", kind, "--count", str(TAKES),
                        "--param", str(parameter), "--seconds", str(seconds), "--quiet"],
                       check=True)
        return [read_wav(path) for path in sorted(pathlib.Path(folder, "train-wav").iterdir())]


def pairs_mean(distance, items):
    values = [distance(a, b) for a, b in itertools.combinations(items, 2)]
    return np.mean(values) if values else np.nan


def compare(program, recordings):
    """By class: recordings and takes, described, and the rows of the table."""
    by_class = {}
    for path in recordings:
        match = re.match(r"([^-]+)--[^-]+-(\d+\.\d+)-", path.name)
        if not match:
            raise SystemExit(f"{path}: the name does not say class and parameter")
        by_class.setdefault((match[1], float(match[2])), []).append(read_wav(path))
    result = {}
    for (kind, parameter), sounds in sorted(by_class.items()):
        takes = make_takes(program, kind, parameter, len(sounds[0]) / RATE)
        result[kind] = [[describe(sound) for sound in group] for group in (sounds, takes)]
    return result


def table(result):
    lines = ["| class | | spectrum, dB | modulation, dB | events per second | ratio to ours |",
             "|---|---|---|---|---|---|"]

    def line(kind, what, spectrum, modulation, events, ratio=""):
        lines.append(f"| {kind} | {what} | {spectrum:.1f} | {modulation:.1f} | {events} | {ratio} |")

    for kind, (real, ours) in result.items():
        rate = np.mean([take["events"] for take in ours])
        for number, one in enumerate(real, 1):
            line(kind, f"recording {number} and our takes",
                 np.mean([spectrum_distance(one, take) for take in ours]),
                 np.mean([modulation_distance(one, take) for take in ours]),
                 f"{one['events']:.1f}", f"{one['events'] / max(rate, 1e-9):.2f}")
        line("", "the recordings, one another", pairs_mean(spectrum_distance, real),
             pairs_mean(modulation_distance, real), "")
        spread = [take["events"] for take in ours]
        line("", "our takes, one another", pairs_mean(spectrum_distance, ours),
             pairs_mean(modulation_distance, ours),
             f"{rate:.1f} ({min(spread):.1f} … {max(spread):.1f})")
    return "\n".join(lines)


def plot(result, path):
    import matplotlib
    from PIL import Image  # which matplotlib needs, too
    matplotlib.use("Agg")
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(4, len(result), figsize=(3.2 * len(result), 10), squeeze=False)
    for column, (kind, (real, ours)) in enumerate(result.items()):
        def draw(axis, x, of):
            for group, colour in ((ours, "tab:blue"), (real, "tab:red")):
                for one in group:
                    axis.semilogx(x, of(one), color=colour, linewidth=1,
                                  alpha=0.35 if group is ours else 1)
            axis.grid(alpha=0.3)
        draw(axes[0][column], THIRDS, lambda one: one["spectrum"])
        axes[0][column].set_title(f"{kind}\nlong-term spectrum", fontsize=9)
        for row, (low, high) in enumerate(SUBBANDS):
            draw(axes[row + 1][column], OCTAVES, lambda one: one["modulation"][row])
            axes[row + 1][column].set_title(f"modulation, {low} to {high} Hz", fontsize=9)
    for axis in axes.flat:
        axis.tick_params(labelsize=7)
        axis.set_xlabel("Hz", fontsize=7)
    for row in axes:
        row[0].set_ylabel("dB", fontsize=8)
    figure.suptitle("Red: recordings. Blue: takes of dsf_textures.", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    Image.open(path).quantize(64).save(path, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of dsf_textures")
    parser.add_argument("--output", type=pathlib.Path, help="folder for textures.md and .png")
    parser.add_argument("recordings", type=pathlib.Path, nargs="+")
    arguments = parser.parse_args()
    result = compare(arguments.bin / "dsf_textures", arguments.recordings)
    print(table(result))
    if arguments.output:
        plot(result, arguments.output / "textures.png")
        (arguments.output / "textures.md").write_text(REPORT.format(takes=TAKES,
                                                                    table=table(result)))


REPORT = """# Procedural textures beside recordings

```
tools/textures/compare_with_recordings.py --bin build/release --output bench/results \\
    minisyntex/train-wav/*.wav minisyntex/val-wav/*.wav     # upstream's test data
```

For each recording {takes} takes of `dsf_textures` with its class, parameter (0.5) and length (5 s). Distances are root mean squares of differences in dB: of the long-term spectrum over third-octave bands from 50 Hz to 16 kHz (level aside; what is over 60 dB below the loudest band counts as 60 dB), of the envelopes' modulation spectra over octave bands from 0.5 to 128 Hz in three subbands (60 to 500 Hz, 500 to 2000 Hz, 2 to 10 kHz; those over 50 dB below the whole left out). Events are rises and falls of the level above 1 kHz by 6 dB. How far two recordings of a class, and two takes of ours, are apart is the yardstick.

{table}

![curves](textures.png)
"""

if __name__ == "__main__":
    main()
