"""The Descript Audio Codec's architecture with the official names of its parameters, and the
discriminators that it is trained against. Kumar et al., "High-Fidelity Audio Compression with
Improved RVQGAN" (2023)."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Snake(nn.Module):
    """x + sin²(αx)/α, α per channel."""

    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x):
        return x + torch.sin(self.alpha * x).square() / (self.alpha + 1e-9)


class _Normed(nn.Module):
    """A convolution whose weight is g·v/‖v‖, the norm over all axes but the first."""

    def __init__(self, shape, outputs, **options):
        super().__init__()
        self.weight_v = nn.Parameter(nn.init.trunc_normal_(torch.empty(shape), std=0.02))
        self.weight_g = nn.Parameter(self.weight_v.detach().norm(dim=(1, 2), keepdim=True))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.options = options

    def weight(self):
        return torch._weight_norm(self.weight_v, self.weight_g, 0)


class Conv(_Normed):
    def __init__(self, inputs, outputs, kernel, **options):
        super().__init__((outputs, inputs, kernel), outputs, **options)

    def forward(self, x):
        return F.conv1d(x, self.weight(), self.bias, **self.options)


class Upsampling(_Normed):
    def __init__(self, inputs, outputs, kernel, **options):
        super().__init__((inputs, outputs, kernel), outputs, **options)

    def forward(self, x):
        return F.conv_transpose1d(x, self.weight(), self.bias, **self.options)


class Block(nn.Module):
    """Layers in a row, as `block` (the official name)."""

    def __init__(self, *layers):
        super().__init__()
        self.block = nn.Sequential(*layers)

    def forward(self, x):
        return self.block(x)


class ResidualUnit(Block):
    def __init__(self, channels, dilation):
        super().__init__(
            Snake(channels), Conv(channels, channels, 7, dilation=dilation, padding=3 * dilation),
            Snake(channels), Conv(channels, channels, 1))

    def forward(self, x):
        return x + self.block(x)


def residual_units(channels):
    return [ResidualUnit(channels, dilation) for dilation in (1, 3, 9)]


class Decoder(nn.Module):
    def __init__(self, latent_dim, channels, rates):
        super().__init__()
        layers = [Conv(latent_dim, channels, 7, padding=3)]
        for rate in rates:
            layers.append(Block(
                Snake(channels),
                Upsampling(channels, channels // 2, 2 * rate, stride=rate, padding=-(-rate // 2)),
                *residual_units(channels // 2)))
            channels //= 2
        layers += [Snake(channels), Conv(channels, 1, 7, padding=3), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, z):
        return self.model(z)


def make_encoder(channels, rates, latent_dim):
    layers = [Conv(1, channels, 7, padding=3)]
    for rate in rates:
        layers.append(Block(
            *residual_units(channels), Snake(channels),
            Conv(channels, 2 * channels, 2 * rate, stride=rate, padding=-(-rate // 2))))
        channels *= 2
    return Block(*layers, Snake(channels), Conv(channels, latent_dim, 3, padding=1))


class Quantizer(nn.Module):
    """One codebook. Codewords are moving averages of what is assigned to them (van den Oord et al.
    2017, appendix A.1); the nearest one is found after both sides are brought to length 1."""

    DECAY = 0.99
    DEAD = 0.08  # of the uniform rate: below it a codeword is replaced

    def __init__(self, latent_dim, size, dim):
        super().__init__()
        self.in_proj = Conv(latent_dim, dim, 1)
        self.out_proj = Conv(dim, latent_dim, 1)
        self.codebook = nn.Embedding(size, dim)
        self.codebook.weight.requires_grad_(False)
        self.register_buffer("count", torch.ones(size))
        self.register_buffer("sum", self.codebook.weight.detach().clone())

    def search(self, projected):
        """Codes of vectors [n, dim]."""
        directions = F.normalize(self.codebook.weight)
        return (F.normalize(projected) @ directions.T).argmax(dim=1)

    def forward(self, residual):
        """What it gives for [B, L, T], codes [B, T], and the commitment loss."""
        projected = self.in_proj(residual)
        flat = projected.detach().transpose(1, 2).flatten(0, 1)
        codes = self.search(flat)
        if self.training:
            self.learn(flat, codes)
        words = self.codebook(codes).view(len(projected), -1, flat.shape[1]).transpose(1, 2)
        loss = F.mse_loss(projected, words)
        through = projected + (words - projected).detach()  # the gradient passes straight through
        return self.out_proj(through), codes.view(len(projected), -1), loss

    @torch.no_grad()
    def learn(self, flat, codes):
        used = torch.zeros_like(self.count).index_add_(0, codes, torch.ones_like(flat[:, 0]))
        self.count.lerp_(used, 1 - self.DECAY)
        sums = torch.zeros_like(self.sum).index_add_(0, codes, flat)
        self.sum.lerp_(sums, 1 - self.DECAY)
        self.codebook.weight.copy_(self.sum / self.count.clamp(min=1e-3).unsqueeze(1))

    @torch.no_grad()
    def set_words(self, words):
        self.codebook.weight.copy_(words)
        self.sum.copy_(words)
        self.count.fill_(1)

    @torch.no_grad()
    def replace_dead(self, projected):
        """Words that are hardly used become vectors that the encoder gives now."""
        dead = self.count < self.DEAD * self.count.mean()
        number = int(dead.sum())
        if number:
            chosen = projected[torch.randint(len(projected), (number,), device=projected.device)]
            self.codebook.weight[dead] = chosen
            self.count[dead] = self.count.mean()
            self.sum[dead] = chosen * self.count.mean()


class ResidualQuantizer(nn.Module):
    def __init__(self, latent_dim, codebooks, size, dim):
        super().__init__()
        self.quantizers = nn.ModuleList(
            Quantizer(latent_dim, size, dim) for _ in range(codebooks))

    def forward(self, z):
        residual, total, codes, loss = z, 0, [], 0
        for quantizer in self.quantizers:
            part, indices, commitment = quantizer(residual)
            total, residual = total + part, residual - part
            codes.append(indices)
            loss = loss + commitment
        return total, torch.stack(codes, 1), loss

    @torch.no_grad()
    def projections(self, z):
        """What each codebook looks up, [n, dim] of each."""
        residual, result = z, []
        for quantizer in self.quantizers:
            result.append(quantizer.in_proj(residual).transpose(1, 2).flatten(0, 1))
            residual = residual - quantizer.eval()(residual)[0]
            quantizer.train()
        return result


class Codec(nn.Module):
    """kwargs are those of the official file's metadata."""

    def __init__(self, encoder_dim, encoder_rates, decoder_dim, decoder_rates, n_codebooks,
                 codebook_size, codebook_dim, sample_rate, latent_dim=None):
        super().__init__()
        latent_dim = latent_dim or encoder_dim << len(encoder_rates)
        self.sample_rate = sample_rate
        self.encoder = make_encoder(encoder_dim, encoder_rates, latent_dim)
        self.quantizer = ResidualQuantizer(latent_dim, n_codebooks, codebook_size, codebook_dim)
        self.decoder = Decoder(latent_dim, decoder_dim, decoder_rates)

    def forward(self, audio, quantized=True):
        """Audio [B, 1, S] to its reconstruction, codes and the commitment loss. Unquantized, the
        loss instead holds the latents near unit variance."""
        z = self.encoder(audio)
        if not quantized:
            return self.decoder(z), None, (z.std(dim=(0, 2)) - 1).square().mean()
        z, codes, loss = self.quantizer(z)
        return self.decoder(z), codes, loss

    def official_state(self):
        """Parameters under the official names, in half precision."""
        return {name: value.detach().cpu().half() for name, value in self.state_dict().items()
                if not name.endswith((".count", ".sum"))}


