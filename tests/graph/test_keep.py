"""What is kept analogue: the same function, a site, told of, and right when it spikes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import isospike as iso
from common.captured import Apply, Bend, table
from isospike.engine import run
from isospike.graph.graph import apply, execute
from isospike.graph.ops import Kind
from isospike.graph.rewrite import LIMIT_64

KEPT = {
    "silu": Apply(nn.SiLU()),
    "silu in place": Apply(nn.SiLU(inplace=True)),
    "gelu": Apply(nn.GELU()),
    "gelu tanh": Apply(nn.GELU("tanh")),
    "sigmoid": Apply(torch.sigmoid),
    "tanh": Apply(nn.Tanh()),
    "hardswish": Apply(nn.Hardswish()),
    "mish": Apply(nn.Mish()),
    "elu": Apply(nn.ELU(0.7)),
    "softplus": Apply(nn.Softplus(2.0)),
    "softmax": Apply(nn.Softmax(-1)),
    "layer_norm": Apply(nn.LayerNorm(6)),
    "layer_norm plain": Apply(nn.LayerNorm((6, 6), elementwise_affine=False)),
    "group_norm": Apply(nn.GroupNorm(2, 4)),
    "product": Bend(torch.mul),
    "product spread": Apply(lambda x: x * x.mean((2, 3), keepdim=True)),
    "quotient": Bend(lambda a, b: a / b),
    "matmul": Bend(torch.matmul),
}
kept, keeps = table(KEPT, keep=["parts.*"])


@kept
def test_what_is_kept_is_the_same_function(case):
    found = keeps()
    assert found.error(case) <= LIMIT_64
    (site,) = [node for node in found.nodes(case) if node.is_site]
    assert (site.kind, site.op) == (Kind.ANALOGUE, list(KEPT)[case].split()[0])


@kept
def test_the_sum_of_frames_is_as_many_times_the_function_of_their_mean(case):
    (site,) = [node for node in keeps().nodes(case) if node.is_site]
    values = {}
    x = torch.linspace(-2, 2, 288, dtype=torch.float64).reshape(2, 144)
    execute(keeps().graph, x, watch=lambda node, value: values.update({node.name: value}))
    drive = values[site.inputs[0]]
    assert torch.allclose(apply(keeps().graph, site, [3 * drive], 3.0), 3 * values[site.name])


class Gated(nn.Module):
    """A residual network with a squeeze-and-excitation and a SiLU."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.body = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.down, self.up = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)
        self.act, self.head = nn.SiLU(), nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.stem(x))
        gate = F.hardsigmoid(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))
        x = F.relu(self.body(x * gate) + x)
        return self.head(self.act(x).mean((2, 3)))


IMAGES = torch.linspace(0, 40, 8 * 2 * 6 * 6).sin().add(1).div(2).reshape(8, 2, 6, 6)


def test_every_function_is_named_until_it_is_kept():
    refused = iso.plan(Gated(), "rueckauer", IMAGES)
    assert [f.site for f in refused.problems] == ["mul", "act"]
    assert all("keep=['" in f.fix for f in refused.problems)
    half = iso.plan(Gated(), "rueckauer", IMAGES, keep="mul")
    assert [f.site for f in half.problems] == ["act"]
    whole = iso.plan(Gated(), "rueckauer", IMAGES, keep=["mul", "silu"])
    assert whole.ok
    assert [n.op for n in whole.graph.sites].count("clip") == 1
    assert sum("stays analogue" in note for note in whole.notes) == 2
    assert whole.hardware_class == "H4"


@pytest.mark.parametrize("recipe", ["rueckauer", "iso"])
def test_a_network_with_kept_functions_nears_the_model_with_time(recipe, tmp_path):
    model = Gated()
    snn = iso.convert(model, IMAGES, steps=64, recipe=recipe, keep=["mul", "silu"])
    with torch.no_grad():
        expected = model(IMAGES)
    errors = []
    for steps in (4, 32, 256):
        found = snn.run(IMAGES, [steps]).outputs[steps]
        errors.append(float((found - expected).norm() / expected.norm()))
    assert errors[2] < 0.05
    assert errors[2] < errors[0]
    snn.engine = "steploop"
    stepped = snn.run(IMAGES, [9]).outputs[9]
    snn.engine = "dense"
    assert torch.allclose(stepped, snn.run(IMAGES, [9]).outputs[9], atol=1e-5)
    snn.save(tmp_path / "kept.iso")
    again = iso.load(tmp_path / "kept.iso")
    assert torch.equal(again(IMAGES), snn(IMAGES))
    table = iso.evaluate(snn, [(IMAGES, torch.zeros(8, dtype=torch.int64))], steps=[4])
    assert "4" in str(table)
    assert iso.audit(snn, IMAGES).sites


def test_a_separated_schedule_sends_kept_values_in_the_first_step_of_a_phase(tmp_path):
    model = Gated()
    snn = iso.convert(model, IMAGES, steps=12, recipe="spikeconverter", keep=["mul", "silu"])
    with torch.no_grad():
        expected = model(IMAGES)
    closed = run(snn.program, IMAGES, [12]).outputs[12]
    assert float((closed - expected).norm() / expected.norm()) < 1e-2
    stepped = run(snn.program, IMAGES, [12], engine="steploop").outputs[12]
    torch.testing.assert_close(stepped, closed, rtol=1e-5, atol=1e-6)
    snn.save(tmp_path / "kept.iso")
    assert torch.equal(iso.load(tmp_path / "kept.iso")(IMAGES), snn(IMAGES))
