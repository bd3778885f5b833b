"""The Triton neuron against plain torch: on a GPU, or by Triton's interpreter on the CPU.

TRITON_INTERPRET=1 python -m pytest tests/engine/test_cuda.py      (where triton is installed)
"""

import importlib.util
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.nets import dyadic, images, network, program
from common.runs import same
from isospike.engine import cuda, run
from isospike.engine.steploop import run_steploop
from isospike.units.binary import IF

GPU = torch.cuda.is_available()
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
TRITON = importlib.util.find_spec("triton") is not None
kernel = pytest.mark.skipif(
    not (TRITON and (GPU or INTERPRETED)), reason="no triton, or neither GPU nor its interpreter"
)
gpu = pytest.mark.skipif(not GPU, reason="no GPU")
DEVICE = "cuda" if GPU else "cpu"
SHAPES = [(3,), (3, 5), (3, 4, 5)]


def neuron(shape, theta, bias, **settings) -> IF:
    theta = torch.tensor([0.5, 1.0, 4.0]) if theta else torch.tensor(2.0)
    own = [3, *[1] * (len(shape) - 1)]
    theta = theta.reshape(own) if theta.dim() else theta
    return IF(theta.to(DEVICE), torch.tensor(0.5, device=DEVICE),
              torch.full(own, 0.25, device=DEVICE) if bias else None, **settings)  # fmt: skip


@kernel
@settings(max_examples=40)
@given(
    st.integers(0, 2**16), st.sampled_from(SHAPES), st.booleans(), st.booleans(), st.booleans(),
    st.booleans(), st.sampled_from([{}, {"reset": "hard"}, {"cap": 3}, {"leak": 0.75}]),
    st.sampled_from(cuda.DRIVES), st.lists(st.integers(1, 4), min_size=1, max_size=3),
)  # fmt: skip
def test_it_is_the_plain_scan(seed, shape, last, theta, bias, held, kind, dtype, parts):
    readings = torch.tensor(parts).cumsum(0).tolist()
    unit = neuron(shape, theta, bias, **kind)
    generator = torch.Generator().manual_seed(seed)
    z = dyadic(generator, 1 if held else readings[-1], 2, *shape).to(DEVICE, dtype)
    if last and len(shape) == 3:
        z = z.movedim(-3, -1).contiguous().movedim(-1, -3)
    assert cuda.known(unit, z)
    v = unit.start(z[0])
    values, counts = cuda.scan(unit, z.clone(memory_format=torch.preserve_format), v, readings)
    drive = z.expand(readings[-1], *z.shape[1:]).clone()
    spikes, state = unit.scan(drive, None)
    assert torch.equal(values, (spikes * unit.amplitude).to(dtype))
    assert torch.equal(v, state)
    for at, (first, end) in enumerate(zip([0, *readings], readings, strict=False)):
        assert torch.equal(counts[at], spikes[first:end].sum((0, 1)).long())


@kernel
def test_what_it_does_not_know_goes_the_plain_way():
    z = torch.zeros(2, 2, 3, 4, 5, device=DEVICE)
    assert cuda.known(neuron((3, 4, 5), True, True), z)
    assert not cuda.known(neuron((3, 4, 5), True, True), z.double())
    assert not cuda.known(neuron((3, 4, 5), True, True), z.transpose(-1, -2))


@gpu
def test_a_network_on_the_gpu_is_the_one_on_the_cpu():
    """Dyadic weights: equal bits; TF32 stays as the user had it."""
    p, x = program(network(["layer", "residual", "average", "layer"], 3)), images(20)
    before = torch.backends.cudnn.allow_tf32
    found = run(p.map_tensors(lambda t: t.cuda()), x.cuda(), [1, 5, 20])
    assert torch.backends.cudnn.allow_tf32 == before
    expected = run_steploop(p, x, [1, 5, 20])
    found.outputs = {t: y.cpu() for t, y in found.outputs.items()}
    found.counts = {s: {t: n.cpu() for t, n in at.items()} for s, at in found.counts.items()}
    same(found, expected)


@pytest.mark.parametrize("allowed", [True, False])
def test_full_precision_is_nothing_on_a_cpu(monkeypatch, allowed):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", allowed)
    with cuda.full_precision(torch.zeros(1)):
        assert torch.backends.cudnn.allow_tf32 == allowed
    assert torch.backends.cudnn.allow_tf32 == allowed
