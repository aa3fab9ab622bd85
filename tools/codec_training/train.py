"""Trains the bundled codec on the output of dsf_textures; for maintainers.

    dsf_textures --out sounds --count 150 --seconds 5 --seed 1
    python tools/codec_training/train.py sounds --out codec --minutes 120
    python tools/codec_training/train.py sounds --out codec --minutes 120   # goes on where it was

Writes codec/state.pt (everything, every few minutes) and codec/weights.pth (what ships: averaged
weights in half precision, in the layout of the official files). `--steps` is the length of the
whole training, over all calls: the schedule follows it; with `--steps 0` it is the minutes of this
one call. On a GPU, whose steps are recorded as graphs:

    python tools/codec_training/train.py sounds --out codec --device cuda --steps 0 --minutes 10 \\
      --batch-size 16 --discriminator-channels 32
"""
import argparse
import copy
import math
import pathlib
import time

import torch

from data import Segments
from losses import adversarial_losses, discriminator_loss, spectral_losses
from model import Codec, SpectrogramDiscriminator
from recording import Recorded

SIZES = dict(encoder_dim=8, encoder_rates=[2, 4, 8, 8], latent_dim=128, decoder_dim=256,
             decoder_rates=[8, 8, 4, 2], n_codebooks=4, codebook_size=1024, codebook_dim=8,
             sample_rate=44100)
SEGMENT = 16384      # samples
UNQUANTIZED = 150    # steps before the codebooks are first filled
RATE = 1e-3
AVERAGING = 0.998    # of the weights that are shipped
ADVERSARIAL_FROM = 0.35  # share of the training
WINDOWS = (2048, 1024, 512)
WEIGHTS = dict(mel=15, linear=1, commitment=0.25, adversarial=3, features=4)


def learning_rate(step, share):
    """Warm-up, again after the codebooks were filled; constant to 40 % of the training, then cosine
    to 3 %."""
    if step < UNQUANTIZED:
        return RATE * min(1, (step + 1) / UNQUANTIZED)
    warm = min(1, (step - UNQUANTIZED + 1) / 300)
    late = max(0, (share - 0.4) / 0.6)
    return RATE * warm * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * min(1, late))))


