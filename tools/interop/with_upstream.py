"""Checkpoints between dsf and upstream's own PyTorch code, compared by numbers.

Needs a checkout of upstream at two commits, a build of dsf, and Python with torch, numpy,
safetensors and tensorboard; nothing of dsf itself needs any of them.

    git clone https://github.com/lonce/DACSynthformer upstream
    git -C upstream worktree add ../seed 754c88f   # 27 January 2025
    git -C upstream worktree add ../later 8337576  # 18 March 2025

    with_upstream.py --seed seed --later later --bin build/release logits CASE_DIR...
    with_upstream.py --seed seed --later later --bin build/release adam CASE_DIR...
    with_upstream.py --seed seed --later later --bin build/release continue DATA_DIR

logits    dsf rewrites each golden case's checkpoint; upstream loads it (weights_only) and its
          logits are compared with the case's.
adam      upstream takes three Adam steps on each case's batch; dsf_check compares its own with them.
          --keep DIR writes upstream's weights after them to DIR/CASE.safetensors, as adam3/NAME:
          tests/data/adam3 was made so (the golden cases' own adam3 equal their parameters).
continue  PyTorch trains, saves, and goes on; dsf goes on from the file: ten losses side by side.
          Then the other way round.

Exit code 1 if a figure is above its limit.
"""
import argparse
import contextlib
import importlib
import importlib.machinery
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import safetensors
import safetensors.numpy
import torch
from tensorboard.backend.event_processing import event_accumulator

LOGITS_LIMIT = 1e-5  # relative, of the golden cases
LOSS_LIMIT = 1e-4    # absolute, over ten steps
LEARNING_RATE = 5e-4
FIRST_STEPS, NEXT_STEPS = 20, 10
SIZE_KEYS = ("embed_size", "num_layers", "num_heads", "forward_expansion", "dropout", "max_len",
             "num_classes", "num_codebooks", "vocab_size", "cond_size")


class Upstream:
    """Upstream's model classes, by the names that dsf gives them."""

    VARIANTS = ("rope_concat", "postnorm_concat", "rope_film", "rope_adaln")

    def __init__(self, seed, later):
        self.packages = {"seed": self._package("upstream_seed", seed),
                         "later": self._package("upstream_later", later)}

    @staticmethod
    def _package(name, checkout):
        """Both commits call their package DACTransformer: each gets a name of its own here."""
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(pathlib.Path(checkout) / "DACTransformer")]
        sys.modules[name] = importlib.util.module_from_spec(spec)
        return name

    @staticmethod
    def is_later(variant):
        return variant in ("rope_film", "rope_adaln")

    @staticmethod
    def class_name(variant):
        return ("PostNormCondDACTransformerDecoder" if variant == "postnorm_concat"
                else "RopeCondDACTransformer")

    def model(self, variant, sizes):
        package = self.packages["later" if self.is_later(variant) else "seed"]
        name = self.class_name(variant)
        module = importlib.import_module(f"{package}.{name.removesuffix('Decoder')}")
        arguments = {key: sizes[key] for key in SIZE_KEYS}
        if self.is_later(variant):
            arguments.update(input_type="int", use_adaLN=variant == "rope_adaln")
        with contextlib.redirect_stdout(None):  # it tells what it builds
            return getattr(module, name)(**arguments)

    def load(self, variant, path):
        """What upstream's load_model does, on a file that is not trusted."""
        checkpoint = torch.load(path, weights_only=True)
        model = self.model(variant, checkpoint)
        model.load_state_dict(checkpoint["model_state_dict"])
        optimizer = torch.optim.Adam(model.parameters())
        if "optimizer_state_dict" in checkpoint:
            optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
        elif self.is_later(variant):
            raise KeyError("optimizer_state_dict, which upstream's loader needs")
        return model, optimizer, checkpoint["inf_context_length"]

    def save(self, variant, model, optimizer, lookback, path):
        """What upstream's save_model does; its first version left the optimizer out."""
        checkpoint = {key: getattr(model, key) for key in SIZE_KEYS}
        checkpoint.update(model_state_dict=model.state_dict(), inf_context_length=lookback,
                          optimizer_state_dict=optimizer.state_dict())
        if self.is_later(variant):
            checkpoint.update(use_adaLN=model.use_adaLN, input_type=model.input_type)
        torch.save(checkpoint, path)


def band_mask(length, lookback):
    """0 where position i may see j, max(0, i - lookback) <= j <= i; else minus infinity."""
    i, j = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
    return torch.zeros(length, length).masked_fill((j > i) | (j < i - lookback), float("-inf"))


