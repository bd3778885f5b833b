"""Writes the weights of a network that the package carries, from those of a training run.

    python bench/make_bundled.py run/model.safetensors fashion-vgg9

Kernels and matrices as float16, which halves the file (the rounded network is the one that is
measured); vectors (batch norm, biases) and clips as they are. The same run gives the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from isospike.cli.trainee import trained
from isospike.zoo import BUNDLED

ZOO = Path(__file__).parents[1] / "src/isospike/zoo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="DIR/model.safetensors of a training run")
    parser.add_argument("name", choices=sorted(BUNDLED))
    args = parser.parse_args()
    tensors = {
        name: (part.to(torch.float16) if name.endswith("weight") and part.dim() > 1 else part)
        for name, part in trained(args.weights).state_dict().items()
    }
    target = ZOO / f"{args.name}.safetensors"
    save_file(tensors, target)
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
