"""Where a graph says things are, and how a model that cannot be captured is told so."""

import re
import warnings
from functools import cache

import pytest
import torch
from torch import nn
from torch.export import Dim, export
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

from abuse.untouched import untouched
from graph.small import X, layers
from isospike.errors import ConversionError
from isospike.graph.graph import execute
from isospike.graph.model import unwrap
from isospike.graph.rewrite import LIMIT_64, rewrite


class Block(nn.Module):
    """One ReLU module at three places, a ReLU function, and an in-place one that is read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.relu(self.conv1(x))
        y = self.relu(self.conv2(y) + x)
        return F.relu(self.relu(y * 2 - 1) - 0.1)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3)
        self.block = Block()
        self.head = nn.Linear(4 * 4 * 4, 3)

    def forward(self, x):
        return self.head(self.block(F.relu(self.stem(x))).flatten(1))


def net() -> Net:
    torch.manual_seed(0)
    return Net()


def refused(model, example=X) -> ConversionError:
    kept = untouched(model) if isinstance(model, nn.Module) else warnings.catch_warnings()
    with kept, pytest.raises(ConversionError) as error:
        rewrite(model, example)
    return error.value


def test_every_call_is_a_site_of_its_own_with_its_line():
    graph, gate, _ = rewrite(net(), X)
    assert gate.float64 <= LIMIT_64
    paths = [node.path for node in graph.sites]
    assert paths == ["relu", "block.relu", "block.relu@1", "block.relu@2", "block.relu@3"]
    assert [node.name for node in graph.sites] == paths
    assert graph.sites[1].line.endswith("y = self.relu(self.conv1(x))")
    assert all(re.match(r"test_capture\.py:\d+: ", node.line) for node in graph.sites)


def test_a_function_beside_a_module_of_the_same_name_has_its_own_site():
    """`F.relu` in a block is `block.relu`, and so is the module `block.relu`."""
    graph, _, _ = rewrite(net(), X)
    line = {node.path: node.line for node in graph.sites}
    assert "F.relu" in line["block.relu@3"]
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)


def test_sites_named_by_a_number_do_not_meet_other_nodes():
    model = nn.Sequential(*[nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU()) for _ in range(3)])
    flat = nn.Sequential(
        nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.ReLU()
    )
    for each in (model, flat):
        graph, gate, _ = rewrite(each, X)
        assert gate.float64 <= LIMIT_64
        assert len({node.name for node in graph.nodes}) == len(graph.nodes)


class Shared(nn.Module):
    """One convolution called twice, with a batch norm of its own after each call."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
        for bn, scale in ((self.bn1, 2.0), (self.bn2, 0.5)):
            bn.weight.data.fill_(scale)
            bn.running_mean.fill_(scale / 4)

    def forward(self, x):
        return self.bn2(self.conv(F.relu(self.bn1(self.conv(x)))))


def test_one_convolution_called_twice_folds_into_two():
    graph, gate, _ = rewrite(Shared().eval(), X)
    assert gate.float64 <= LIMIT_64
    assert [node.op for node in graph.nodes] == ["input", "conv", "relu", "conv"]
    first, second = (
        graph.parameters_of(node)["weight"] for node in graph.nodes if node.op == "conv"
    )
    assert torch.allclose(first, 4 * second)


def test_tied_weights():
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 2, 3))
    model[3].weight = model[0].weight
    model[1].running_var.fill_(3.0)
    graph, gate, _ = rewrite(model, X)
    assert gate.float64 <= LIMIT_64
    assert [node.op for node in graph.nodes] == ["input", "conv", "relu", "conv"]


