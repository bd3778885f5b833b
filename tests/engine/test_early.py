"""Early firing against a clock of the whole network, and what it costs and saves."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from common.nets import graphs, images, network, program
from common.runs import same
from isospike.engine import run
from isospike.engine.closed import run_closed
from isospike.engine.steploop import run_steploop
from isospike.errors import UsageError
from isospike.measure.audit import audit
from isospike.schedule import Separated
from isospike.units.analogue import Analogue
from zoo.tiny import converted, plan_for
from zoo.tiny import images as tiny_images

SHARES = [0.2, 0.5, 0.9]
dyadic = st.sampled_from([1, 2, 3, 5])  # 16^(1 / (T - 1)) is one, too
CODES = [{"k": 1.0}, {"k": 2.0}, {"k": 1.5, "extra": 1}, {"ratio": 16.0}]


@pytest.mark.parametrize("code", CODES, ids=str)
@given(graph=graphs, steps=dyadic, share=st.sampled_from(SHARES))
def test_the_clock(code, graph, steps, share):
    p = program(graph, Separated(**code, early=share), bias=torch.tensor(0.125))
    same(run_closed(p, images(), [steps]), run_steploop(p, images(), [steps]))


@pytest.mark.parametrize("code", CODES, ids=str)
@given(graph=graphs, steps=dyadic)
def test_no_step_early_is_the_phase_as_a_whole(code, graph, steps):
    p, q = (program(graph, Separated(**code, early=e)) for e in (0.0, 1e-9))
    same(run(p, images(), [steps]), run(q, images(), [steps]))


def test_the_first_layer_has_nothing_to_wait_for():
    counts = [
        run(program(network(["layer", "layer"]), Separated(2.0, early=share)), images(), 4).counts
        for share in (0.0, 0.9)
    ]
    first, second = counts[0]
    assert torch.equal(counts[0][first][4], counts[1][first][4])
    assert not torch.equal(counts[0][second][4], counts[1][second][4])


def test_parts_of_a_batch_are_the_batch():
    p = program(network(["residual"]), Separated(2.0, early=0.5))
    x = images(300)
    whole = run(p, x, [2, 4])
    same(whole, type(whole).join([run(p, part, [2, 4]) for part in x.split(77)]))


def test_the_audit_knows_what_came_too_late():
    found = {}
    for share in (0.0, 0.5):
        snn = converted(iso.recipe("t2fsnn", {"schedule.early": share}))
        found[share] = audit(snn, tiny_images())
    assert found[0.0].to_json() != found[0.5].to_json()


def test_a_kept_function_is_told_before_any_work():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(128, 4), torch.nn.SiLU())
    x = tiny_images()
    with pytest.raises(iso.ConversionError, match="whole input at once"):
        iso.convert(model, x, 4, iso.recipe("spikeconverter", {"schedule.early": 0.5}), keep="silu")


def test_half_a_phase_early_costs_half_the_phases():
    schedule = Separated(2.0, early=0.5)
    assert [schedule.lead(t) for t in (1, 2, 8, 9)] == [1, 1, 4, 5]
    assert schedule.latency(15, 80) == 15 * 40 + 80
    assert schedule.interval(80) == schedule.updates(80) == 120
    assert Separated(2.0, early=0.99).lead(1) == 1


def test_what_cannot_fire_early_is_named():
    wanted = iso.recipe("t2fsnn", {"schedule.early": 0.5})
    assert (
        converted(wanted).latency < converted(iso.recipe("t2fsnn", {"schedule.early": 0})).latency
    )
    p = program(network(["layer"]), Separated(2.0, early=0.5))
    functions = replace(p, units={name: Analogue("silu", {}) for name in p.units})
    for engine in ("closed", "steploop"):
        with pytest.raises(UsageError, match=r"only neurons fire early.*, for "):
            run(functions, images(), 4, engine=engine)
    with pytest.raises(UsageError, match=r"programs .* early"):
        iso.recipe("fs-neurons", {"schedule.early": 0.5})
    assert plan_for(wanted).recipe.schedule.early == 0.5