def mean_loss(logits, targets):
    return torch.nn.functional.cross_entropy(logits.flatten(0, 2), targets.flatten())


def train_steps(model, optimizer, batch, lookback, steps):
    """The loss before each of `steps` steps on one batch."""
    tokens, targets, cond = batch
    mask = band_mask(tokens.shape[1], lookback)
    model.train()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = mean_loss(model(tokens, cond, mask), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def run(*words, **options):
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def golden_case(directory):
    tensors = safetensors.numpy.load_file(directory / "case.safetensors")
    batch = tuple(torch.tensor(tensors[name]) for name in ("tokens", "targets", "cond"))
    return tensors, (batch[0].long(), batch[1].long(), batch[2])


def variant_of(directory):
    return next(variant for variant in Upstream.VARIANTS if directory.name.startswith(variant))


class Report:
    """Figures and their limits, a line each."""

    def __init__(self):
        self.failed = False

    def add(self, name, figure, limit):
        above = not figure <= limit
        self.failed |= above
        print(f"{name}: {figure:.2e}, limit {limit:.0e}, {'ABOVE' if above else 'ok'}")


def compare_logits(upstream, bin_dir, directories, report):
    for directory in directories:
        variant = variant_of(directory)
        tensors, (tokens, _, cond) = golden_case(directory)
        with tempfile.TemporaryDirectory() as folder:
            native, ours = f"{folder}/x.safetensors", f"{folder}/x.pth"
            run(bin_dir / "dsf_convert", directory / "checkpoint.pth", native, "--quiet")
            run(bin_dir / "dsf_convert", native, ours, "--quiet")
            model, _, lookback = upstream.load(variant, ours)
        model.eval()
        with torch.no_grad():
            logits = model(tokens, cond, band_mask(tokens.shape[1], lookback)).numpy()
        golden = tensors["logits"]
        report.add(f"{directory.name} logits of upstream from our .pth",
                   np.linalg.norm(logits - golden) / np.linalg.norm(golden), LOGITS_LIMIT)


def compare_adam(upstream, bin_dir, directories, keep, report):
    for directory in directories:
        tensors, batch = golden_case(directory)
        model, _, lookback = upstream.load(variant_of(directory), directory / "checkpoint.pth")
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        losses = train_steps(model, optimizer, batch, lookback, 3)
        moved = {f"adam3/{name}": weight.detach().numpy().copy()
                 for name, weight in model.named_parameters()}
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            safetensors.numpy.save_file(moved, keep / f"{directory.name}.safetensors")
        tensors.update(moved, losses=np.array(losses, dtype=np.float32))
        with safetensors.safe_open(directory / "case.safetensors", "np") as file:
            metadata = file.metadata()
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(directory / "checkpoint.pth", folder)
            safetensors.numpy.save_file(tensors, f"{folder}/case.safetensors", metadata)
            output = subprocess.run([bin_dir / "dsf_check", folder], capture_output=True, text=True)
        figures = re.findall(r"adam3/\S+: error (\S+), limit", output.stdout)
        if not figures:
            sys.exit(f"dsf_check compared no adam3:\n{output.stdout}{output.stderr}")
        # Of numbers with a NaN among them numpy's maximum is NaN; Python's may be any of them.
        report.add(f"{directory.name} weights after three steps, in learning rates, "
                   f"{len(figures)} tensors, worst", np.max(np.array(figures, dtype=float)), 0.02)
        report.add(f"{directory.name} dsf_check's exit code", output.returncode, 0)


def training_data(directory):
    """All files as one batch in alphabetic order: tokens, targets, conditioning; class names."""
    files = sorted(directory.glob("*.dac"))
    matches = [re.match(r"([^-]+)--[^-]+-(\d+\.\d+)-", file.name) for file in files]
    classes = sorted({match[1] for match in matches})
    codes = [np.load(file, allow_pickle=True)[()]["codes"][0, :4].T for file in files]
    frames = torch.tensor(np.stack(codes).astype(np.int64))
    cond = [[float(match[1] == name) for name in classes] + [float(match[2])] for match in matches]
    cond = torch.tensor(cond)[:, None, :].expand(-1, frames.shape[1] - 1, -1)
    return (frames[:, :-1], frames[:, 1:], cond.contiguous()), classes


class DsfTraining:
    """dsf_train on the same single batch."""

    def __init__(self, bin_dir, folder, data, classes, variant, sizes, lookback):
        self.bin_dir, self.folder = bin_dir, pathlib.Path(folder)
        if Upstream.is_later(variant):  # upstream's two schemas
            size = f"model_size: {sizes['embed_size']}\nuse_adaLN: {variant == 'rope_adaln'}\n"
        else:
            size = f"tblock_input_size: {sizes['embed_size'] + sizes['cond_size']}\n"
        (self.folder / "config.yaml").write_text(
            f"experiment: x\ndata_dir: {data.resolve()}\nvalidator_data_dir: null\n"
            f"TransformerClass: {Upstream.class_name(variant)}\n{size}"
            f"num_layers: {sizes['num_layers']}\n"
            f"num_heads: {sizes['num_heads']}\nforward_expansion: {sizes['forward_expansion']}\n"
            f"Ti: {lookback}\nTt: {sizes['max_len']}\nvocab_size: {sizes['vocab_size']}\n"
            f"num_tokens: {sizes['num_codebooks']}\nclass_names: [{', '.join(classes)}]\n"
            f"cond_params: 1\nbatch_size: {len(list(data.glob('*.dac')))}\ndropout_rate: 0.0\n"
            f"learning_rate: {LEARNING_RATE}\nnum_epochs: 1\nErrorLogRate: 1\n"
            f"checkpoint_interval: 1000\n")

    def train(self, experiment, epochs, *options):
        """Losses of the epochs, one step each, and the last checkpoint."""
        run(self.bin_dir / "dsf_train", "config.yaml", "--set", f"num_epochs={epochs}", "--set",
            f"experiment={experiment}", *options, "--quiet", cwd=self.folder)
        directory = self.folder / "runs" / experiment
        events = event_accumulator.EventAccumulator(str(directory))
        events.Reload()
        losses = [event.value for event in events.Scalars("Loss/train")]
        assert len(losses) == epochs, losses
        return losses, max(directory.glob("*_chkpt_*.safetensors"))


def compare_continued(upstream, bin_dir, data, variants, report):
    batch, classes = training_data(data)
    sizes = {"embed_size": 24, "num_layers": 2, "num_heads": 2, "forward_expansion": 2,
             "dropout": 0.0, "max_len": batch[0].shape[1], "num_classes": len(classes),
             "num_codebooks": 4, "vocab_size": 1024, "cond_size": len(classes) + 1}
    lookback = 86
    for variant in variants:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            dsf = DsfTraining(bin_dir, folder, data, classes, variant, sizes, lookback)

            torch.manual_seed(1)
            model = upstream.model(variant, sizes)
            optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
            train_steps(model, optimizer, batch, lookback, FIRST_STEPS)
            upstream.save(variant, model, optimizer, lookback, folder / "theirs.pth")
            theirs = train_steps(model, optimizer, batch, lookback, NEXT_STEPS)
            ours, _ = dsf.train("from_theirs", NEXT_STEPS, "--from", folder / "theirs.pth")
            report.add(f"{variant} PyTorch {FIRST_STEPS} steps, dsf {NEXT_STEPS} more (loss "
                       f"{theirs[0]:.4f} to {theirs[-1]:.4f}), largest difference",
                       np.abs(np.subtract(ours, theirs)).max(), LOSS_LIMIT)

            _, checkpoint = dsf.train("ours", FIRST_STEPS)
            run(bin_dir / "dsf_convert", checkpoint, folder / "ours.pth", "--quiet")
            ours, _ = dsf.train("from_ours", NEXT_STEPS, "--from", checkpoint)
            model, optimizer, lookback = upstream.load(variant, folder / "ours.pth")
            theirs = train_steps(model, optimizer, batch, lookback, NEXT_STEPS)
            report.add(f"{variant} dsf {FIRST_STEPS} steps, PyTorch {NEXT_STEPS} more (loss "
                       f"{ours[0]:.4f} to {ours[-1]:.4f}), largest difference",
                       np.abs(np.subtract(ours, theirs)).max(), LOSS_LIMIT)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", required=True, help="upstream's checkout of January 2025")
    parser.add_argument("--later", required=True, help="upstream's checkout of March 2025")
    parser.add_argument("--bin", required=True, type=pathlib.Path, help="folder of dsf's programs")
    parser.add_argument("--variants", nargs="+", default=Upstream.VARIANTS,
                        choices=Upstream.VARIANTS, help="of `continue`")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR",
                        help="of `adam`: where to write upstream's weights")
    parser.add_argument("what", choices=["logits", "adam", "continue"])
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    bin_dir = arguments.bin.resolve()
    upstream = Upstream(arguments.seed, arguments.later)
    report = Report()
    if arguments.what == "logits":
        compare_logits(upstream, bin_dir, arguments.paths, report)
    elif arguments.what == "adam":
        compare_adam(upstream, bin_dir, arguments.paths, arguments.keep, report)
    else:
        for data in arguments.paths:
            compare_continued(upstream, bin_dir, data, arguments.variants, report)
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
