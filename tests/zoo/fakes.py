"""Stand-ins for timm and transformers: the calls that the package makes of them, and no more."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import torch
from torch import nn

from zoo.tiny import plain

CFG = {"mean": (0.25, 0.5), "std": (0.5, 0.25)}


def random() -> nn.Module:
    torch.manual_seed(5)
    model = plain()
    for weight in model.parameters():
        nn.init.normal_(weight, std=0.1)
    return model


def timm(monkeypatch, online: bool = True) -> None:
    fake = ModuleType("timm")

    def create(name, pretrained):
        if pretrained and not online:
            raise FileNotFoundError("no connection and nothing in the cache")
        model = plain() if pretrained else random()
        model.pretrained_cfg = CFG
        return model

    names = ["tiny", "tiny_old", "tiny.v1"]
    fake.is_model = lambda name: name in names
    fake.is_model_pretrained = lambda name: name != "tiny_old"
    fake.list_models = lambda pattern: [n for n in names if n.startswith(pattern.strip("*")[:4])]
    fake.create_model = create
    monkeypatch.setitem(sys.modules, "timm", fake)


class Record(nn.Module):
    """Answers with a record, as transformers does."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.net = model

    def forward(self, x):
        return SimpleNamespace(logits=self.net(x))


def transformers(monkeypatch, online: bool = True) -> list[dict]:
    """The keyword arguments of every call."""
    fake, calls = ModuleType("transformers"), []

    def answer(make):
        def call(known, **how):
            calls.append(how)
            if not online:
                raise OSError("We couldn't connect")
            return make()

        return call

    fake.AutoModelForImageClassification = SimpleNamespace(
        from_pretrained=answer(lambda: Record(plain())),
        from_config=answer(lambda: Record(random())),
    )
    fake.AutoConfig = SimpleNamespace(from_pretrained=answer(dict))
    monkeypatch.setitem(sys.modules, "transformers", fake)
    return calls
