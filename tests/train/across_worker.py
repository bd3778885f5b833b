"""Run by `accelerate launch` in test_across.py: two epochs of each kind of network."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from isospike.activations import factory
from isospike.train.loop import Trainer
from isospike.train.run import validate
from isospike.train.settings import Settings
from isospike.train.validate import spiking
from train.task import net, task

SETTINGS = Settings(epochs=2, lr=0.05, batch=32, pad=1, average=0.5, cutout=2)
KINDS = {
    "plain": (False, SETTINGS),
    "norm": (True, SETTINGS),
    "noise-free nq": (True, replace(SETTINGS, average=0.0, nesterov=False, clip=0.5)),
    "rnl": (False, replace(SETTINGS, activation="rnl")),
    "unused": (True, SETTINGS),
    "residual": (True, replace(SETTINGS, residual=(1, 2))),
}


class Spare(nn.Flatten):
    """With a layer that is never called."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(3, 3)


found: dict = {}
for name, (norm, settings) in KINDS.items():
    model = net(norm, levels=None if name == "norm" else 4)
    if name == "rnl":
        model[2] = factory("rnl")()
    if name == "unused":
        model[3] = Spare()
    before = model[0].weight.detach().clone()
    trainer = Trainer(model, *task(), settings)
    losses = [trainer.epoch(epoch) for epoch in range(2)]
    images, labels = task(306)
    held = images[255:], labels[255:]  # 51: not a multiple of the processes
    program = spiking(trainer.kept, held[0].float() / 255)
    weights = trainer.kept.state_dict()
    found["processes"] = trainer.world
    found[name] = {
        "weights": [v for t in weights.values() for v in t.double().flatten().tolist()],
        "losses": losses,
        "moved": float((trainer.plain[0].weight.detach() - before).abs().max()),
        **validate(trainer, program, held, settings),
    }
if trainer.accelerator.is_main_process:
    Path(sys.argv[1]).write_text(json.dumps(found))
if torch.distributed.is_initialized():
    torch.distributed.destroy_process_group()