def test_in_place_relu_read_by_a_residual():
    """The shortcut reads what the ReLU has changed."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.a(x)
            return y + self.b(self.relu(y))

    _, gate, _ = rewrite(Net(), X)
    assert gate.float64 <= LIMIT_64


class Mine(nn.ReLU):
    """A ReLU in name only."""

    def forward(self, x):
        return (x - 1).relu() + 1


def test_a_subclass_of_relu_is_what_it_computes():
    graph, gate, _ = rewrite(nn.Sequential(nn.Conv2d(2, 2, 3), Mine()), X)
    assert gate.float64 <= LIMIT_64
    assert [node.op for node in graph.nodes] == ["input", "conv", "relu", "scale_shift"]


def awkward() -> nn.Sequential:
    """Weights that are computed, masked, strided or changed by a hook."""
    torch.manual_seed(0)
    convs = [nn.Conv2d(2, 4, 3), *[nn.Conv2d(4, 4, 3, padding=1) for _ in range(5)]]
    prune.l1_unstructured(convs[0], "weight", 0.5)
    parametrizations.weight_norm(convs[1])
    parametrizations.spectral_norm(convs[2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(convs[3])
    convs[4].register_forward_hook(lambda module, args, out: 2 * out)
    convs[5].weight = nn.Parameter(convs[5].weight.detach()[:, :1].expand(4, 4, 3, 3))
    convs[1].requires_grad_(False)
    return nn.Sequential(*[part for conv in convs for part in (conv, nn.ReLU())])


AWKWARD = {
    "weights of every kind": awkward,
    "channels last": lambda: layers().to(memory_format=torch.channels_last),
    "parallel": lambda: nn.DataParallel(layers()),
    "compiled": lambda: torch.compile(layers()),
}


@pytest.mark.parametrize("make", AWKWARD.values(), ids=AWKWARD)
def test_awkward_models_are_captured_and_stay_as_they_were(make):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.compile uses what torch deprecates
        model = make().train()
    with untouched(model):
        graph, gate, _ = rewrite(model, X)
    assert gate.float64 <= LIMIT_64
    assert gate.float32 <= 1e-6
    inner = unwrap(model.eval())
    with torch.no_grad():
        assert torch.allclose(execute(graph, X), inner(X), atol=1e-6)


def test_a_channels_last_twin_gives_the_same_graph():
    one, other = (
        rewrite(layers(), X)[0],
        rewrite(layers().to(memory_format=torch.channels_last), X)[0],
    )
    assert one.nodes == other.nodes
    for key, tensor in one.tensors.items():
        assert torch.equal(tensor, other.tensors[key])


def test_the_caller_s_grad_mode_does_not_matter():
    model = layers()
    with torch.inference_mode(), untouched(model):
        graph, gate, _ = rewrite(model, X)
    assert gate.float64 <= LIMIT_64
    assert not any(tensor.requires_grad for tensor in graph.tensors.values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype):
    graph, gate, _ = rewrite(layers().to(dtype), X.to(dtype))
    assert gate.float64 <= LIMIT_64
    assert execute(graph, X.to(dtype)).dtype == dtype


def test_one_image_is_example_enough():
    graph, gate, _ = rewrite(layers(), X[:1])
    assert gate.samples == 2
    assert execute(graph, X).shape == (3, 3)


def test_whole_numbers_are_an_example_too():
    rewrite(layers(), (X * 9).abs().to(torch.uint8))


def test_an_exported_program():
    batch = ({0: Dim("batch")},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = export(layers().eval(), (X,), dynamic_shapes=batch)
        fixed = export(layers().eval(), (X,))
    graph, gate, _ = rewrite(program, X)
    assert gate.float64 <= LIMIT_64
    assert [node.path for node in graph.sites] == ["1"]
    with pytest.raises(ConversionError, match=r"dynamic_shapes=\(\{0: torch.export.Dim"):
        rewrite(fixed, X)


class Bad(nn.Module):
    """Everything that has no neuron, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.other = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 1)
        self.parts = nn.ModuleList([
            nn.GELU(), nn.SiLU(), nn.ELU(), nn.Sigmoid(), nn.Tanh(), nn.LogSigmoid(), nn.Softmax(1),
             nn.LayerNorm(4), nn.Hardswish(), nn.Softplus(), nn.InstanceNorm2d(4),
        ])  # fmt: skip

    def forward(self, x):
        x = self.conv(x)
        for part in self.parts:
            x = part(x)
        x = x * self.other(x)
        x = x / self.other(x)
        x = torch.exp(x)
        x = x @ x
        x = x.clamp(1, -1)
        return x.flatten(1)


