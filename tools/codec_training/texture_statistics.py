"""Statistics of subband envelopes, as engine/audio/texture_statistics.h measures them, of which
gradients can be taken. After McDermott and Simoncelli, "Sound texture perception via statistics of
the auditory periphery" (2011)."""
import functools
import math

import torch

WINDOW, HOP = 512, 128
BANDS = 16
LOWEST, HIGHEST = 60, 16000  # Hz
EXPONENT, FLOOR = 0.15, 1e-6
LEAST_VARIATION = 0.02
APART = (1, 2, 4, 8)         # bands that are correlated
OCTAVES = 9                  # of modulation

# A difference that counts as 1.
UNITS = dict(level=1.0, variation=0.05, skewness=0.4, modulation=0.05, correlation=0.05)


def _erbs(frequency):
    return 21.4 * math.log10(1 + 0.00437 * frequency)


@functools.lru_cache
def band_shares(sample_rate, device):
    """[BANDS, WINDOW/2 + 1]: which part of each bin belongs to a band."""
    def bin_of(band):
        erbs = _erbs(LOWEST) + (_erbs(HIGHEST) - _erbs(LOWEST)) * band / BANDS
        return (10 ** (erbs / 21.4) - 1) / 0.00437 * WINDOW / sample_rate + 0.5
    shares = torch.zeros(BANDS, WINDOW // 2 + 1)
    for band in range(BANDS):
        low, high = bin_of(band), bin_of(band + 1)
        for k in range(int(low), math.ceil(high)):
            shares[band, k] = min(high, k + 1) - max(low, k)
    return shares.to(device)


@functools.lru_cache
def _hann(size, device):
    return torch.hann_window(size, device=device)


def envelopes(audio, sample_rate, whole=None):
    """Envelopes [B, BANDS, windows] of audio [B, S], and the mean power [B, 1, 1] that they are
    relative to: `whole`, or the audio's own."""
    spectrum = torch.stft(audio, WINDOW, HOP, window=_hann(WINDOW, audio.device), center=False,
                          return_complex=True)
    power = band_shares(sample_rate, audio.device) @ torch.view_as_real(spectrum).square().sum(-1)
    if whole is None:
        whole = power.sum(1, keepdim=True).mean(2, keepdim=True).clamp(min=1e-12)
    return (power / whole + FLOOR).pow(EXPONENT), whole


def _modulation(difference, sigma, rate):
    """[B, BANDS·OCTAVES]: roots of the shares of variance that fall to octaves of modulation. Over an
    even number of windows, where the engine takes one that has no prime factor above 5."""
    size = difference.shape[2] // 2 * 2
    spectrum = torch.fft.rfft(difference[..., :size] * _hann(size, difference.device))
    power = torch.view_as_real(spectrum).square().sum(-1)[..., 1:]
    frequency = torch.arange(1, size // 2 + 1, device=power.device) * rate / size
    octave = torch.floor(torch.log2(frequency) + 1.5).clamp(0, OCTAVES - 1).long()
    sums = torch.zeros(*power.shape[:2], OCTAVES, device=power.device).index_add_(2, octave, power)
    shares = sums / (3 / 16 * size * size * sigma.square())
    return shares.clamp(1e-12, 1).sqrt().flatten(1)


def statistics(envelope, rate):
    """Of envelopes [B, BANDS, windows] at `rate` per second: each group of UNITS as [B, …]."""
    mean = envelope.mean(2, keepdim=True)
    difference = envelope - mean
    variance = difference.square().mean(2, keepdim=True)
    sigma = (variance + (LEAST_VARIATION * mean).square()).sqrt()
    normal = difference / sigma
    return dict(
        level=(10 / EXPONENT) * mean.log10().squeeze(2),
        variation=((variance + 1e-12).sqrt() / mean).squeeze(2),
        skewness=normal.pow(3).mean(2),
        modulation=_modulation(difference, sigma, rate),
        correlation=torch.cat(
            [(normal[:, apart:] * normal[:, :-apart]).mean(2) for apart in APART], 1))


def statistics_differences(ours, original, sample_rate):
    """How far statistics of audio [B, 1, S] are from the original's, in UNITS: each group as [B, …]."""
    wanted, whole = envelopes(original.squeeze(1), sample_rate)
    given, _ = envelopes(ours.squeeze(1), sample_rate, whole)
    rate = sample_rate / HOP
    wanted, given = statistics(wanted, rate), statistics(given, rate)
    return {name: (given[name] - wanted[name]) / unit for name, unit in UNITS.items()}
