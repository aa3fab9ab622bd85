"""A frame of a model of our own class's sizes in PyTorch, with a cache of keys and values, for
comparison only: what generating costs there where nothing is computed again.

  torch_cached.py [--compile]     seconds of a frame of params.yaml's size, 2 threads, float32
"""
import argparse

import torch
import torch._inductor.config
from torch import nn
from torch.nn import functional as F

from torch_model import SIZES, Where, feed_forward

EMBED = 512


class Layer(nn.Module):
    """Pre-norm, each norm modulated by the condition; keys and values of the last frames in a ring."""

    def __init__(self, heads, expansion, lookback):
        super().__init__()
        self.heads, self.lookback = heads, lookback
        self.norms = nn.ModuleList(nn.LayerNorm(EMBED) for _ in range(2))
        self.project, self.out = nn.Linear(EMBED, 3 * EMBED), nn.Linear(EMBED, EMBED)
        self.forward_network = feed_forward(EMBED, expansion)
        size = (1, heads, lookback + 1, EMBED // heads)
        self.register_buffer("keys", torch.zeros(size))
        self.register_buffer("values", torch.zeros(size))

    def forward(self, x, film, turn, place):
        (scale, shift), (later_scale, later_shift) = film
        q, k, v = self.project(self.norms[0](x) * scale + shift).view(3, self.heads, 1, -1)
        q, k = (torch.cat([-t[..., 1::2], t[..., ::2]], -1) * turn[1] + t * turn[0] for t in (q, k))
        self.keys.index_copy_(2, place, k.unsqueeze(0))
        self.values.index_copy_(2, place, v.unsqueeze(0))
        y = F.scaled_dot_product_attention(q.unsqueeze(0), self.keys, self.values)
        x = x + self.out(y.reshape(1, EMBED))
        return x + self.forward_network(self.norms[1](x) * later_scale + later_shift)


class Model(nn.Module):
    def __init__(self, layers, heads, expansion, lookback):
        super().__init__()
        self.embedding = nn.ModuleList(nn.Embedding(1024, EMBED // 4) for _ in range(4))
        self.layers = nn.ModuleList(Layer(heads, expansion, lookback) for _ in range(layers))
        self.last = nn.LayerNorm(EMBED)
        self.head = nn.Linear(EMBED, 4 * 1024)

    def forward(self, codes, films, turn, place):
        x = torch.cat([table(code) for table, code in zip(self.embedding, codes)], -1).view(1, EMBED)
        for layer, film in zip(self.layers, films):
            x = layer(x, film, turn, place)
        logits = self.head(self.last(x)).view(4, 1024)
        best, which = logits.topk(100)
        return which.gather(1, torch.multinomial(best.softmax(-1), 1)).view(4)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(1)
    size = SIZES["params"]
    model = Model(size["layers"], size["heads"], size["expansion"], size["lookback"]).eval()
    if arguments.compile:
        torch._inductor.config.freezing = True  # weights become constants, in the products' order
    run = torch.compile(model) if arguments.compile else model
    # The condition's networks run when it changes, not in every frame: so do ours.
    films = [[(torch.ones(EMBED), torch.zeros(EMBED))] * 2 for _ in model.layers]
    turn = torch.ones(2, EMBED // size["heads"])
    codes, frame = torch.zeros(4, dtype=torch.long), 0

    def step():
        nonlocal codes, frame
        codes = run(codes, films, turn, torch.tensor([frame % (size["lookback"] + 1)]))
        frame += 1

    where = Where("cpu", "fp32")
    with torch.inference_mode():
        for _ in range(size["lookback"] + 1):
            step()
        print("frame/params/streaming/torch_cached%s %.6f %.6f" % (
            "_compiled" if arguments.compile else "", *where.timed(step, 50, 5)), flush=True)


if __name__ == "__main__":
    main()
