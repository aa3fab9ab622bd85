"""Our own PyTorch version of upstream's RopeCondDACTransformer, for comparison only: that of
January 2025 (rope_concat) and the later one (rope_film).

  torch_model.py --check CASE_DIR     logits of a golden case, relative error
  torch_model.py --time [--variant rope_film] [--compile] [--device cuda] [--precision fp32 bf16]
                                      seconds of training steps and window frames: of 2 threads, or
                                      of a GPU, there of attention too; there compiled, which takes
                                      long, of the larger model's training step alone
"""
import argparse
import json
import math
import os
import statistics
import struct
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def rope_tables(length, embed):
    planes = embed // 2
    frequency = 1.0 / (10000 ** (torch.arange(0.0, planes, 2.0) / planes))
    angle = torch.arange(length).unsqueeze(1) * frequency.unsqueeze(0)
    return (torch.sin(angle).repeat_interleave(2, 1)[:, :planes],
            torch.cos(angle).repeat_interleave(2, 1)[:, :planes])


def rotate(x, tables):
    a, b = x.chunk(2, dim=-1)
    first, second = (table[: x.shape[1]] for table in tables)
    return torch.cat([a * first - b * second, a * second + b * first], dim=-1)


class Attention(nn.Module):
    """Projects, rotates, projects again with the same weights (as upstream), attends."""

    def __init__(self, embed, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * embed, embed))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * embed))
        self.out_proj = nn.Linear(embed, embed)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x, tables, mask):
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        q, k, v = (F.linear(x, w, b) for w, b in zip(weights, biases))
        q, k = rotate(q, tables), rotate(k, tables)
        batch, length, embed = x.shape
        q, k, v = (F.linear(t, w, b).view(batch, length, self.heads, -1).transpose(1, 2)
                   for t, w, b in zip((q, k, v), weights, biases))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask,
                                           dropout_p=self.dropout if self.training else 0.0)
        return self.out_proj(y.transpose(1, 2).reshape(batch, length, embed))


def feed_forward(embed, expansion):
    return nn.Sequential(nn.Linear(embed, expansion * embed), nn.ReLU(),
                         nn.Linear(expansion * embed, embed))


class ConcatBlock(nn.Module):
    def __init__(self, embed, cond, heads, expansion, dropout):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(embed), nn.LayerNorm(embed)
        self.linear_reduce = nn.Linear(embed + cond, embed)
        self.attention = Attention(embed, heads, dropout)
        self.feed_forward = feed_forward(embed, expansion)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, cond, tables, mask):
        r = self.linear_reduce(torch.cat([self.norm1(x), cond], dim=-1))
        y = self.drop(self.attention(r, tables, mask)) + r
        return self.drop(self.feed_forward(self.norm2(y))) + y


class Film(nn.Module):
    def __init__(self, embed, cond, width=64):
        super().__init__()
        self.cond_embedding = nn.ModuleDict({"mlp": nn.Sequential(
            nn.Linear(cond, width), nn.ReLU(), nn.Linear(width, width))})
        self.linear_gamma, self.linear_beta = nn.Linear(width, embed), nn.Linear(width, embed)

    def forward(self, x, cond):
        e = self.cond_embedding["mlp"](cond)
        return self.linear_gamma(e) * x + self.linear_beta(e)


class FilmBlock(nn.Module):
    def __init__(self, embed, cond, heads, expansion, dropout):
        super().__init__()
        self.norm = nn.LayerNorm(embed, elementwise_affine=False)
        self.attention = Attention(embed, heads, dropout)
        self.feed_forward = feed_forward(embed, expansion)
        self.conditioning1, self.conditioning2 = Film(embed, cond), Film(embed, cond)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, cond, tables, mask):
        m = self.conditioning1(self.norm(x), cond)
        y = self.norm(self.drop(self.attention(m, tables, mask)) + m)
        return self.drop(self.feed_forward(self.conditioning2(y, cond))) + y


BLOCKS = {"rope_concat": ConcatBlock, "rope_film": FilmBlock}


class Model(nn.Module):
    def __init__(self, variant, embed, cond, layers, heads, expansion, lookback, length, codebooks,
                 vocab, dropout):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(vocab, embed // codebooks)
                                        for _ in range(codebooks))
        self.layers = nn.ModuleList(BLOCKS[variant](embed, cond, heads, expansion, dropout)
                                    for _ in range(layers))
        self.final_layer = nn.Linear(embed, codebooks * vocab)
        self.drop, self.codebooks = nn.Dropout(dropout), codebooks
        for i, table in enumerate(rope_tables(length, embed)):
            self.register_buffer(f"rope{i}", table)
        i, j = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
        seen = (j <= i) & (j >= i - lookback)
        self.register_buffer("mask", torch.zeros(length, length).masked_fill(~seen, -math.inf))

    def forward(self, tokens, cond):
        x = torch.cat([e(tokens[:, :, n]) for n, e in enumerate(self.embeddings)], dim=-1)
        x, length = self.drop(x), tokens.shape[1]
        for layer in self.layers:
            x = layer(x, cond, (self.rope0, self.rope1), self.mask[:length, :length])
        return self.final_layer(x).unflatten(-1, (self.codebooks, -1))