class SpectrogramDiscriminator(nn.Module):
    """Judges patches of the complex spectrum, magnitudes compressed to a power of 0.3."""

    def __init__(self, window, channels):
        super().__init__()
        self.window = window
        self.register_buffer("shape", torch.hann_window(window), persistent=False)
        norm = nn.utils.parametrizations.weight_norm
        sizes = [2] + [channels] * 5
        strides = [(1, 1), (2, 1), (2, 1), (2, 1), (1, 1)]
        self.layers = nn.ModuleList(
            norm(nn.Conv2d(a, b, (7, 3) if i == 0 else (5, 3), stride=stride,
                           padding=(3, 1) if i == 0 else (2, 1)))
            for i, (a, b, stride) in enumerate(zip(sizes, sizes[1:], strides)))
        self.last = norm(nn.Conv2d(channels, 1, (3, 3), padding=1))

    def forward(self, audio):
        """Judgements, and what each layer made of the sound."""
        spectrum = torch.stft(audio.squeeze(1), self.window, self.window // 4, window=self.shape,
                              return_complex=True)
        magnitude = spectrum.abs().clamp(min=1e-5)
        x = torch.view_as_real(spectrum * magnitude.pow(-0.7)).permute(0, 3, 1, 2)
        features = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.last(x), features
