"""Packing keeps every value; a packed model is the model; capture takes it."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from isospike.errors import ConversionError, UsageError
from isospike.graph.graph import execute
from isospike.graph.pack import Packed, apart, filled, in_rows, leaves
from isospike.graph.rewrite import LIMIT_64, rewrite

Pair = namedtuple("Pair", "left right")


@dataclass
class Answer:
    boxes: torch.Tensor
    scores: torch.Tensor | None = None


def tensor(*shape):
    return torch.linspace(-1, 1, 3 * torch.Size(shape).numel()).sin().reshape(3, *shape)


VALUES = [
    tensor(2, 4),
    (tensor(2), tensor(1, 3)),
    [tensor(2), (tensor(4), tensor(1))],
    {"a": tensor(2, 2), "b": None, "c": [tensor(3)]},
    OrderedDict(out=tensor(5), aux=tensor(2)),
    Pair(tensor(1), tensor(2)),
    Answer(tensor(4, 4), tensor(1)),
    Answer(tensor(4, 4)),
]


def same(one, other):
    pairs = zip(leaves(one), leaves(other), strict=True)
    return all(p == q and torch.equal(x, y) for (p, x), (q, y) in pairs)


@pytest.mark.parametrize("value", VALUES)
def test_what_is_packed_comes_back(value):
    rows, places = in_rows(value)
    again = filled(value, iter(apart(rows, places)))
    assert same(again, value)
    assert isinstance(again, dict if isinstance(value, dict) else type(value))


class Heads(nn.Module):
    """Two inputs and a dict of maps at two scales, like the head of a detector."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image, self.depth = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(1, 4, 3, 2, 1)
        self.down, self.up = nn.Conv2d(4, 4, 3, 2, 1), nn.Conv2d(4, 4, 1)
        self.box, self.score = nn.Conv2d(4, 8, 1), nn.Conv2d(4, 1, 1)

    def forward(self, image, depth=None):
        fine = F.relu(self.image(image) + (0 if depth is None else self.depth(depth)))
        coarse = F.relu(self.down(fine))
        fine = F.relu(fine + F.interpolate(self.up(coarse), size=fine.shape[-2:]))
        levels = OrderedDict(fine=fine, coarse=coarse)
        return {k: (self.box(v), self.score(v) / 1000) for k, v in levels.items()}


EXAMPLES = [
    (tensor(3, 8, 8), tensor(1, 8, 8)),
    {"image": tensor(3, 8, 8), "depth": tensor(1, 8, 8)},
    {"image": tensor(3, 8, 8), "depth": None},
    tensor(3, 8, 8),
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_graph_of_a_packed_model_is_the_model(example):
    model = Heads()
    packed = Packed(model, example)
    x = packed.pack(example)
    graph, gate, _ = rewrite(packed, x)
    assert gate.float64 <= LIMIT_64
    assert len(graph.sites) == 3
    args, kwargs = ((), example) if isinstance(example, dict) else (example, {})
    args = (args,) if isinstance(args, torch.Tensor) else args
    with torch.no_grad():
        expected = model(*args, **kwargs)
    found = packed.unpack(execute(graph, x))
    for (path, one), (other, two) in zip(leaves(found), leaves(expected), strict=True):
        assert path == other
        assert torch.allclose(one, two, atol=1e-6)


def test_one_output_of_several():
    packed = Packed(Heads(), EXAMPLES[-1], output="coarse.1")
    with torch.no_grad():
        assert packed(EXAMPLES[-1]).shape == (3, 1, 2, 2)
    graph, _, _ = rewrite(packed, EXAMPLES[-1])
    assert len(graph.sites) == 2
    with pytest.raises(UsageError, match=r"no output 'logits': one of fine\.0, fine\.1, coarse\.0"):
        Packed(Heads(), EXAMPLES[-1], output="logits")


def test_the_gate_holds_for_each_output(monkeypatch):
    """The scores are a thousandth of the boxes: a fault in them alone must be seen."""
    from isospike.graph import rewrite as module

    packed = Packed(Heads(), EXAMPLES[-1])
    place = next(i for i, (path, _) in enumerate(packed.outputs) if path == "fine.1")

    def wrong(graph, x):
        y = execute(graph, x)
        piece = packed.pieces(y)[place]
        piece += 1e-12 * packed.pieces(y)[0].abs().max()
        return torch.cat([p.flatten(1) for p in packed.pieces(y)[:place]] + [piece.flatten(1)] + [
            p.flatten(1) for p in packed.pieces(y)[place + 1 :]
        ], 1)  # fmt: skip

    monkeypatch.setattr(module, "execute", wrong)
    with pytest.raises(ConversionError, match="not the model's function"):
        rewrite(packed, EXAMPLES[-1])


def test_the_model_keeps_its_mode_and_its_numbers():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout()).train()
    before = {key: t.clone() for key, t in model.state_dict().items()}
    state = torch.random.get_rng_state()
    Packed(model, EXAMPLES[-1])
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(t, before[key]) for key, t in model.state_dict().items())


def test_what_cannot_be_packed_is_told():
    with pytest.raises(UsageError, match=r"b \[2, 3\] torch.float32"):
        in_rows({"a": torch.zeros(3, 3), "b": torch.zeros(2, 3)})
    with pytest.raises(UsageError, match=r"1 \[3\] torch.int64"):
        in_rows((torch.zeros(3, 3), torch.zeros(3, dtype=torch.int64)))
    with pytest.raises(UsageError, match="a is a str"):
        in_rows({"a": "text"})
    with pytest.raises(UsageError, match="no tensor"):
        in_rows([])
    with pytest.raises(UsageError, match="expected inputs"):
        Packed(Heads(), EXAMPLES[0]).pack(EXAMPLES[-1])
