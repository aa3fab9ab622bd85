"""Second stage: trains the decoder of a codec on, so that textures keep the statistics of their
subbands; encoder and codebooks stay, and with them the codes of all data sets and models.

    dsf_textures --out sounds --count 150 --seconds 5 --seed 1
    python tools/codec_training/tune_decoder.py sounds codec/weights.pth --out tuned.pth --minutes 50
    python tools/codec_training/tune_decoder.py sounds tuned.pth --out longer.pth --minutes 30 \
      --frames 192 --batch-size 3 --rate 2e-4

Distances of spectra alone leave sound too smooth, and neighbouring bands too much alike: noise that
a decoder cannot predict it leaves out. The statistics ask for its amount and independence, not for
its course.
"""
import argparse
import copy
import math
import pathlib
import time

import torch

from data import Segments
from evaluate import load
from losses import spectral_losses
from texture_statistics import statistics_losses

CONTEXT = 4  # frames that the decoder sees besides those that are judged, at either end
WEIGHTS = dict(mel=15, linear=1, statistics=1)


def factor_of_rate(step, share):
    """Warm-up; constant to 30 % of the training, then cosine to 3 %."""
    late = max(0, (share - 0.3) / 0.7)
    return min(1, (step + 1) / 50) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * late)))


def train(codec, hop, arguments, save):
    """The averaged codec is saved every three minutes and at the end."""
    rate, device = codec.sample_rate, arguments.device
    frames = arguments.frames
    sounds = Segments(arguments.sounds, (frames + 2 * CONTEXT) * hop, rate, device)
    codec.requires_grad_(False)
    average = copy.deepcopy(codec)
    decoder = codec.decoder.requires_grad_(True)
    learned, averaged = list(decoder.parameters()), list(average.decoder.parameters())
    optimizer = torch.optim.AdamW(learned, lr=arguments.rate, betas=(0.8, 0.99))
    begin = shown = saved = time.monotonic()
    step, totals, count = 0, {}, 0
    while (share := (time.monotonic() - begin) / (60 * arguments.minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = arguments.rate * factor_of_rate(step, share)
        original = sounds.batch(arguments.batch_size, step + 10 ** 6 * arguments.seed)
        with torch.no_grad():
            latents = codec.quantizer(codec.encoder(original))[0]
        judged = slice(CONTEXT * hop, (CONTEXT + frames) * hop)
        ours, original = decoder(latents)[:, :, judged], original[:, :, judged]
        mel, linear = spectral_losses(ours, original, rate)
        statistics = statistics_losses(ours, original, rate)
        loss = (WEIGHTS["mel"] * mel + WEIGHTS["linear"] * linear
                + WEIGHTS["statistics"] * sum(statistics.values()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 5)
        optimizer.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(averaged, learned, 1 - min(arguments.averaging, step / (9 + step)))
        for name, value in dict(mel=mel, linear=linear, **statistics).items():
            totals[name] = totals.get(name, 0) + value.detach()
        count += 1
        now = time.monotonic()
        if now - shown > 20:
            shown = now
            figures = "  ".join(f"{name} {float(value) / count:.4g}"
                                for name, value in totals.items())
            print(f"step {step}, {100 * share:.0f} %  {step / (now - begin):.2f}/s  {figures}",
                  flush=True)
            totals, count = {}, 0
        if now - saved > 180:
            saved = now
            save(average)
    save(average)
    print(f"saved after step {step}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", help="folder of WAV files named CLASS-….wav")
    parser.add_argument("weights", help="of a codec that train.py made")
    parser.add_argument("--out", default="tuned.pth")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64, help="of a segment: longer ones show slower modulation")
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate")
    parser.add_argument("--averaging", type=float, default=0.995)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0, help="of the batches")
    arguments = parser.parse_args()
    content = torch.load(arguments.weights, map_location="cpu", weights_only=True)
    official = content["state_dict"]
    hop = math.prod(content["metadata"]["kwargs"]["decoder_rates"])

    def save(codec):
        """All but the decoder stays what it was, to the bit."""
        tuned = {name: value.detach().cpu().half() for name, value in codec.state_dict().items()
                 if name.startswith("decoder.")}
        unknown = tuned.keys() - official.keys()
        if unknown:
            raise SystemExit(f"{arguments.weights}: has no {min(unknown)}; weights of train.py are expected")
        state = official | tuned
        out = pathlib.Path(arguments.out)
        torch.save(dict(content, state_dict=state), out.with_name(out.name + ".new"))
        out.with_name(out.name + ".new").rename(out)

    train(load(arguments.weights).to(arguments.device), hop, arguments, save)


if __name__ == "__main__":
    main()
