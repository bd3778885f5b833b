"""Trains the bundled ResNet-20s on all of Fashion-MNIST and writes them with their cards.

    python bench/train_bundled.py relu --data /usr/share/datasets/fashion-mnist --out DIR

58,000 of the 60,000 training images train; the last 2,000 are a validation split that is only
printed: nothing is selected. The test images are looked at once, at the end.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from isospike.activations import ClipQuant
from isospike.data.idx import load_idx
from isospike.train.loop import Schedule, accuracy, fit
from isospike.zoo.normalize import Normalize
from isospike.zoo.resnet import ResNet

VALIDATION = 2000


def build(kind: str) -> nn.Module:
    activation = nn.ReLU if kind == "relu" else lambda: ClipQuant(theta=4.0, levels=4)
    return nn.Sequential(Normalize([0.2860], [0.3530]), ResNet(channels=1, activation=activation))


def save(model: nn.Module, path: Path) -> None:
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["relu"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    images, labels = load_idx(args.data, "train")
    test_images, test_labels = load_idx(args.data, "t10k")
    images, test_images = images.float() / 255, test_images.float() / 255
    torch.manual_seed(args.seed)
    model = build(args.kind).to(memory_format=torch.channels_last)
    if args.init:
        model.load_state_dict(load_file(args.init), strict=args.kind == "relu")
    schedule = Schedule(epochs=args.epochs, lr=args.lr, seed=args.seed)
    started = time.time()

    def each_epoch(epoch: int, averaged: nn.Module) -> None:
        score = accuracy(averaged, images[-VALIDATION:], labels[-VALIDATION:])
        print(f"epoch {epoch} validation {score:.4f} {time.time() - started:.0f} s", flush=True)
        save(averaged, args.out / f"{args.kind}.part.safetensors")

    averaged = fit(model, images[:-VALIDATION], labels[:-VALIDATION], schedule, each_epoch)
    score = accuracy(averaged, test_images, test_labels)
    print(f"test {score:.4f}")
    save(averaged, args.out / f"{args.kind}.safetensors")
    card = {"schedule": asdict(schedule), "test_accuracy": score, "seconds": time.time() - started}
    (args.out / f"{args.kind}.json").write_text(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
