"""The command line, called as a user calls it, on files that a user would have."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from isospike.cli.main import run
from zoo.tiny import images, labels, plain

MODEL = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.act1, self.pool, self.act2 = nn.ReLU(), nn.AvgPool2d(2), nn.ReLU()
        self.conv2, self.fc = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(64, 3)
    def forward(self, x):
        x = self.pool(self.act1(self.bn1(self.conv1(x))))
        return self.fc(self.act2(self.conv2(x)).flatten(1))

def build():
    return Net()

def bad():
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.Sigmoid(), nn.Conv2d(4, 4, 3), nn.GELU())

class Gated(Net):
    def forward(self, x):
        return super().forward(x * self.bn1(self.conv1(x)).mean(1, True).sigmoid())

def gated():
    return Gated()

def nothing():
    return 3
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str


class Tool:
    """`tool("evaluate", ...)` in a folder with net.py, net.safetensors and data.npz."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        (folder / "net.py").write_text(MODEL, encoding="utf-8")
        save_file(plain().state_dict(), folder / "net.safetensors")
        np.savez(
            folder / "data.npz",
            x_test=images(24).numpy(), y_test=labels(24).numpy(),
            x_train=images(32, seed=1).numpy(), y_train=labels(32).numpy(),
        )  # fmt: skip

    def __call__(self, *words: object) -> Answer:
        self.monkeypatch.setattr(sys, "argv", ["isospike", *map(str, words)])
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run()
        out, err = self.capsys.readouterr()
        return Answer(end.value.code or 0, out, err)


NET = ("net.py:build", "--weights", "net.safetensors")
DATA = ("--data", "npz:data.npz")
SMALL = ("--set", "batch=16", "--set", "validation=6", "--set", "lr=0.02")  # of `train`
