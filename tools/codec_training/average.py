"""A codec whose decoder lies between those of two: what one training won and what the other kept.

    python tools/codec_training/average.py codec/tuned.pth codec/longer.pth 0.6 --out codec/weights.pth

The share is the second's. Both must have the same encoder and codebooks, which stay.
"""
import argparse

import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("share", type=float)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    first, second = (torch.load(path, map_location="cpu", weights_only=True)
                     for path in (arguments.first, arguments.second))
    a, b = first["state_dict"], second["state_dict"]
    other = [name for name in a if not name.startswith("decoder.") and not torch.equal(a[name], b[name])]
    if a.keys() != b.keys() or other:
        raise SystemExit(f"{arguments.second}: another codec than {arguments.first}, {other[:1]} differs")
    state = {name: torch.lerp(value.float(), b[name].float(), arguments.share).half()
             if name.startswith("decoder.") else value for name, value in a.items()}
    torch.save(dict(first, state_dict=state), arguments.out)


if __name__ == "__main__":
    main()
