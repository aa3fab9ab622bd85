"""Codes that a model draws: the sound that a decoder makes of them is to have the statistics of fresh
takes, as the engine's texture_endurance judges it. There is no original beside such codes, so means
over many segments are compared."""
import math
import pathlib

import numpy as np
import torch

from data import read_wav
from texture_statistics import envelopes, HOP, statistics

SEGMENTS = 48  # of each texture, that are measured at the beginning
MINUTE = 60  # seconds: what texture_endurance measures at a time
INAUDIBLE = dict(level=0.5, variation=0.02, skewness=0.1, modulation=0.02, correlation=0.02)


def measure(audio, rate):
    return statistics(envelopes(audio, rate)[0], rate / HOP)


class Texture:
    """A texture at one parameter: fresh sounds, and codes."""

    def __init__(self, folder, rate, samples):
        sounds = []
        for path in sorted(folder.glob("**/*.wav")):
            sound, its_rate = read_wav(path)
            if its_rate != rate:
                raise SystemExit(f"{path}: {its_rate} Hz, {rate} are expected")
            sounds += [sound[i:i + samples] for i in range(0, len(sound) - samples + 1, samples)]
        # Files of our own programs: np.load runs what is in others'.
        self.codes = [torch.from_numpy(np.load(path, allow_pickle=True)[()]["codes"].astype(np.int64)[0])
                      for path in sorted(folder.glob("**/*.dac"))]
        if len(sounds) < 8 or not self.codes:
            raise SystemExit(f"{folder}: {len(sounds)} segments of .wav and {len(self.codes)} .dac files; "
                             "at least 8 and 1 are expected")
        fresh = measure(torch.from_numpy(np.stack(sounds)), rate)
        longer = math.sqrt(MINUTE * rate / samples)  # than a segment: what scatters less by so much
        self.mean = {name: value.mean(0) for name, value in fresh.items()}
        self.unit = {name: torch.hypot(value.std(0) / longer, torch.tensor(INAUDIBLE[name]))
                     for name, value in fresh.items()}

    def segment(self, frames, random):
        codes = self.codes[random.integers(len(self.codes))]
        begin = random.integers(codes.shape[1] - frames + 1)
        return codes[:, begin:begin + frames]


class Generated:
    """`folder` has a folder for each texture, with fresh .wav and generated .dac files, at any depth."""

    def __init__(self, folder, codec, hop, frames, context):
        self.codec, self.hop, self.frames, self.context = codec, hop, frames, context
        self.textures = {path.name: Texture(path, codec.sample_rate, frames * hop)
                         for path in sorted(pathlib.Path(folder).iterdir()) if path.is_dir()}
        if not self.textures:
            raise SystemExit(f"{folder}: no folders of textures in it")

    def latents(self, codes):
        return sum(quantizer.out_proj(quantizer.codebook(codes[:, n]).transpose(1, 2))
                   for n, quantizer in enumerate(self.codec.quantizer.quantizers))

    def differences(self, name, random):
        """Of one segment of a texture: each group as [statistics], in deviations of fresh takes of a minute."""
        texture = self.textures[name]
        codes = texture.segment(self.frames + 2 * self.context, random).unsqueeze(0)
        sound = self.codec.decoder(self.latents(codes))[:, 0]
        sound = sound[:, self.context * self.hop:(self.context + self.frames) * self.hop]
        return {group: ((value - texture.mean[group]) / texture.unit[group]).squeeze(0)
                for group, value in measure(sound, self.codec.sample_rate).items()}

    @torch.no_grad()
    def begin(self, tracked):
        """Averages of what the decoder gives before it is trained, to start from."""
        random = np.random.default_rng(11)
        for name in self.textures:
            of_segments = [self.differences(name, random) for _ in range(SEGMENTS)]
            for group in of_segments[0]:
                mean = torch.stack([one[group] for one in of_segments]).mean(0)
                tracked[f"{name} {group}"] = mean
                print(f"{name} {group}: {mean.square().mean().sqrt():.2f} deviations", flush=True)

    def losses(self, step, tracked, tracking):
        """Of the texture whose turn it is: the mean square of what its statistics differ by on average
        over its last steps, in deviations of fresh takes of a minute. `tracked` keeps the averages."""
        name = list(self.textures)[step % len(self.textures)]
        report = {}
        for group, difference in self.differences(name, np.random.default_rng([step, 11])).items():
            mean = tracked[f"{name} {group}"].lerp_(difference.detach(), 1 - tracking)
            report["generated " + group] = (mean + (difference - difference.detach())).square().mean()
        return report