def test_all_findings_come_at_once_with_place_line_reason_and_fix():
    error = refused(Bad())
    expected = [
        "gelu", "silu", "elu", "sigmoid", "tanh", "log_sigmoid", "softmax", "layer_norm",
        "hardswish", "softplus", "instance_norm", "product of two", "division", "exp",
        "product of two", "clip to [1, -1]",
    ]  # fmt: skip
    assert len(error.findings) == len(expected)
    for finding, word in zip(error.findings, expected, strict=True):
        assert word in finding.what
        assert re.match(r"test_capture\.py:\d+: x = ", finding.line)
        assert finding.why
        assert finding.fix
        assert str(finding) in str(error)
    assert [f.site for f in error.findings[:3]] == ["parts.0", "parts.1", "parts.2"]
    assert f"{len(expected)} problems" in str(error)


def no_statistics():
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU()
    )


def dead_variance():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, eps=0.0), nn.ReLU())
    model[1].running_var[2] = 0
    return model


def negative_variance():
    model = dead_variance()
    model[1].running_var[1:] = torch.tensor([-1.0, 1.0, -0.5])
    return model


def with_nan(place):
    model = layers()
    model[place].weight.data.view(-1)[5] = torch.nan
    return model


def with_infinity():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))
    model[1].running_mean[3] = torch.inf
    return model


class Then(nn.Module):
    """A convolution and then a function."""

    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.function = nn.Conv2d(2, 4, 3), function

    def forward(self, x):
        return self.function(self.conv(x))


class Apart(nn.Module):
    """Every function on its own; all their values are outputs, so that none is dropped."""

    def __init__(self, functions) -> None:
        super().__init__()
        self.parts = nn.ModuleList(Then(function) for function in functions)

    def forward(self, x):
        return tuple(part(x) for part in self.parts)


OPERATORS = {
    "indices": (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], "returns indices"),
    "dropout that is on": (lambda x: F.dropout(x, 0.5, True), "on in eval mode"),
    "rounding": (lambda x: x.int().float(), "to torch.int32"),
    "a narrower type": (lambda x: x.float(), "from torch.float64 to torch.float32"),
    "sub with alpha": (lambda x: torch.sub(x, x.relu(), alpha=2), "alpha=2"),
    "add with alpha": (lambda x: torch.add(x, x.relu(), alpha=2), "alpha=2"),
    "addmm with beta": (
        lambda x: torch.addmm(torch.ones(2).double(), x.mean((2, 3)), torch.ones(4, 2).double(), beta=2),
        "these arguments",
    ),
    "batch mean": (lambda x: x - x.mean(0, keepdim=True), "batch"),
    "batch sum kept": (lambda x: x + x.sum(0, keepdim=True), "batch"),
    "batch first no more": (lambda x: x.transpose(0, 1), "batch"),
    "batch permuted": (lambda x: x.permute(1, 0, 2, 3), "batch"),
    "batch flip": (lambda x: x.flip(0), "flip"),
    "batch roll": (lambda x: x.roll(1, 0), "roll"),
    "batch cat": (lambda x: torch.cat([x, x]), "batch"),
    "batch in the channels": (lambda x: x.flatten(0, 1), "batch"),
    "everything": (lambda x: x - x.mean(), "mean"),
    "the batch size as a value": (lambda x: x / x.shape[0], "batch size as a value"),
    "a constant of a batch": (lambda x: x + torch.ones(3, 1, 1, 1, 1).double(), "batch"),
    "fft": (lambda x: torch.fft.fft(x), "fft"),
    "a 3-d product": (lambda x: x @ torch.ones(1, 4, 2).double(), "3-d"),
    "a reshaped batch": (lambda x: x.mean(0).reshape(2, 2, 16) * 2 + 1, "batch"),
    "nothing left": (lambda x: x.clamp(0, 0), "clip to"),
    "a computed weight": (lambda x: F.conv2d(x, x[:1]), "batch"),
    "variance": (lambda x: x.var(1), "var"),
    "amax": (lambda x: x.amax(1), "amax"),
    "area": (lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True), "bilinear"),
    "zeros of the batch, elsewhere": (
        lambda x: x + x.new_zeros(1, x.shape[0]).sum().reshape(1, 1, 1, 1), "batch"
    ),
    "a mask": (
        lambda x: x[:, torch.tensor([True, False, True, False])], "shape that depends on values"
    ),
    "batch stack": (lambda x: torch.stack([x, x]), "batch"),
    "batch repeat": (lambda x: x.repeat(2, 1, 1, 1), "batch"),
    "a computed index": (lambda x: x[:, x.mean((0, 2, 3)).argmax()[None]], "arg|batch|index"),
    "cumsum": (lambda x: x.cumsum(1), "cumsum"),
    "where": (lambda x: torch.where(x > 0, x, x * 0.1), "where"),
}  # fmt: skip


