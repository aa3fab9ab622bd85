"""Second stage: trains the decoder of a codec on, so that textures keep the statistics of their
subbands; encoder and codebooks stay, and with them the codes of all data sets and models.

    dsf_textures --out sounds --count 150 --seconds 5 --seed 1
    python tools/codec_training/tune_decoder.py sounds/train-wav codec/weights.pth --out tuned \\
      --device cuda --minutes 6
    python tools/codec_training/tune_decoder.py …  # with the same arguments: goes on where it was

Writes tuned/state.pt (everything, every minute) and tuned/weights.pth (averaged weights, as
train.py's). `--minutes` is the length of the whole training, over all calls; `--stop-after` ends one
call earlier.

Distances of spectra alone leave sound too smooth, and neighbouring bands too much alike: noise that
a decoder cannot predict it leaves out. The statistics ask for its amount and independence, not for
its course; discriminators keep the decoder from paying for them with tones at the frame rate.
"""
import argparse
import copy
import math
import pathlib
import time

import torch

from data import Segments
from evaluate import load
from generated import Generated
from losses import adversarial_losses, course_loss, discriminator_loss, line_loss, spectral_losses
from model import SpectrogramDiscriminator
from recording import Recorded
from texture_statistics import statistics_differences

FEWEST_FRAMES = 44  # in which half a second's level can be measured
CONTEXT = 4  # frames that the decoder sees besides those that are judged, at either end
WINDOWS = (2048, 1024, 512)
WEIGHTS = dict(mel=15, linear=1, lines=10, course=4, adversarial=3, features=4)
EACH, MEAN = 1, 10  # weights of what one segment's statistics differ by, and a class's on average
TRACKING = 0.95     # of that average, from step to step
GENERATED, TRACKING_GENERATED = 0.5, 0.97  # the same of the average of what a model generates
GAINS = (-6, 9)     # dB: gusts of strong wind are that loud beside the mean of a long sound
ALONE = 0.04  # share of the training in which the discriminators learn, and nothing listens to them


def factor_of_rate(step, share):
    """Warm-up; constant to 30 % of the training, then cosine to 3 %."""
    late = min(1, max(0, (share - 0.3) / 0.7))
    return min(1, (step + 1) / 50) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * late)))


