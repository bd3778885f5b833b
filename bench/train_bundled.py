"""Trains the bundled ResNet-20s on Fashion-MNIST and writes each with the facts of its card.

    D=/usr/share/datasets/fashion-mnist       (Debian package dataset-fashion-mnist)
    B="python bench/train_bundled.py --data $D --out OUT"
    $B relu --epochs 22
    $B qcfs --epochs 6 --lr 0.05 --init OUT/relu.safetensors
    $B nq   --epochs 6 --lr 0.05 --init OUT/qcfs.safetensors
    $B residual --epochs 10 --lr 0.01 --clip 1 --init OUT/nq.safetensors    (the bundled fashion-nq)

58,000 of the 60,000 training images train. The last 2,000 are a validation split: NQ measures its
noise on it, and its accuracy is printed; nothing is selected by it. The test images are looked at
once, at the end. On a CPU, MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 in the
environment saves a quarter of the time.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from isospike.activations import ClipQuant
from isospike.data.idx import load_idx
from isospike.fit.calibration import Calibration
from isospike.fit.observe import observe
from isospike.fit.site import Site
from isospike.fit.thresholds import MMSE
from isospike.graph.rewrite import rewrite
from isospike.train.loop import Schedule, accuracy, fit
from isospike.train.nq import residual_sigma, set_sigma
from isospike.train.residual import ResidualForward
from isospike.units.binary import IF
from isospike.zoo.normalize import Normalize
from isospike.zoo.resnet import ResNet

VALIDATION = 2000
LEVELS = 4
NOISE_STEPS = 4  # T_v
STEPS = (1, 2, 4)  # the residuals that `residual` trains under


def build(kind: str) -> nn.Module:
    activation = nn.ReLU if kind == "relu" else lambda: ClipQuant(levels=LEVELS)
    return nn.Sequential(Normalize([0.2860], [0.3530]), ResNet(channels=1, activation=activation))


def start_thetas(model: nn.Module, relu: nn.Module, images: Tensor) -> None:
    """Clips that quantise the trained ReLU network's activations with the least squared error."""
    graph, _, _ = rewrite(relu, images[:4])
    stats = observe(graph, Calibration.collect(images, graph.input_shape, torch.float32))
    modules = dict(model.named_modules())
    for node in graph.sites:
        site = Site(node, LEVELS, stats[node.name], graph, torch.tensor(0.5), IF)
        modules[node.path].theta.data.fill_(float(MMSE(grain="layer").estimate(site)))


def initialise(kind: str, model: nn.Module, init: Path, images: Tensor) -> None:
    weights = load_file(init)
    from_relu = not any(name.endswith("theta") for name in weights)
    if kind != "relu" and from_relu:
        relu = build("relu")
        relu.load_state_dict(weights)
        start_thetas(model, relu, images)
    model.load_state_dict(weights, strict=not (from_relu and kind != "relu"))


@torch.no_grad()
def spiking_accuracy(model: nn.Module, steps: int, images: Tensor, labels: Tensor) -> float:
    """Of the spiking network, on the validation split."""
    spiking = ResidualForward((steps,))
    parts = zip(images[-VALIDATION:].split(200), labels[-VALIDATION:].split(200), strict=True)
    return sum(int((spiking(model, x).argmax(1) == y).sum()) for x, y in parts) / VALIDATION


def save(model: nn.Module, path: Path) -> None:
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["relu", "qcfs", "nq", "residual"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--clip", type=float, help="of the gradient's norm")
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    images, labels = load_idx(args.data, "train")
    test_images, test_labels = load_idx(args.data, "t10k")
    images, test_images = images.float() / 255, test_images.float() / 255
    torch.manual_seed(args.seed)
    model = build(args.kind)
    if args.init:
        initialise(args.kind, model, args.init, images[:1024])
    model = model.to(memory_format=torch.channels_last)
    schedule = Schedule(epochs=args.epochs, lr=args.lr, seed=args.seed, clip=args.clip)
    started, sigmas = time.time(), {}

    def measure_noise(measured: nn.Module) -> None:
        if args.kind == "nq":
            sigmas.update(residual_sigma(measured, images[-VALIDATION:], NOISE_STEPS))
            set_sigma(model, sigmas)
            print("sigma", {name: round(s, 3) for name, s in sigmas.items()}, flush=True)

    def each_epoch(epoch: int, averaged: nn.Module) -> None:
        score = accuracy(averaged, images[-VALIDATION:], labels[-VALIDATION:])
        print(f"epoch {epoch} validation {score:.4f} {time.time() - started:.0f} s", flush=True)
        if args.kind == "residual":
            print(
                {t: spiking_accuracy(averaged, t, images, labels) for t in (1, 2, 4, 8)}, flush=True
            )
        measure_noise(averaged)
        save(averaged, args.out / f"{args.kind}.part.safetensors")

    if args.init:  # a trained network has a gap to measure before its first epoch
        measure_noise(model.eval())
    how = ResidualForward(STEPS, args.seed) if args.kind == "residual" else nn.Module.__call__
    averaged = fit(model, images[:-VALIDATION], labels[:-VALIDATION], schedule, each_epoch, how)
    score = accuracy(averaged, test_images, test_labels)
    print(f"test {score:.4f}")
    save(averaged, args.out / f"{args.kind}.safetensors")
    card = {
        "activation": args.kind,
        "schedule": asdict(schedule),
        "init": args.init.name if args.init else None,
        "test_accuracy": score,
        "test_images": len(test_images),
        "seconds": round(time.time() - started),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    (args.out / f"{args.kind}.json").write_text(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
