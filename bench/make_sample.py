"""Writes the data sample that the package carries, from the four Fashion-MNIST IDX files.

    python bench/make_sample.py /usr/share/datasets/fashion-mnist

The files are in the Debian package dataset-fashion-mnist. The first 2,000 test images and the
first 1,024 training images with their labels, all uint8; the same files give the same bytes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from isospike.data.idx import load_idx

TARGET = Path(__file__).parents[1] / "src/isospike/data/fashion_sample.safetensors"
SIZES = {"test": ("t10k", 2000), "train": ("train", 1024)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the four IDX files are")
    folder = parser.parse_args().folder
    tensors = {}
    for split, (prefix, count) in SIZES.items():
        loaded = load_idx(folder, prefix)
        if loaded is None:
            raise SystemExit(f"{folder}: the {prefix} files are missing")
        images, labels = loaded
        tensors[f"{split}_images"] = images[:count].contiguous()  # [N, 1, 28, 28]
        tensors[f"{split}_labels"] = labels[:count].to(torch.uint8)  # [N]
    save_file(tensors, TARGET, {"source": "Fashion-MNIST, Zalando SE, MIT licence"})
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
