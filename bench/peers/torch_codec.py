"""Our own PyTorch version of the Descript Audio Codec's decoder, for comparison only.

  torch_codec.py --check CASE_DIR     sound of a golden case, relative error
  torch_codec.py --time [--device cuda] [--precision fp32 bf16]
                                      seconds of decoding 430 frames (5 s of sound; --frames N:
                                      others) with random weights of the official size, from codes
                                      to samples of the host's memory
  torch_codec.py --time-onnx          the same by ONNX Runtime on the CPU
"""
import argparse
import os
import tempfile

import torch
from torch import nn

from torch_model import Where, read_case


class Snake(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, channels, 1))

    def forward(self, x):
        return x + (self.alpha + 1e-9).reciprocal() * torch.sin(self.alpha * x).pow(2)


class Unit(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.block = nn.Sequential(
            Snake(channels),
            nn.Conv1d(channels, channels, 7, dilation=dilation, padding=3 * dilation),
            Snake(channels), nn.Conv1d(channels, channels, 1))

    def forward(self, x):
        return x + self.block(x)


class Block(nn.Module):
    def __init__(self, inputs, outputs, rate):
        super().__init__()
        self.block = nn.Sequential(
            Snake(inputs),
            nn.ConvTranspose1d(inputs, outputs, 2 * rate, rate, padding=(rate + 1) // 2),
            *(Unit(outputs, dilation) for dilation in (1, 3, 9)))

    def forward(self, x):
        return self.block(x)


class Quantizer(nn.Module):
    def __init__(self, codes, width, latent):
        super().__init__()
        self.codebook, self.out_proj = nn.Embedding(codes, width), nn.Conv1d(width, latent, 1)

    def forward(self, codes):
        return self.out_proj(self.codebook(codes).transpose(1, 2))


class Decoder(nn.Module):
    def __init__(self, latent, width, rates, codebooks, codes, code_width):
        super().__init__()
        self.quantizer = nn.Module()
        self.quantizer.quantizers = nn.ModuleList(Quantizer(codes, code_width, latent)
                                                  for _ in range(codebooks))
        blocks = [Block(width >> i, width >> i + 1, rate) for i, rate in enumerate(rates)]
        last = width >> len(rates)
        self.decoder = nn.Module()
        self.decoder.model = nn.Sequential(nn.Conv1d(latent, width, 7, padding=3), *blocks,
                                           Snake(last), nn.Conv1d(last, 1, 7, padding=3), nn.Tanh())

    def forward(self, codes):
        z = sum(quantizer(codes[:, n]) for n, quantizer in enumerate(self.quantizer.quantizers))
        return self.decoder.model(z)


def folded(state):
    """Weights of the modules above: a weight norm's direction and length become one tensor."""
    merged = {}
    for name, tensor in state.items():
        if name.endswith(".weight_v"):
            base, axes = name[:-2], tuple(range(1, tensor.ndim))
            length = tensor.pow(2).sum(axes, keepdim=True).sqrt()
            merged[base] = state[base + "_g"] * tensor / length
        elif not name.endswith(".weight_g"):
            merged[name] = tensor
    return merged


def check(directory):
    meta, case = read_case(directory)
    numbers = {key: int(value) for key, value in meta.items() if value.isdigit()}
    rates = [int(rate) for rate in meta["decoder_rates"].strip("[]").split(",")]
    latent = case["decode/z"].shape[1]
    model = Decoder(latent, numbers["decoder_dim"], rates, numbers["n_codebooks"],
                    numbers["codebook_size"], numbers["codebook_dim"])
    stored = torch.load(os.path.join(directory, "weights.pth"), weights_only=True)["state_dict"]
    missing = model.load_state_dict(folded(stored), strict=False).missing_keys
    assert not missing, missing
    with torch.inference_mode():
        audio = model(case["decode/codes"].long())
    expected = case["decode/audio"]
    error = ((audio - expected).norm() / expected.norm()).item()
    print(f"{directory} decode/audio: error {error:.2e}")
    return error < 1e-5


def official_size(frames):
    """The decoder with random weights, and codes of so many frames."""
    torch.manual_seed(1)
    model = Decoder(1024, 1536, (8, 8, 4, 2), 9, 1024, 8).eval()
    return model, torch.randint(0, 1024, (1, 9, frames))


def measure_onnx(threads, frames):
    import onnxruntime
    model, codes = official_size(frames)
    where = Where("cpu", "fp32")
    where.calls = 1
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "decoder.onnx")
        torch.onnx.export(model, (codes,), path, input_names=["codes"], dynamo=True, verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {"codes": codes.numpy()}
    with torch.inference_mode():
        wanted = model(codes)
    error = (torch.from_numpy(session.run(None, feed)[0]) - wanted).norm() / wanted.norm()
    assert error < 1e-4, f"what was exported is another decoder: error {error:.1e}"
    print("decode/official/onnxruntime %.6f %.6f" % where.timed(
        lambda: session.run(None, feed), 5, 1), flush=True)


def measure(where, frames):
    model, codes = official_size(frames)
    model = model.to(where.device)
    where.calls = 1  # each waits for its samples
    with torch.inference_mode(), where.autocast():
        print("decode/official/torch_eager%s %.6f %.6f" % (where.suffix, *where.timed(
            lambda: model(codes.to(where.device)).float().cpu(), 5, 1)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="CASE_DIR")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--time-onnx", action="store_true")
    parser.add_argument("--frames", type=int, default=430)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], nargs="+",
                        default=["fp32"])
    arguments = parser.parse_args()
    if arguments.check:
        raise SystemExit(0 if check(arguments.check) else 1)
    torch.set_num_threads(arguments.threads)
    if arguments.time_onnx:
        measure_onnx(arguments.threads, arguments.frames)
        return
    for precision in arguments.precision:
        measure(Where(arguments.device, precision), arguments.frames)


if __name__ == "__main__":
    main()
