"""Training sound: the WAV files of dsf_textures, as random segments."""
import pathlib
import wave

import numpy as np
import torch


def read_wav(path):
    """Samples of a 16-bit mono WAV file as float32, and its rate."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2 or file.getnchannels() != 1:
            raise SystemExit(f"{path}: {8 * file.getsampwidth()} bits, {file.getnchannels()} "
                             "channels; 16 bits and one channel are expected")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.astype(np.float32) / 32768, file.getframerate()


def class_of(path):
    """The class that a file's name begins with."""
    return path.name.split("-")[0]


class Segments:
    """Random segments of all files of a folder, the classes in turn, at random gain (dB, within
    `gains`, but to full scale at most) and sign, on `device`. The level is that of `dac encode`, which
    brings sound to −16 LUFS: here about an RMS of 0.13."""

    RMS = 0.13

    def __init__(self, folder, samples, sample_rate, device, gains=(-6, 3)):
        self.samples, self.gains = samples, gains
        self.places = {}  # of each class's files: where they begin and end in all that there is
        sounds, end = [], 0
        for path in sorted(pathlib.Path(folder).glob("**/*.wav")):
            sound, rate = read_wav(path)
            if rate != sample_rate or len(sound) < samples:
                raise SystemExit(f"{path}: {len(sound)} samples at {rate} Hz; at least {samples} at "
                                 f"{sample_rate} Hz are expected")
            sound *= self.RMS / max(np.sqrt(np.mean(sound ** 2)), 1e-4)
            sounds.append(sound.astype(np.float16))
            self.places.setdefault(class_of(path), []).append((end, end + len(sound)))
            end += len(sound)
        if not sounds:
            raise SystemExit(f"{folder}: no WAV files in this folder")
        self.sound = torch.from_numpy(np.concatenate(sounds)).to(device)
        self.within = torch.arange(samples, device=device)

    def batch(self, size, step):
        """The batch of a step: the same whenever it is asked for, so that a run can be resumed."""
        random = np.random.default_rng([step, 7])
        names = sorted(self.places)
        begins, gains = np.empty((size, 1), np.int64), np.empty((size, 1), np.float32)
        for i in range(size):
            files = self.places[names[(step * size + i) % len(names)]]
            begin, end = files[random.integers(len(files))]
            begins[i] = random.integers(begin, end - self.samples + 1)
            gains[i] = 10 ** (random.uniform(*self.gains) / 20) * random.choice([-1, 1])
        begins, gains = (torch.from_numpy(x).to(self.sound.device) for x in (begins, gains))
        sound = self.sound[begins + self.within].float() * gains
        return (sound / sound.abs().amax(1, keepdim=True).clamp(min=1)).unsqueeze(1)
