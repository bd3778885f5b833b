"""A saved network taken apart, so that tests can put it together wrongly."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn
from zoo.tiny import converted, images, settled

import isospike as iso
from isospike.serialise import save as save_network

Header, Tensors = dict[str, Any], dict[str, Tensor]


@cache
def pooled() -> iso.SpikingNetwork:
    """A network with a gated pool and a shortcut; every kind of value a file can hold is in it or
    in the one of `converted("spikeconverter")`."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.pool, self.act, self.fc = nn.MaxPool2d(2), nn.ReLU(), nn.Linear(48, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.pool(self.act(self.conv1(x)))
            return self.fc(self.act(self.conv2(x) + x).flatten(1))

    return iso.convert(settled(Net()), images(), 4, "snnc-light")


def content(network: iso.SpikingNetwork, folder: Path) -> tuple[Header, Tensors, bytes]:
    """Header, tensors and bytes of the network's file."""
    path = folder / "whole.iso"
    save_network(network, path)
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["isospike"])
    return header, load(path.read_bytes()), path.read_bytes()


def written(path: Path, header: Any, tensors: Tensors) -> Path:
    """A well-formed safetensors file around any header; a text is taken as it is."""
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(save(tensors, {"isospike": text}))
    return path


__all__ = ["content", "converted", "pooled", "written"]
