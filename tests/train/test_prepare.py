"""Any network becomes one that can be trained for conversion, and stays the function it was."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import isospike as iso
from abuse.untouched import untouched
from isospike.activations import ACTIVATIONS, OWN, ClipQuant
from isospike.train.settings import Settings, trained_with
from isospike.train.start import start_thetas
from zoo.tiny import Plain, Residual, images, settled


class Net(nn.Module):
    """A stem, whatever `body` is, and a head."""

    def __init__(self, act=None, body=None) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.act, self.body = act or nn.ReLU(), body or nn.Identity()
        self.fc = nn.Linear(4, 3)

    def head(self, x):
        return self.fc(x.mean((2, 3)))


def net(how, act=None, body=None):
    """A class of its own for each forward, as users write them."""
    model = type("Net", (Net,), {"forward": how})(act=act, body=body)
    if "act" not in how.__code__.co_names:
        del model.act  # a ReLU that is never called would be told
    return model


class Block(nn.Module):
    def __init__(self, inplace=False) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(inplace=inplace)

    def forward(self, x):
        return self.act(self.conv(F.relu(x)))


class PreActivation(nn.Module):
    """The in-place ReLU writes over what the shortcut reads."""

    def __init__(self) -> None:
        super().__init__()
        self.act, self.conv = nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(self.act(x)) + x


def module_once(self, x):
    return self.head(self.act(self.conv(self.stem(x))))


def twice(self, x):
    return self.head(self.act(self.conv(self.act(self.stem(x)))))


def functional(self, x):
    x = F.relu(self.stem(x))
    return self.head(torch.relu(self.conv(x)).relu() + self.conv(x).clamp(min=0))


def bounded(self, x):
    return self.head(F.relu6(4 * self.stem(x)) + self.conv(F.hardtanh(self.stem(x), 0.0, 0.5)))


def thresholds(self, x):
    x = torch.threshold_(self.body(self.stem(x)), 0, 0)
    return self.head(F.threshold(F.threshold(self.conv(x), 0.0, 0.0), 0.1, 0.2))


def statement(self, x):
    """The result of the in-place call is not used; its input is."""
    x = self.conv(self.stem(x))
    F.relu_(x)
    y = x * 2
    y.relu_()
    return self.head(x - y)


def body_once(self, x):
    return self.head(self.body(self.stem(x)))


def body_twice(self, x):
    return self.head(self.body(self.body(self.stem(x))))


def body_and_shortcut(self, x):
    x = self.stem(x)
    return self.head(self.body(x) + x)


def constants(self, x):
    x = self.stem(x - torch.tensor([0.5, 0.4]).view(1, 2, 1, 1))
    x = torch.maximum(F.relu(x), torch.full((), 0.1))
    return self.head(self.conv(x)[:, torch.tensor([2, 0, 3, 1])])


def constants_beside_a_module(self, x):
    return self.head(self.act(self.stem(x - torch.tensor([0.5, 0.4]).view(1, 2, 1, 1))))


def looped(self, x):
    """Cannot be traced: it branches on the data's shape."""
    x = self.stem(x)
    for _ in range(2 if x.shape[2] > 4 else 1):
        x = self.act(self.conv(x))
    return self.head(x)


SHARED = nn.ReLU()
# name: (model, activations of its own)
CASES = {
    "module": (net(module_once), 1),
    "in place": (net(module_once, nn.ReLU(inplace=True)), 1),
    "sequential": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)), 1),
    "called twice": (net(twice), 2),
    "one object, two places": (nn.Sequential(
        nn.Conv2d(2, 4, 3), SHARED, nn.Conv2d(4, 4, 3), SHARED, nn.Flatten(), nn.Linear(64, 3)), 2),
    "functional": (net(functional), 4),
    "bounded": (net(bounded), 2),
    "thresholds": (net(thresholds, body=nn.Threshold(0, 0)), 3),
    "statement": (net(statement), 2),
    "constants": (net(constants), 1),
    "constants beside a module": (net(constants_beside_a_module), 1),
    "nested": (net(body_once, body=nn.Sequential(Block(), nn.Sequential(Block(True)))), 4),
    "block called twice": (net(body_twice, body=Block()), 4),
    "writes over the shortcut": (net(body_once, body=PreActivation()), 1),
    "a child writes over the shortcut": (
        net(body_and_shortcut, body=nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1))), 1),
    "untraceable": (net(looped), 1),
    "the networks of the other tests": (Residual(), 3),
    "batch norm": (Plain(), 2),
}  # fmt: skip
case = pytest.mark.parametrize("name", CASES)