def read_case(directory):
    with open(os.path.join(directory, "case.safetensors"), "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    types = {"F32": np.float32, "I32": np.int32}
    meta = header.pop("__metadata__")
    return meta, {
        name: torch.from_numpy(np.frombuffer(data[e["data_offsets"][0]:e["data_offsets"][1]],
                                             types[e["dtype"]]).reshape(e["shape"]).copy())
        for name, e in header.items()}


def check(directory):
    meta, case = read_case(directory)
    m = {key: int(value) for key, value in meta.items() if value.isdigit()}
    model = Model(meta["variant"], m["embed_size"], m["cond_size"], m["num_layers"], m["num_heads"],
                  m["forward_expansion"], m["Ti"], m["Tt"], m["num_codebooks"], m["vocab_size"], 0)
    state = {name.removeprefix("param/").replace("multi_embedding.embeddings", "embeddings")
             .replace("multi_embedding.layers", "embeddings"): tensor
             for name, tensor in case.items()
             if name.startswith("param/") and "positional_embedding" not in name}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name in ("mask", "rope0", "rope1") for name in missing)
    logits = model.eval()(case["tokens"].long(), case["cond"])
    error = ((logits - case["logits"]).norm() / case["logits"].norm()).item()
    print(f"logits: relative error {error:.2e}")
    return error <= 1e-5


SIZES = {"params": dict(embed=504, layers=4, heads=8, expansion=4, lookback=172, batch=8),
         "params_sm": dict(embed=24, layers=2, heads=2, expansion=2, lookback=86, batch=4)}


class Where:
    """The device and precision of what is timed. A GPU is waited for after `calls` calls only."""

    def __init__(self, device, precision):
        self.device, self.precision = device, precision
        self.calls = 16 if device == "cuda" else 1
        self.suffix = f"/{precision}" if device == "cuda" else ""
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"

    def autocast(self):
        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def timed(self, work, count, seconds):
        def calls():
            for _ in range(self.calls):
                work()
            if self.device == "cuda":
                torch.cuda.synchronize()

        calls(), calls()
        taken = []
        while len(taken) < count or (sum(taken) < seconds and len(taken) < 1000):
            begin = time.perf_counter()
            calls()
            taken.append(time.perf_counter() - begin)
        return statistics.median(taken) / self.calls, min(taken) / self.calls


def measure_attention(where):
    """Forward and backward of attention with the dense mask of a band, params.yaml size."""
    length, lookback = 430, 172
    q, k, v = (torch.randn(8, 8, length, 63, device=where.device, requires_grad=True)
               for _ in range(3))
    i, j = torch.meshgrid(torch.arange(length), torch.arange(length), indexing="ij")
    seen = (j <= i) & (j >= i - lookback)
    mask = torch.zeros(length, length).masked_fill(~seen, -math.inf).to(where.device)

    def step():
        with where.autocast():
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(
                torch.bfloat16 if where.precision == "bf16" else torch.float32), dropout_p=0.2)
        y.backward(v, inputs=[q, k, v])

    print("attention_forward_backward/params/torch_eager%s %.6f %.6f"
          % (where.suffix, *where.timed(step, 5, 1)), flush=True)


def measure(variant, compiled, where):
    kind = f"{variant}/torch_{'compiled' if compiled else 'eager'}{where.suffix}"
    timed, device = where.timed, where.device
    seconds = 5 if device == "cpu" else 1  # a GPU is not slowed down by what else is running
    for name, size in SIZES.items():
        s = dict(size)
        batch = s.pop("batch")
        torch.manual_seed(1)
        model = Model(variant, cond=8, length=430, codebooks=4, vocab=1024, dropout=0.2, **s)
        model = model.to(device)
        mode = "reduce-overhead" if device == "cuda" else "default"  # with CUDA graphs
        run = torch.compile(model, mode=mode) if compiled else model
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, fused=device == "cuda")
        tokens = torch.randint(0, 1024, (batch, 431, 4), device=device)
        cond = torch.full((batch, 430, 8), 0.5, device=device)

        def step():
            optimizer.zero_grad()
            with where.autocast():
                logits = run(tokens[:, :-1], cond)
                loss = F.cross_entropy(logits.reshape(-1, 1024), tokens[:, 1:].reshape(-1))
            loss.backward()
            optimizer.step()
            return loss.item() if device == "cpu" else loss

        print("train_step/%s/%s %.6f %.6f" % (name, kind, *timed(step, 5, seconds)), flush=True)
        if compiled and device == "cuda":
            break
        model.eval()
        window = torch.randint(0, 1024, (1, s["lookback"], 4), device=device)
        one = cond[:1, : s["lookback"]]
        with torch.inference_mode(), where.autocast():
            print("frame/%s/%s %.6f %.6f" % (name, kind, *timed(
                lambda: run(window, one)[0, -1].argmax(-1), 5, seconds)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", metavar="CASE_DIR")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--variant", choices=BLOCKS, default="rope_concat")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], nargs="+",
                        default=["fp32"])
    arguments = parser.parse_args()
    if arguments.check:
        raise SystemExit(0 if check(arguments.check) else 1)
    torch.set_num_threads(arguments.threads)
    print(f"# torch {torch.__version__}, {torch.get_num_threads()} threads, "
          f"{torch.backends.cpu.get_cpu_capability()}, mkl {torch.backends.mkl.is_available()}")
    if arguments.device == "cuda":
        print(f"# {torch.cuda.get_device_name()}")
    for precision in arguments.precision:
        where = Where(arguments.device, precision)
        if arguments.device == "cuda" and not arguments.compile:
            measure_attention(where)
        measure(arguments.variant, arguments.compile, where)
        torch.compiler.reset()


if __name__ == "__main__":
    main()
