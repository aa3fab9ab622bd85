"""What the codec is trained on: distances of spectra, and the game against the discriminators."""
import functools
import math

import torch
from torch.nn import functional as F

from texture_statistics import band_shares

MEL_SCALES = [(32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320)]
# Window, and up to which frequency: long windows resolve the harmonics of insects and motors.
LINEAR_SCALES = [(4096, 2200), (2048, None), (512, None)]


def _to_mel(frequency):  # Slaney's scale
    linear = frequency * 3 / 200
    return torch.where(frequency < 1000, linear,
                       15 + 27 * torch.log(frequency.clamp(min=1) / 1000) / math.log(6.4))


def _from_mel(mel):
    return torch.where(mel < 15, mel * 200 / 3, 1000 * torch.exp((mel - 15) * math.log(6.4) / 27))


@functools.lru_cache
def mel_filters(window, bands, sample_rate, device):
    """[bands, window/2 + 1]: triangles of area 1."""
    bins = torch.linspace(0, sample_rate / 2, window // 2 + 1, dtype=torch.float64)
    top = _to_mel(torch.tensor([sample_rate / 2], dtype=torch.float64))[0]
    edges = _from_mel(torch.linspace(0, float(top), bands + 2, dtype=torch.float64))
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = torch.minimum(rising, falling).clamp(min=0) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return filters.float().to(device)


@functools.lru_cache
def _hann(window, device):
    return torch.hann_window(window, device=device)


def magnitudes(audio, window):
    """[B, window/2 + 1, frames] of audio [B, 1, S], hops of a quarter."""
    spectrum = torch.stft(audio.squeeze(1), window, window // 4, window=_hann(window, audio.device),
                          return_complex=True)
    return torch.view_as_real(spectrum).square().sum(-1).clamp(min=1e-12).sqrt()


def spectral_losses(ours, original, sample_rate):
    """The multi-scale log-mel distance, and that of linear spectra."""
    spectra = {window: (magnitudes(ours, window), magnitudes(original, window).detach())
               for window in {w for w, _ in MEL_SCALES} | {w for w, _ in LINEAR_SCALES}}
    mel = 0
    for window, bands in MEL_SCALES:
        filters = mel_filters(window, bands, sample_rate, ours.device)
        a, b = (torch.log10((filters @ s).clamp(min=1e-5)) for s in spectra[window])
        mel = mel + F.l1_loss(a, b)
    linear = 0
    for window, top in LINEAR_SCALES:
        bins = None if top is None else int(top / sample_rate * window)
        a, b = (s[:, :bins] for s in spectra[window])
        linear = linear + F.l1_loss(a, b) / b.mean().clamp(min=1e-5)
        linear = linear + 2 * F.l1_loss(torch.log10(a + 1e-4), torch.log10(b + 1e-4))
    return mel, linear


def _line_heights(audio, hop, window=4096):
    """[B, lines]: how far the lines at multiples of the frame rate stand above what lies between, of
    the mean power spectrum of audio [B, 1, S], in units of 2 dB."""
    spectrum = torch.stft(audio.squeeze(1), window, window // 4, window=_hann(window, audio.device),
                          center=False, return_complex=True)
    power = torch.view_as_real(spectrum).square().sum(-1).mean(-1) + 1e-7
    step = window // hop
    lines = min(power.shape[1] // step - 1, 140)
    power = power[:, step // 2:step // 2 + lines * step].reshape(-1, lines, step)
    middle = step // 2
    line = power[:, :, middle - 1:middle + 2].mean(2)
    rest = torch.cat([power[:, :, :middle - 2], power[:, :, middle + 3:]], 2).mean(2)
    return 5 * (line / rest).log10()


def line_loss(ours, original, hop):
    """How far lines at multiples of the frame rate rise above the original's; by a tenth, how far
    they lie beside it."""
    difference = _line_heights(ours, hop) - _line_heights(original, hop)
    return F.relu(difference).square().mean() + 0.1 * difference.square().mean()


def course_loss(ours, original, sample_rate):
    """How far levels differ, dB: those of subbands (by 0.3) and of the whole in 93 ms, and of the whole
    in half a second, which is what gusts of wind are made of."""
    levels = []
    for audio in (ours, original):
        spectrum = torch.stft(audio.squeeze(1), 512, 128, window=_hann(512, audio.device), center=False,
                              return_complex=True)
        power = band_shares(sample_rate, audio.device) @ torch.view_as_real(spectrum).square().sum(-1)
        whole = power.sum(1, keepdim=True)
        levels.append([10 * (F.avg_pool1d(x, windows, stride) + floor).log10()
                       for x, windows, stride, floor in ((power, 32, 32, 1e-4), (whole, 32, 32, 1e-3),
                                                         (whole, 172, 43, 1e-3))])
    bands, whole, slow = ((a - b).abs().mean() for a, b in zip(*levels))
    return 0.3 * bands + whole + slow


def discriminator_loss(discriminators, ours, original):
    """Least squares: 1 for the original, 0 for ours."""
    loss = 0
    for judge in discriminators:
        loss = loss + (judge(original)[0] - 1).square().mean() + judge(ours.detach())[0].square().mean()
    return loss


def adversarial_losses(discriminators, ours, original):
    """To be taken for the original, and to look like it to every layer that judges."""
    deceive, features = 0, 0
    for judge in discriminators:
        judgement, layers = judge(ours)
        with torch.no_grad():
            wanted = judge(original)[1]
        deceive = deceive + (judgement - 1).square().mean()
        features = features + sum(F.l1_loss(a, b) / b.abs().mean().clamp(min=1e-5)
                                  for a, b in zip(layers, wanted)) / len(layers)
    return deceive, features
