"""Fitted programs: better than digits, better with more steps, the same twice, in a network."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import isospike as iso
from isospike.engine import run
from isospike.fit.few_spike import LONGEST, FewSpikeFit, search
from isospike.units.few_spike import FewSpike
from isospike.units.radix import RadixCode

X = torch.randn(256, generator=torch.Generator().manual_seed(1)).double().mul(2).sort().values
FUNCTIONS = {"silu": F.silu, "gelu": F.gelu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


def error(f, length: int, rounds: int) -> float:
    """Of the fit, relative to the function."""
    program = FewSpike(*search(f, X, length, FewSpikeFit(rounds)), RadixCode())
    return float((program.dual(X, length) - f(X)).norm() / f(X).norm())


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS)
def test_eight_steps_are_enough_for_a_few_percent(f):
    found = error(f, 8, 60)
    assert found < 0.1  # measured 0.03 to 0.06
    assert found < error(f, 3, 60)
    assert found < error(f, 8, 0)  # the starts alone


def test_the_same_seed_finds_the_same_program():
    one, two = (search(F.silu, X, 6, FewSpikeFit(10)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    other = search(F.silu, X, 6, FewSpikeFit(10, seed=1))
    assert not torch.equal(one[0], other[0])


class Swish(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.act, self.gelu, self.head = nn.SiLU(), nn.GELU(), nn.Linear(6, 3)

    def forward(self, x):
        x = self.gelu(self.b(self.act(self.a(x)))) + torch.relu(x.mean(1, keepdim=True))
        return self.head(self.act(x).mean((2, 3)))


IMAGES = torch.linspace(0, 40, 8 * 2 * 6 * 6).sin().add(1).div(2).reshape(8, 2, 6, 6)


@pytest.fixture(scope="module")
def converted():
    """steps -> the network; one program for both SiLUs."""
    settings = {"few_spike.rounds": 40}
    return {
        steps: iso.convert(Swish(), IMAGES, steps, "fs-neurons", settings=settings)
        for steps in (2, 10, 20)
    }


def test_a_network_nears_its_source_and_spikes(converted):
    exact = Swish()(IMAGES).detach()
    errors = {t: float((snn(IMAGES) - exact).norm() / exact.norm()) for t, snn in converted.items()}
    assert errors[10] < 0.05
    assert errors[10] < errors[2]
    units = converted[20].program.units
    assert len(units["act"].weights) == LONGEST
    assert torch.equal(units["act"].weights, units["act@1"].weights)
    counts = converted[10].run(IMAGES, [10]).counts
    assert all(counts[site][10].sum() > 0 for site in units)


def test_it_runs_step_by_step_saves_and_is_told(converted, tmp_path):
    snn = converted[10]
    closed = run(snn.program, IMAGES, [10]).outputs[10]
    stepped = run(snn.program, IMAGES, [10], engine="steploop").outputs[10]
    torch.testing.assert_close(stepped, closed, rtol=1e-5, atol=1e-6)
    snn.save(tmp_path / "few.safetensors")
    assert torch.equal(iso.load(tmp_path / "few.safetensors")(IMAGES), snn(IMAGES))
    planned = iso.plan(Swish(), "fs-neurons", IMAGES)
    assert planned.hardware_class == "H3"
    assert sum("program of few spikes" in note for note in planned.notes) == 3
    assert {site.site for site in iso.audit(snn, IMAGES).sites} >= {"act", "gelu"}


def test_what_the_user_keeps_stays_analogue():
    planned = iso.plan(Swish(), "fs-neurons", IMAGES, keep="gelu")
    assert [n.op for n in planned.graph.sites if n.path == "gelu"] == ["gelu"]
    assert planned.hardware_class == "H4"
    settings = {"few_spike.rounds": 5}
    told = iso.evaluate(
        Swish(), [(IMAGES, torch.zeros(8).long())], [4], "fs-neurons", IMAGES, settings
    )
    assert told.kept == []
    told = iso.evaluate(
        Swish(),
        [(IMAGES, torch.zeros(8).long())],
        [4],
        "fs-neurons",
        IMAGES,
        settings,
        keep=["gelu"],
    )
    assert [site["op"] for site in told.kept] == ["gelu"]


def test_programs_need_a_phase():
    with pytest.raises(iso.UsageError, match="schedule=separated"):
        iso.plan(Swish(), "iso", IMAGES, {"few_spike": "fit"})