def source(name):
    return settled(copy.deepcopy(CASES[name][0]))


def clips(model):
    return [m for m in model.modules() if isinstance(m, ClipQuant)]


@case
def test_with_a_huge_clip_and_no_levels_it_is_the_same_function(name):
    model, x = source(name).double(), images().double()
    with untouched(model):
        prepared = iso.prepare(model, "qcfs", levels=None, theta=1e9)
    for clip in clips(prepared):
        assert clip.theta.dtype == torch.float64
        clip.set_theta(min(1e9, clip.ceiling))
    with torch.no_grad():
        torch.testing.assert_close(prepared(x.clone()), model(x.clone()), rtol=1e-6, atol=1e-6)


@case
def test_every_call_has_an_activation_of_its_own_and_is_told(name):
    model, count = source(name), CASES[name][1]
    prepared = iso.prepare(model, "nq", levels=4)
    swapped = [swap for swap in prepared.report if "ClipQuant" in swap.new]
    assert len(swapped) == len({swap.place for swap in swapped}) == count
    assert all(isinstance(prepared.get_submodule(s.place), ClipQuant) for s in swapped)
    for swap in swapped:
        assert swap.place in str(prepared.report)
    assert isinstance(prepared, type(model))
    assert len({id(p) for p in prepared.parameters()} & {id(p) for p in model.parameters()}) == 0


@case
def test_the_state_of_the_source_fits(name):
    model = source(name)
    prepared = iso.prepare(model)
    missing, unexpected = prepared.load_state_dict(model.state_dict(), strict=False)
    assert not unexpected
    assert {key.rpartition(".")[2] for key in missing} == {"theta", "sigma"}


CONVERTED = (
    "sequential", "one object, two places", "functional", "nested", "block called twice",
    "a child writes over the shortcut", "untraceable", "constants beside a module",
)  # fmt: skip


@pytest.mark.parametrize("name", CONVERTED)
def test_it_trains_and_converts(name):
    prepared = iso.prepare(source(name), "nq")
    x = images()
    start_thetas(prepared, x)
    prepared.train()(x.clone()).square().sum().backward()
    grads = [c.theta.grad for c in clips(prepared)]
    assert all(g is not None and g.isfinite() for g in grads)
    plan = iso.plan(prepared, "qcfs", x)
    assert plan.gate.float64 <= 1e-12
    assert {site.op for site in plan.graph.sites} == {"clip_quant"}
    thetas = sorted(float(plan.graph.parameters_of(s)["theta"]) for s in plan.graph.sites)
    if name != "untraceable":  # one activation, two calls
        assert thetas == pytest.approx(sorted(float(c.theta.detach()) for c in clips(prepared)))
        assert not prepared.report.notes
    snn = iso.convert(plan, x, 4)
    assert snn(x).shape == (len(x), 3)


@case
def test_a_copy_is_a_prepared_model_too(name):
    prepared = iso.prepare(source(name), "qcfs", theta=1.0)
    twin = copy.deepcopy(prepared)
    assert twin.state_dict().keys() == prepared.state_dict().keys()
    with torch.no_grad():
        for clip in clips(twin):
            clip.set_theta(0.01)
        x = images()
        assert not torch.equal(twin(x.clone()), prepared(x.clone()))


@pytest.mark.parametrize("name", ["constants", "constants beside a module"])
def test_what_a_forward_makes_moves_with_the_model(name):
    model = source(name)
    prepared = iso.prepare(model)
    assert not any(isinstance(value, torch.Tensor) for value in vars(prepared).values())
    made = dict(prepared.named_buffers()).keys() - prepared.state_dict().keys()
    assert len(made) == (3 if name == "constants" else 0)


