"""A saved network taken apart, so that tests can put it together wrongly."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

import isospike as iso
from isospike.serialise import save as save_network
from zoo.tiny import images, settled

Header, Tensors = dict[str, Any], dict[str, Tensor]


@cache
def pooled_plan() -> iso.Plan:
    """Of a network with max-pooling and a shortcut."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.pool, self.act, self.fc = nn.MaxPool2d(2), nn.ReLU(), nn.Linear(48, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = self.pool(self.act(self.conv1(x)))
            return self.fc(self.act(self.conv2(x) + x).flatten(1))

    return iso.plan(settled(Net()), "snnc-light", images())


@cache
def pooled() -> iso.SpikingNetwork:
    """Every kind of value a file can hold is in this one or in `converted("spikeconverter")`."""
    return iso.convert(pooled_plan(), images(), 4)


def content(network: iso.SpikingNetwork, folder: Path) -> tuple[Header, Tensors, bytes]:
    """Header, tensors and bytes of the network's file."""
    path = folder / "whole.iso"
    save_network(network, path)
    with safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["isospike"])
    return header, load(path.read_bytes()), path.read_bytes()


def split(file: bytes) -> tuple[str, bytes]:
    """The text of a safetensors header, and the rest of the file."""
    (length,) = struct.unpack("<Q", file[:8])
    return file[8 : 8 + length].decode(), file[8 + length :]


def joined(header: str, rest: bytes) -> bytes:
    """The file again, whatever the header is now."""
    text = header.encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + rest


def written(path: Path, header: Any, tensors: Tensors) -> Path:
    """A well-formed safetensors file around any header; a text is taken as it is."""
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(save(tensors, {"isospike": text}))
    return path