@cache
def apart():
    return refused(Apart(function for function, _ in OPERATORS.values()))


@pytest.mark.parametrize("index", range(len(OPERATORS)), ids=OPERATORS)
def test_operators_without_a_neuron_are_refused_with_place_and_reason(index):
    found = [f for f in apart().findings if f.site.startswith(f"parts.{index}.")]
    assert found, "taken for something it is not"
    words = list(OPERATORS.values())[index][1]
    assert any(re.search(words, f"{finding.what} {finding.why}") for finding in found)
    assert all(re.match(r"test_capture\.py:\d+: ", finding.line) for finding in found)
    assert all(finding.why and finding.fix for finding in found)


def test_what_follows_a_refusal_is_not_refused_again():
    index = list(OPERATORS).index("a reshaped batch")
    assert len([f for f in apart().findings if f.site.startswith(f"parts.{index}.")]) == 1


MODELS = {
    "no running statistics": (no_statistics, "track_running_stats=True"),
    "variance 0 with eps 0": (dead_variance, r"1: .*channels \[2\]"),
    "negative variance": (negative_variance, r"channels \[1, 3\]"),
    "NaN in the first layer": (lambda: with_nan(0), r"0\.weight: 1 values are NaN.*index \[0, 0, 1, 2\]"),
    "NaN in the last layer": (lambda: with_nan(3), r"3\.weight: 1 values.*index \[0, 5\]"),
    "infinite statistics": (with_infinity, r"1\.running_mean: 1 values.*index \[3\]"),
    "two outputs": (lambda: Then(lambda x: (x, x.relu())), "returns its logits alone"),
    "a tuple": (lambda: Then(lambda x: (x,)), "returns its logits alone"),
    "a dict": (lambda: Then(lambda x: {"logits": x}), "returns its logits alone"),
    "a constant": (lambda: Then(lambda x: torch.zeros(2, 3)), "does not depend on the input"),
    "a branch on values": (
        lambda: Then(lambda x: x.relu() if x.sum() > 0 else x), r"test_capture\.py:\d+: .*no `if`"
    ),
    "a batch written in": (lambda: Then(lambda x: x.reshape(2, -1)), "no batch size in a shape"),
    "a length": (lambda: Then(lambda x: x.reshape(len(x), -1)), r"no `len\(x\)`"),
    "constants of a fixed type": (
        lambda: Then(lambda x: x @ torch.ones(4, 2)), "(does not run|capture stops).*float"
    ),
    "a split of the batch": (lambda: Then(lambda x: x.split(1, 0)[1]), "no batch size"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "words"), MODELS.values(), ids=MODELS)
def test_models_that_cannot_be_captured_are_told_why(make, words):
    assert re.search(words, str(refused(make())), re.S)


def test_two_inputs_are_told():
    class Two(nn.Module):
        def forward(self, x, y=None):
            return x if y is None else x + y

    graph, _, _ = rewrite(Two(), X)
    assert [node.op for node in graph.nodes] == ["input"]


def test_capture_prints_and_warns_nothing(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rewrite(layers(), X)
        refused(Then(lambda x: x.relu() if x.sum() > 0 else x))
    assert capfd.readouterr() == ("", "")


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3)

    def forward(self, x):
        self.unused(x).relu()
        return self.used(x).relu()


def test_a_dead_branch_is_not_in_the_graph():
    graph, _, _ = rewrite(Unused(), X)
    assert [node.op for node in graph.nodes] == ["input", "conv", "relu"]
    assert len(graph.tensors) == 2


def test_notes_tell_of_train_mode_and_hooks():
    model = layers()
    model[0].register_forward_hook(lambda module, args, out: 2 * out)
    model.append(nn.BatchNorm1d(3))
    notes = rewrite(model, X)[2]
    assert any(note.startswith("0: ") and "hooks" in note for note in notes)
    assert any(note.startswith("4: ") and "train mode" in note for note in notes)