class Scaled(nn.Module):
    """Scales by what it computes from a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("std", torch.full((2,), 0.5))

    def forward(self, x):
        return F.relu(x / self.std.view(1, 2, 1, 1))


def test_what_is_computed_from_a_buffer_follows_it():
    model, x = Scaled(), images()
    prepared = iso.prepare(model, levels=None, theta=1e9)
    for each in (model, prepared):
        each.load_state_dict({"std": torch.full((2,), 2.0)}, strict=False)
    torch.testing.assert_close(prepared(x), model(x))


def test_bounded_relus_start_at_their_bound():
    prepared = iso.prepare(source("bounded"), "nq")
    assert [float(c.theta.detach()) for c in clips(prepared)] == [6.0, 0.5]
    assert [c.ceiling for c in clips(prepared)] == [6.0, 0.5]
    assert {c.ceiling for c in clips(iso.prepare(source("functional")))} == {math.inf}


def test_the_modes_stay_and_dropout_follows_them():
    def forward(self, x):
        x = F.dropout(F.relu(self.stem(x)), 0.5, self.training)
        return self.head(self.conv(x))

    model = settled(net(forward)).train()
    model.conv.eval()
    prepared = iso.prepare(model, theta=0.5)
    assert prepared.training
    assert not prepared.conv.training
    x = images()
    assert not torch.equal(prepared(x), prepared(x))
    prepared.eval()
    assert torch.equal(prepared(x), prepared(x))


POOLS = {
    "module": nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    "nested": nn.Sequential(nn.MaxPool2d(2), nn.Identity()),
}


@pytest.mark.parametrize("kind", POOLS)
def test_max_pooling_becomes_average_pooling_on_request(kind):
    model = settled(
        net(lambda self, x: self.head(self.body(self.act(self.stem(x)))), body=POOLS[kind])
    )
    kept = iso.prepare(model)
    assert any(isinstance(m, nn.MaxPool2d) for m in kept.modules())
    moved = iso.prepare(model, pool="average")
    (pool,) = [m for m in moved.modules() if isinstance(m, nn.AvgPool2d)]
    old = next(m for m in model.modules() if isinstance(m, nn.MaxPool2d))
    for key in ("kernel_size", "stride", "padding", "ceil_mode"):
        assert getattr(pool, key) == getattr(old, key)
    assert "MaxPool2d -> AvgPool2d" in str(moved.report)


def test_functional_max_pooling_too():
    def forward(self, x):
        return self.head(F.max_pool2d(self.act(self.stem(x)), 3, stride=2, padding=1))

    model, x = settled(net(forward)), images()
    moved = iso.prepare(model, levels=None, pool="average")
    expected = model.head(F.avg_pool2d(moved.act(model.stem(x)), 3, 2, 1))
    torch.testing.assert_close(moved(x), expected)


@pytest.mark.parametrize(
    "name", ["relu", "tcl", "rts", "rnl", "cq", "dual-phase", "slip-relu", "nq"]
)
def test_every_activation_by_name(name):
    prepared = iso.prepare(source("batch norm"), name, levels=6)
    if name == "relu":
        assert isinstance(prepared.act1, nn.ReLU)
    else:
        assert prepared.act1.levels == (None if name in ("tcl", "rts", "rnl") else 6)
    assert iso.plan(prepared, "iso", images()).ok


def untraceable_function(self, x):
    x = self.stem(x)
    if x.shape[2] > 4:
        x = F.relu(x)
    return self.head(torch.relu(x))


def two_modes(self, x):
    x = F.relu(self.stem(x))
    return self.head(self.conv(x) if self.training else x)


def constant_of_the_mode(self, x):
    x = self.stem(x) - torch.tensor(0.5 if self.training else 0.4)
    return self.head(F.relu(x))


def drawn(self, x):
    return self.head(F.relu(self.stem(x) + torch.rand(4, 1, 1)))


REFUSED = {
    "no ReLU": (nn.Sequential(nn.Flatten(), nn.Linear(128, 3), nn.GELU()), {}, "GELU"),
    "untraceable": (net(untraceable_function), {}, r"test_prepare.py:\d+: relu(.|\n)* 2\. "),
    "two modes": (net(two_modes), {}, "self.training"),
    "a constant of the mode": (net(constant_of_the_mode), {}, "forward makes depends on self.tr"),
    "a constant that is drawn": (net(drawn), {}, "or on chance"),
    "dilated pool": (
        nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.MaxPool2d(2, dilation=2)),
        {"pool": "average"}, r"^the model cannot be prepared:\n  1\. 2: max-pool. Average-pooling has no dilation.[^\n]*$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_prepared_is_refused_with_its_places(name):
    model, settings, text = REFUSED[name]
    with untouched(model), pytest.raises(iso.ConversionError, match=text):
        iso.prepare(model, **settings)


def test_what_is_no_module_is_refused():
    with pytest.raises(iso.ConversionError, match="Module"):
        iso.prepare(torch.relu)


@pytest.mark.parametrize(
    "wrong",
    [
        {"activation": "gelu"}, {"pool": "median"}, {"levels": 0}, {"theta": -1.0}, {"colour": 3},
        {"activation": "relu", "theta": 2.0},
    ],
)  # fmt: skip
def test_wrong_settings(wrong):
    model = source("module")
    with untouched(model), pytest.raises(iso.UsageError):
        iso.prepare(model, **wrong)


def test_a_prepared_model_is_not_prepared_again():
    with pytest.raises(iso.UsageError, match="prepared"):
        iso.prepare(iso.prepare(source("module")))


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "relu"])
def test_each_activation_has_its_own_levels_unless_told(name):
    own = ACTIVATIONS[name]().levels
    for levels, expected in ((OWN, own), (8, own and 8), (None, None)):
        model = iso.prepare(nn.Sequential(nn.ReLU()), name, levels)
        assert model[0].levels == expected
    assert iso.prepare(nn.Sequential(nn.ReLU()), name)[0].levels == own
    for levels, expected in ((OWN, own), (8, own and 8), (0, None)):
        settings = Settings(activation=name, levels=levels)
        assert (settings.depth or None) == expected
        assert trained_with({"activation": name, "levels": levels})["levels"] == settings.depth


@pytest.mark.parametrize(
    "readout", [nn.Softmax(1), nn.LogSoftmax(1), nn.Softmin(1), nn.Softmax2d()]
)
def test_a_read_out_is_no_activation_that_stays(readout):
    assert not iso.prepare(nn.Sequential(nn.ReLU(), readout)).report.notes


def functional_adaptive(self, x):
    return self.head(F.adaptive_max_pool2d(self.act(self.stem(x)), 4))


def module_adaptive(self, x):
    return self.head(self.body(self.act(self.stem(x))))


@pytest.mark.parametrize("forward", [functional_adaptive, module_adaptive])
def test_adaptive_max_pooling_becomes_the_adaptive_average(forward):
    model, x = settled(net(forward, body=nn.AdaptiveMaxPool2d(4))), images()
    moved = iso.prepare(model, levels=None, pool="average")
    expected = model.head(F.adaptive_avg_pool2d(moved.act(model.stem(x)), 4))
    torch.testing.assert_close(moved(x), expected)
    with pytest.raises(iso.ConversionError, match="indices"):
        iso.prepare(
            nn.Sequential(nn.ReLU(), nn.AdaptiveMaxPool2d(2, return_indices=True)), pool="average"
        )


def mixed(self, x):
    return self.head(self.body(F.gelu(self.act(self.stem(x))).sigmoid()))


def test_activations_that_stay_are_told():
    notes = iso.prepare(net(mixed, body=nn.Sequential(nn.SiLU(), nn.LeakyReLU()))).report.notes
    for text in ("gelu", "sigmoid", "body.0: SiLU", "body.1: LeakyReLU"):
        assert sum(f"{text} is no ReLU and stays" in note for note in notes) == 1
    assert iso.prepare(net(thresholds)).report.notes == ("model: threshold is no ReLU and stays",)
    assert not iso.prepare(net(module_once), "relu").report.notes


LAYERS = {
    "relu of TransformerEncoderLayer": nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
    "gelu of TransformerDecoderLayer": nn.TransformerDecoderLayer(4, 2, 8, activation="gelu"),
    "ReLU of TransformerEncoderLayer": nn.TransformerEncoderLayer(
        4, 2, 8, activation=nn.ReLU(), batch_first=True
    ),
    "relu of RNN": nn.RNN(4, 4, nonlinearity="relu"),
}


class Layer(nn.TransformerEncoderLayer):
    """With the forward of torch, which takes the ReLU to be one where it needs no gradient."""


@pytest.mark.parametrize("text", LAYERS)
def test_activations_in_the_code_of_torch_s_own_layers_are_told(text):
    notes = iso.prepare(nn.Sequential(nn.ReLU(), LAYERS[text])).report.notes
    assert notes == (f"1: {text} stays. The code of the layer is torch's own.",)
    with pytest.raises(
        iso.ConversionError, match=f"no ReLU is called.*\n  1. model: {text}[^\n]*$"
    ):
        iso.prepare(LAYERS[text])
    assert not iso.prepare(nn.Sequential(nn.ReLU(), nn.RNN(4, 4))).report.notes
    layer = Layer(4, 2, 8, activation=nn.ReLU(), batch_first=True)
    assert (
        iso.prepare(nn.Sequential(nn.ReLU(), layer)).report.notes[0].startswith("1: ReLU of Layer")
    )