class Tuning:
    def __init__(self, arguments):
        self.arguments = arguments
        self.content = torch.load(arguments.weights, map_location="cpu", weights_only=True)
        self.hop = math.prod(self.content["metadata"]["kwargs"]["decoder_rates"])
        self.codec = load(arguments.weights).to(arguments.device).requires_grad_(False)
        self.average = copy.deepcopy(self.codec.decoder)
        self.codec.decoder.requires_grad_(True)
        self.sounds = Segments(arguments.sounds, (arguments.frames + 2 * CONTEXT) * self.hop,
                               self.codec.sample_rate, arguments.device, GAINS)
        self.classes = len(self.sounds.places)
        if arguments.batch_size < 1 or arguments.batch_size % self.classes:
            raise SystemExit(f"--batch-size {arguments.batch_size}: a multiple of the classes, "
                             f"{self.classes}, is expected")
        if arguments.frames < FEWEST_FRAMES:
            raise SystemExit(f"--frames {arguments.frames}: {FEWEST_FRAMES} or more are expected")
        self.generated = (Generated(arguments.generated, self.codec, self.hop, arguments.generated_frames, CONTEXT)
                          if arguments.generated else None)
        if self.generated and arguments.device != "cpu":
            raise SystemExit("--generated: with --device cpu only; its steps are not recorded")
        self.tracked = {}  # of each group of statistics [classes, …]: the average difference
        torch.manual_seed(arguments.seed)
        self.judges = torch.nn.ModuleList(
            SpectrogramDiscriminator(window, arguments.discriminator_channels)
            for window in (WINDOWS if arguments.discriminator_channels else ())
        ).to(arguments.device)
        self.on_gpu = arguments.device != "cpu"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        self.learned = list(self.codec.decoder.parameters())
        self.rates = [(arguments.rate, self.learned)]
        if self.judges:
            self.rates.append((2 * arguments.rate, list(self.judges.parameters())))
        self.optimizers = [
            torch.optim.AdamW(learned, lr=rate, betas=(0.8, 0.99), capturable=self.on_gpu, fused=self.on_gpu)
            for rate, learned in self.rates]
        self.recorded = Recorded(self.update) if self.on_gpu else None
        self.step, self.before = 0, 0.0  # seconds that earlier calls trained
        self.out = pathlib.Path(arguments.out)
        self.out.mkdir(parents=True, exist_ok=True)
        if (self.out / "state.pt").exists():
            state = torch.load(self.out / "state.pt", map_location=arguments.device, weights_only=True)
            for name, value in self.lasting().items():
                if state["arguments"][name] != value:
                    raise SystemExit(f"{self.out / 'state.pt'}: was begun with --{name.replace('_', '-')} "
                                     f"{state['arguments'][name]}, not {value}")
            for name, part in self.parts().items():
                part.load_state_dict(state[name])
            self.step, self.before, self.tracked = state["step"], state["seconds"], state["tracked"]
            print(f"goes on after step {self.step}", flush=True)
        elif self.generated:
            self.generated.begin(self.tracked)
        if self.on_gpu:  # graphs read the rate of the day
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = torch.zeros((), device=arguments.device)
        self.begin = time.monotonic()

    def parts(self):
        return dict(decoder=self.codec.decoder, average=self.average, judges=self.judges,
                    **{f"optimizer{i}": optimizer for i, optimizer in enumerate(self.optimizers)})

    def lasting(self):
        """The arguments that must be the same when a training goes on."""
        return {name: value for name, value in vars(self.arguments).items() if name not in ("out", "stop_after")}

    def seconds(self):
        return self.before + time.monotonic() - self.begin

    def save(self):
        """All but the decoder stays what it was, to the bit."""
        official = self.content["state_dict"]
        tuned = {"decoder." + name: value.detach().cpu().half()
                 for name, value in self.average.state_dict().items()}
        if unknown := tuned.keys() - official.keys():
            raise SystemExit(f"{self.arguments.weights}: has no {min(unknown)}; weights of train.py are expected")
        state = {name: part.state_dict() for name, part in self.parts().items()}
        state |= dict(step=self.step, seconds=self.seconds(), tracked=self.tracked, arguments=self.lasting())
        for name, content in (("state.pt", state),
                              ("weights.pth", dict(self.content, state_dict=official | tuned))):
            torch.save(content, self.out / (name + ".new"))
            (self.out / (name + ".new")).rename(self.out / name)

    def train_step(self, share):
        for optimizer, (rate, _) in zip(self.optimizers, self.rates):
            for group in optimizer.param_groups:
                now = rate * factor_of_rate(self.step, share)
                if self.on_gpu:
                    group["lr"].fill_(now)
                else:
                    group["lr"] = now
        original = self.sounds.batch(self.arguments.batch_size, self.step + 10 ** 6 * self.arguments.seed)
        listens = bool(self.judges) and share >= ALONE
        report = (self.recorded or self.update)(original, listens)
        self.step += 1
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), self.learned,
                                 1 - min(self.arguments.averaging, self.step / (9 + self.step)))
        return report

    def update(self, original, listens):
        """One step of both optimizers; its losses."""
        rate, frames = self.codec.sample_rate, self.arguments.frames
        with torch.no_grad():
            latents = self.codec.quantizer(self.codec.encoder(original))[0]
        judged = slice(CONTEXT * self.hop, (CONTEXT + frames) * self.hop)
        ours = self.codec.decoder(latents)[:, :, judged].contiguous()
        original = original[:, :, judged].contiguous()

        mel, linear = spectral_losses(ours, original, rate)
        report = dict(mel=mel, linear=linear, lines=line_loss(ours, original, self.hop),
                      course=course_loss(ours, original, rate))
        if self.judges:
            self.judge(ours, original)
        if listens:
            self.judges.requires_grad_(False)
            report["adversarial"], report["features"] = adversarial_losses(self.judges, ours, original)
            self.judges.requires_grad_(True)
        loss = sum(WEIGHTS[name] * value for name, value in report.items())
        for name, difference in statistics_differences(ours, original, rate).items():
            each, mean = difference.square().mean(), self.mean_difference(name, difference).square().mean()
            loss = loss + EACH * each + MEAN * mean
            report |= {name: each, "mean " + name: mean}
        if self.generated:
            generated = self.generated.losses(self.step, self.tracked, TRACKING_GENERATED)
            loss = loss + GENERATED * sum(generated.values())
            report |= generated
        self.optimizers[0].zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.learned, 5)
        self.optimizers[0].step()
        return {name: value.detach() for name, value in report.items()}

    def mean_difference(self, name, difference):
        """[classes, …]: what differences [B, …] of segments, the classes in turn, are on average over
        the last steps, with the gradient of this one's. One segment's statistics scatter, whatever the
        decoder does; what minutes are judged by is their mean."""
        mean = difference.view(-1, self.classes, difference.shape[1]).mean(0)
        if name not in self.tracked:
            self.tracked[name] = torch.zeros_like(mean.detach())
        self.tracked[name].lerp_(mean.detach(), 1 - TRACKING)
        return self.tracked[name] + (mean - mean.detach())

    def judge(self, ours, original):
        """A step of the discriminators."""
        self.optimizers[1].zero_grad()
        discriminator_loss(self.judges, ours, original).backward()
        torch.nn.utils.clip_grad_norm_(self.judges.parameters(), 10)
        self.optimizers[1].step()

    def train(self):
        arguments, first = self.arguments, self.step
        shown = saved = time.monotonic()
        totals, count = {}, 0
        end = min(60 * arguments.minutes, self.before + 60 * arguments.stop_after)
        while (seconds := self.seconds()) < end:
            for name, value in self.train_step(seconds / (60 * arguments.minutes)).items():
                totals[name] = totals.get(name, 0) + value
            count += 1
            if self.on_gpu and self.step % 20 == 0:
                torch.cuda.synchronize()  # the clock is to be that of what is done, not of what is queued
            now = time.monotonic()
            if now - shown > 20:
                shown = now
                figures = "  ".join(f"{name} {float(value) / count:.4g}" for name, value in totals.items())
                speed = (self.step - first) / (now - self.begin)
                print(f"step {self.step}, {seconds / 60:.1f} min  {speed:.2f}/s  {figures}", flush=True)
                totals, count = {}, 0
            if now - saved > 60:
                saved = now
                self.save()
        self.save()
        print(f"saved after step {self.step}, {self.seconds() / 60:.1f} minutes")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", help="folder of WAV files named CLASS-….wav")
    parser.add_argument("weights", help="of a codec that train.py made")
    parser.add_argument("--out", default="tuned")
    parser.add_argument("--minutes", type=float, default=60, help="of the whole training")
    parser.add_argument("--stop-after", type=float, default=math.inf, metavar="MINUTES", help="of this call")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--frames", type=int, default=64, help="of a segment: longer ones show slower modulation")
    parser.add_argument("--generated", metavar="FOLDER", help="a folder for each texture, with fresh .wav files "
                        "and .dac files that a model generated: their statistics count, too")
    parser.add_argument("--generated-frames", type=int, default=344, help="of a segment of these")
    parser.add_argument("--discriminator-channels", type=int, default=32, help="0: no discriminators")
    parser.add_argument("--rate", type=float, default=5e-4, help="learning rate")
    parser.add_argument("--averaging", type=float, default=0.998)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0, help="of the batches and the discriminators")
    Tuning(parser.parse_args()).train()


if __name__ == "__main__":
    main()
