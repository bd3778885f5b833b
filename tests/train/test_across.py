"""Two processes train as one does: batch norm, gradients, augmentation, and every count."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import nn

from isospike.errors import UsageError
from isospike.train.across import BatchNormAcross, across_processes, leaves_unused
from launch import launch, told

WORKER = Path(__file__).with_name("across_worker.py")
MODELS = ["plain", "norm", "noise-free nq", "rnl", "unused", "residual"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What one process and two of `accelerate launch` report, after the same two epochs."""
    found = {}
    for count in (1, 2):
        out = tmp_path_factory.mktemp(f"p{count}") / "found.json"
        told(launch(count, str(WORKER), str(out)))
        found[count] = json.loads(out.read_text())
    return found


def test_two_processes_were_two(runs):
    assert {count: found["processes"] for count, found in runs.items()} == {1: 1, 2: 2}


@pytest.mark.parametrize("model", MODELS)
def test_the_weights_are_those_of_one_process(runs, model):
    one, two = (torch.tensor(runs[count][model]["weights"]) for count in (1, 2))
    # Where activations are quantised, the last bit of a sum may move a value by a whole level.
    smooth = model in ("norm", "rnl")
    close = {"rtol": 1e-4, "atol": 1e-6} if smooth else {"rtol": 0.01, "atol": 0.002}
    assert torch.allclose(one, two, **close), (one - two).abs().max()


@pytest.mark.parametrize("model", MODELS)
def test_the_loss_is_that_of_all_images(runs, model):
    assert runs[2][model]["losses"] == pytest.approx(runs[1][model]["losses"], rel=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_every_validation_image_is_counted_once(runs, model):
    assert runs[1][model]["correct"] == runs[2][model]["correct"]
    assert runs[1][model]["of"] == runs[2][model]["of"] == 51


def test_training_moved_the_weights(runs):
    for model in MODELS:
        assert runs[1][model]["moved"] > 1e-3


@pytest.fixture
def one(tmp_path):
    """A process group of this process alone."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/meet", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("momentum", [0.1, None])
def test_on_one_process_it_is_batch_norm(momentum):
    x = torch.randn(6, 3, 4, 4, dtype=torch.float64)
    plain = nn.BatchNorm2d(3, momentum=momentum).double()
    model = nn.Sequential(nn.BatchNorm2d(3, momentum=momentum).double())
    across_processes(model)
    assert isinstance(model[0], BatchNormAcross)
    for step in range(3):
        a, b = (x * (step + 1)).requires_grad_(), (x * (step + 1)).requires_grad_()
        (plain(a) ** 3).sum().backward()
        (model(b) ** 3).sum().backward()
        assert torch.allclose(a.grad, b.grad, atol=1e-9)
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, model[0].state_dict()[name]), name
    assert torch.allclose(plain.eval()(x), model.eval()(x))


def test_a_parameter_without_a_gradient_is_found_and_the_model_stays():
    class Auxiliary(nn.Linear):
        def forward(self, input):
            return super().forward(input) if self.training else input

    x, spare = torch.randn(4, 3), nn.Linear(3, 3)
    for model, found in (
        (nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), False),
        (nn.Sequential(Auxiliary(3, 3)).eval(), False),
        (nn.ModuleList([nn.Linear(3, 3), spare]), True),
        (nn.ModuleList([nn.Linear(3, 3), deepcopy(spare).requires_grad_(False)]), False),
    ):
        before = deepcopy(model.state_dict())
        call = (lambda trial: trial[0](x)) if isinstance(model, nn.ModuleList) else (lambda m: m(x))
        assert leaves_unused(model, lambda trial, call=call: call(trial).sum()) == found
        assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
        assert all(p.grad is None for p in model.parameters())


class Activated(nn.BatchNorm2d):
    """Adds an activation, as some libraries do."""

    def forward(self, input):
        return super().forward(input).relu()


class Marked(nn.BatchNorm2d):
    """Adds no computation."""

    mark = "mine"


def test_a_batch_norm_with_a_forward_of_its_own_is_refused_by_name():
    replaced = nn.BatchNorm1d(2)
    replaced.forward = lambda x: x
    model = nn.Sequential(nn.BatchNorm2d(2), Activated(2), replaced)
    with pytest.raises(UsageError, match=r"1 \(Activated\), 2 \(BatchNorm1d\)"):
        across_processes(model)
    assert type(model[0]) is nn.BatchNorm2d


@pytest.mark.usefixtures("one")
def test_what_a_batch_norm_has_beside_its_tensors_stays():
    twice, calls = Marked(3), []
    twice.note = "kept"
    twice.register_forward_hook(lambda *_: calls.append(1))
    model = nn.Sequential(twice, twice)
    for _ in range(2):  # as for a second trainer of the same model
        across_processes(model)
    assert isinstance(model[0], BatchNormAcross)
    assert model[0] is model[1] is twice
    assert (deepcopy(twice).note, twice.mark) == ("kept", "mine")
    model(torch.randn(4, 3, 2, 2))
    assert len(calls) == 2


@pytest.mark.usefixtures("one")
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("affine", [True, False])
def test_half_precision_has_the_statistics_of_float32(kind, affine):
    torch.manual_seed(0)
    x = (torch.randn(8, 3, 48, 48) + 20).to(kind)  # a sum of 368,640: fp16 ends at 65,504
    plain = nn.BatchNorm2d(3, affine=affine)
    model = nn.Sequential(nn.BatchNorm2d(3, affine=affine))
    across_processes(model)
    wide, half = x.float().requires_grad_(), x.clone().requires_grad_()
    expected, found = plain(wide), model(half)
    assert found.dtype == kind
    assert torch.allclose(found.float(), expected, rtol=torch.finfo(kind).eps, atol=1e-4)
    for name, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, model[0].state_dict()[name], rtol=1e-5), name
    (expected**3).sum().backward()
    (found.float() ** 3).sum().backward()
    assert torch.allclose(half.grad.float(), wide.grad, rtol=0.02, atol=0.1)