def k_means(vectors, size, rounds=10):
    """Centres of vectors [n, dim]."""
    centres = vectors[torch.randperm(len(vectors), device=vectors.device)[:size]].clone()
    for _ in range(rounds):
        nearest = torch.cdist(vectors, centres).argmin(1)
        counts = torch.bincount(nearest, minlength=size).clamp(min=1).unsqueeze(1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        used = torch.bincount(nearest, minlength=size).unsqueeze(1) > 0
        centres = torch.where(used, sums / counts, centres)
    return centres


class Training:
    def __init__(self, arguments):
        self.device = arguments.device
        self.batch_size = arguments.batch_size
        self.steps = arguments.steps
        self.begin, self.seconds = time.monotonic(), 60 * arguments.minutes
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(arguments.seed)
        self.sounds = Segments(arguments.sounds, SEGMENT, SIZES["sample_rate"],
                               self.device)
        self.codec = Codec(**SIZES).to(self.device)
        self.average = copy.deepcopy(self.codec).eval()
        self.judges = torch.nn.ModuleList(
            SpectrogramDiscriminator(window, arguments.discriminator_channels) for window in WINDOWS
        ).to(self.device)
        learned = [p for p in self.codec.parameters() if p.requires_grad]
        on_gpu = self.device != "cpu"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        options = dict(lr=torch.tensor(RATE, device=self.device) if on_gpu else RATE,
                       betas=(0.8, 0.99), capturable=on_gpu, fused=on_gpu)
        self.optimizer = torch.optim.AdamW(learned, **options)
        self.judges_optimizer = torch.optim.AdamW(self.judges.parameters(), **options)
        self.learned = learned
        self.recorded = Recorded(self.update) if on_gpu and not arguments.no_graphs else None
        # Codebooks are averages already, and follow replaced words at once.
        ours, mean = self.codec.state_dict(), self.average.state_dict()
        taken = {name for name in ours if "codebook" in name or name.endswith((".count", ".sum"))}
        self.averaged = [[state[name] for name in ours if name not in taken]
                         for state in (mean, ours)]
        self.copied = [[state[name] for name in ours if name in taken] for state in (mean, ours)]
        self.step = 0
        if arguments.compile:
            for module in (self.codec.encoder, self.codec.decoder, *self.judges):
                module.compile()
        self.resume()

    def parts(self):
        return dict(codec=self.codec, average=self.average, judges=self.judges,
                    optimizer=self.optimizer, judges_optimizer=self.judges_optimizer)

    def resume(self):
        path = self.out / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["steps"] != self.steps:
            raise SystemExit(f"{path}: was begun with --steps {state['steps']}, not {self.steps}")
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.step = state["step"]
        print(f"goes on after step {self.step}", flush=True)

    def save(self):
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state |= dict(step=self.step, steps=self.steps)
        for name, content in (("state.pt", state), ("weights.pth", dict(
                state_dict=self.average.official_state(), metadata=dict(kwargs=SIZES)))):
            torch.save(content, self.out / (name + ".new"))
            (self.out / (name + ".new")).rename(self.out / name)

    def fill_codebooks(self):
        """Each codebook's words are the centres of what the encoder gives it for real sound."""
        with torch.no_grad():
            z = torch.cat([self.codec.encoder(self.sounds.batch(32, 10 ** 6 + i))
                           for i in range(12)])
            for i, quantizer in enumerate(self.codec.quantizer.quantizers):
                projected = self.codec.quantizer.projections(z)[i]
                quantizer.set_words(k_means(projected, SIZES["codebook_size"]))

    def replace_dead_words(self, original):
        with torch.no_grad():
            projections = self.codec.quantizer.projections(self.codec.encoder(original))
            for quantizer, projected in zip(self.codec.quantizer.quantizers, projections):
                quantizer.replace_dead(projected)

    def share(self):
        """How much of the training is behind us."""
        if self.steps:
            return self.step / self.steps
        return (time.monotonic() - self.begin) / self.seconds

    def train_step(self):
        step, share = self.step, self.share()
        if step == UNQUANTIZED:
            self.fill_codebooks()
        rate = learning_rate(step, share)
        for optimizer in (self.optimizer, self.judges_optimizer):
            for group in optimizer.param_groups:
                if self.recorded is None:
                    group["lr"] = rate
                else:
                    group["lr"].fill_(rate)
        original = self.sounds.batch(self.batch_size, step)
        phase = (step >= UNQUANTIZED, share >= ADVERSARIAL_FROM)
        if self.recorded is None or not phase[0]:
            report = self.update(original, *phase)
        else:
            report = self.recorded(original, *phase)
        if UNQUANTIZED <= step and share < 0.85 and step % 25 == 0:
            self.replace_dead_words(original)
        self.take_average()
        self.step += 1
        return report

    def update(self, original, quantized, adversarial):
        """One step of all optimizers; its losses."""
        report = {}
        ours, _, commitment = self.codec(original, quantized)
        mel, linear = spectral_losses(ours, original, SIZES["sample_rate"])
        loss = WEIGHTS["mel"] * mel + WEIGHTS["linear"] * linear + WEIGHTS["commitment"] * commitment
        report |= dict(mel=mel, linear=linear, commitment=commitment)
        if adversarial:
            judged = discriminator_loss(self.judges, ours, original)
            self.judges_optimizer.zero_grad()
            judged.backward()
            torch.nn.utils.clip_grad_norm_(self.judges.parameters(), 10)
            self.judges_optimizer.step()
            self.judges.requires_grad_(False)
            deceive, features = adversarial_losses(self.judges, ours, original)
            self.judges.requires_grad_(True)
            loss = loss + WEIGHTS["adversarial"] * deceive + WEIGHTS["features"] * features
            report |= dict(judged=judged, deceive=deceive, features=features)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned, 1)
        self.optimizer.step()
        return {name: value.detach() for name, value in report.items()}

    @torch.no_grad()
    def take_average(self):
        weight = 1 - min(AVERAGING, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(*self.averaged, weight)
        torch._foreach_copy_(*self.copied)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", help="folder of WAV files named CLASS-….wav")
    parser.add_argument("--out", default="codec")
    parser.add_argument("--steps", type=int, default=60000)
    parser.add_argument("--minutes", type=float, default=60, help="of this call")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--discriminator-channels", type=int, default=16)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-graphs", action="store_true", help="steps on a GPU one by one")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    training = Training(arguments)
    first, begin = training.step, time.monotonic()
    saved = shown = begin
    totals, count = {}, 0
    while training.share() < 1 and time.monotonic() < begin + 60 * arguments.minutes:
        for name, value in training.train_step().items():
            totals[name] = totals.get(name, 0) + value
        count += 1
        if training.recorded and training.step % 20 == 0:
            torch.cuda.synchronize()  # the clock is to be that of what is done, not of what is queued
        now = time.monotonic()
        if now - shown > 20:
            shown = now
            figures = "  ".join(f"{name} {float(value) / count:.4g}"
                                for name, value in totals.items())
            speed = (training.step - first) / (now - begin)
            print(f"step {training.step}, {100 * training.share():.0f} %  {speed:.2f}/s  {figures}",
                  flush=True)
            totals, count = {}, 0
        if now - saved > 180:
            saved = now
            training.save()
    training.save()
    print(f"saved after step {training.step}, {100 * training.share():.0f} %")


if __name__ == "__main__":
    main()
