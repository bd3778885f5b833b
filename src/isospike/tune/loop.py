"""Tuning a converted Program by gradient, on images without labels.

Every random number of iteration i follows from the seed and i alone, so a run that was cut off goes
on from its file bit for bit. The last eighth of the images, 500 at most, is held out: a network
that tuning has not brought nearer to its source there is returned as it was, with a note.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from isospike.errors import UsageError
from isospike.fit.fold_bias import fold_biases
from isospike.program import Program
from isospike.schedule import Synchronous
from isospike.train.augment import crop_flip
from isospike.train.checkpoint import part, read_tensors, seeded, under, write_tensors
from isospike.tune.forward import Trainable
from isospike.tune.loss import LOSSES, Found, teacher
from isospike.tune.settings import Tune

Progress = Callable[[str, int, int], None]
FRAMES = 512  # images x steps in one piece of a batch: bounds the memory of the backward pass
EVERY = 50  # iterations between two files
UNTUNED = "tuning brought it no nearer to its source on the images held out: left as it was before"
WARMUP = 0.05  # of all iterations
HELD_OUT = 500  # images at most


def tune(
    program: Program,
    images: Tensor,
    steps: int,
    settings: Tune,
    progress: Progress = lambda what, done, total: None,
) -> Program:
    """A tuned program of T = `steps` from images [N, ...]; `program` is unchanged.

    Raises UsageError for another schedule than plain synchronous, a neuron that is not binary, or a
    program without its source network; FormatError for a damaged file in `settings.folder`.
    """
    if not isinstance(program.schedule, Synchronous) or not program.schedule.plain:
        raise UsageError(
            "tuning runs T steps and reads all of them: no other schedule, delay or decoder"
        )
    if program.source is None:
        raise UsageError("tuning needs the source network: the program does not hold it")
    held = min(len(images) // 8, HELD_OUT)
    run = Run(program, images[: len(images) - held], steps, settings)
    run.resume()
    while run.done < run.total:
        progress("tuning", run.done, run.total)
        run.iterate()
        if run.done % EVERY == 0 or run.done == run.total:
            run.keep()
    progress("tuning", run.total, run.total)
    if not run.total:
        return program
    if held and run.distance(images[-held:]) > run.first(images[-held:]):
        return program.noted(UNTUNED)
    return fold_biases(run.network.program())


class Run:
    """images [N, ...] to tune on; `done` of `total` iterations."""

    def __init__(self, program: Program, images: Tensor, steps: int, settings: Tune) -> None:
        self.program, self.images, self.steps, self.settings = program, images, steps, settings
        self.network = self.trainable()
        self.done, self.total = 0, settings.total(len(images))
        named = self.network.parameters.items()
        weights = [p for name, p in named if name.startswith("graph.") and p.dim() > 1]
        others = [p for name, p in named if not (name.startswith("graph.") and p.dim() > 1)]
        self.adam = torch.optim.Adam(
            [{"params": weights, "most": settings.lr},
             {"params": others, "most": settings.lr * settings.fast}],
            betas=(0.9, 0.99),
        )  # fmt: skip
        self.file = self.place()

    def trainable(self) -> Trainable:
        knobs = self.settings
        return Trainable(
            self.program, self.steps, knobs.slope, knobs.backward == "mean",
            knobs.weights, knobs.drift, knobs.learn_leak,
        )  # fmt: skip

    @torch.enable_grad()
    def iterate(self) -> None:
        """One step of Adam."""
        x = self.batch(self.done)
        for group in self.adam.param_groups:
            group["lr"] = group["most"] * self.rate(self.done)
        self.adam.zero_grad()
        for piece in x.split(max(1, FRAMES // self.steps)):
            loss = self.loss(self.narrow, piece)
            (loss * (len(piece) / len(x))).backward()
        self.adam.step()
        self.network.clamp()
        self.done += 1

    def narrow(self, x: Tensor) -> Found:
        """The spiking network in the precision of the settings."""
        bf16 = self.settings.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            logits, rates = self.network(x)
        return logits.to(x.dtype), rates

    def rate(self, number: int) -> float:
        """Share of the largest learning rate."""
        fall = 0.5 * (1 + math.cos(math.pi * number / self.total))
        return min(1.0, (number + 1) / max(1, WARMUP * self.total)) * fall

    def batch(self, number: int) -> Tensor:
        """The images of an iteration, cropped and flipped."""
        settings = self.settings
        size = min(settings.batch, len(self.images))
        epoch, index = divmod(number, len(self.images) // size)
        order = torch.randperm(
            len(self.images), generator=torch.Generator().manual_seed(seeded(settings.seed, epoch))
        )
        x = self.images[order[index * size : (index + 1) * size]]
        if x.dim() != 4:
            return x
        generator = torch.Generator().manual_seed(seeded(settings.seed, epoch, index))
        if settings.pad or settings.flip:
            x = crop_flip(x, settings.pad, generator, settings.flip)
        return x.contiguous(memory_format=torch.channels_last)

    def loss(self, network: Callable[[Tensor], Found], x: Tensor) -> Tensor:
        assert self.program.source is not None
        target, activations = teacher(self.program.source, x)
        return LOSSES[self.settings.loss](network(x), target, activations, self.settings)

    def distance(self, images: Tensor) -> float:
        """The loss on images as they are."""
        return self.measure(self.network, images)

    def first(self, images: Tensor) -> float:
        """The loss before tuning."""
        return self.measure(self.trainable(), images)

    @torch.no_grad()
    def measure(self, network: Trainable, images: Tensor) -> float:
        pieces = images.split(max(1, FRAMES // self.steps))
        total = sum(self.loss(network, piece).item() * len(piece) for piece in pieces)
        return total / len(images)

    def place(self) -> Path | None:
        """The file of this very run: its name follows from everything that the result does."""
        if not self.settings.folder:
            return None
        facts = {**asdict(self.settings), "folder": "", "steps": self.steps}
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        start = self.program.map_tensors(lambda t: _hashed(digest, t))
        _hashed(digest, self.images)
        assert start.graph is not None
        return Path(self.settings.folder) / f"tune-{digest.hexdigest()[:16]}.safetensors"

    def keep(self) -> None:
        if self.file is None:
            return
        named = self.network.parameters
        moments = {name: self.adam.state[p] for name, p in named.items() if p in self.adam.state}
        tensors = {
            **under("value", named),
            **under("mean", {name: state["exp_avg"] for name, state in moments.items()}),
            **under("square", {name: state["exp_avg_sq"] for name, state in moments.items()}),
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(self.file, tensors, {"done": self.done})

    @torch.no_grad()
    def resume(self) -> None:
        """Go on where the file of this run stopped, where there is one."""
        if self.file is None or not self.file.exists():
            return
        tensors, facts = read_tensors(self.file)
        self.done = int(facts["done"])
        means, squares = part(tensors, "mean"), part(tensors, "square")
        for name, value in part(tensors, "value").items():
            parameter = self.network.parameters[name]
            parameter.copy_(value)
            if name in means:
                self.adam.state[parameter] = {
                    "step": torch.tensor(float(self.done)),
                    "exp_avg": means[name], "exp_avg_sq": squares[name],
                }  # fmt: skip


def _hashed(digest, tensor: Tensor) -> Tensor:
    digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
    digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return tensor
