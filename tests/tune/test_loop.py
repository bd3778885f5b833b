"""Tuning: nothing for nothing, the same for the same, nearer to the source, and on from a break."""

from dataclasses import replace

import pytest
import torch

import isospike as iso
from common.nets import images, network, program
from isospike.engine import run
from isospike.schedule import Separated
from isospike.tune import loop, surrogate
from isospike.tune.loop import UNTUNED, Run, tune
from isospike.tune.settings import Tune
from isospike.units.binary import IF
from zoo import tiny
from zoo.tiny import converted

STEPS = 3
QUICK = Tune(iterations=12, batch=8)


def started(seed=3, **changes):
    graph = network(["layer", "residual", "average"], seed=seed)
    p = program(graph, source=graph)
    bias = {name: torch.zeros_like(unit.theta) for name, unit in p.units.items()}
    units = {
        name: IF(unit.theta, unit.v0, bias[name] if unit.theta.dim() else None, **changes)
        for name, unit in p.units.items()
    }
    return replace(p, units=units)


def numbers(p):
    return {
        **p.graph.tensors,
        **{f"{n}.{k}": v for n, u in p.units.items() for k, v in vars(u).items()},
    }


def same(one, other):
    one, other = numbers(one), numbers(other)
    return one.keys() == other.keys() and all(
        torch.equal(v, other[k]) if isinstance(v, torch.Tensor) else v == other[k]
        for k, v in one.items()
    )


def test_no_iterations_change_nothing():
    p = started()
    assert tune(p, images(40), STEPS, replace(QUICK, iterations=0)) is p


@pytest.mark.parametrize("backward", ["exact", "mean"])
@pytest.mark.parametrize("loss", ["distill", "class"])
def test_tuning_brings_the_network_nearer(backward, loss):
    p, x = started(), images(160)
    before = {k: v.clone() for k, v in numbers(p).items() if isinstance(v, torch.Tensor)}
    settings = replace(QUICK, iterations=40, loss=loss, backward=backward, batch=32)
    tuned = tune(p, x, STEPS, settings)
    assert tuned is not p
    fresh = images(100, seed=9)
    first, last = (Run(q, fresh, STEPS, settings).distance(fresh) for q in (p, tuned))
    assert last < 0.9 * first
    for name, value in before.items():  # and the start is untouched
        assert torch.equal(numbers(p)[name], value)


def test_bfloat16_is_for_the_products_alone(monkeypatch):
    p, x = started(), images(160)
    settings = replace(QUICK, iterations=40, batch=32, precision="bf16")
    one, seen = Run(p, x, STEPS, settings), []
    scan = surrogate.plain_forward
    monkeypatch.setattr(surrogate, "_native", lambda z, dynamics: False)
    monkeypatch.setattr(
        surrogate, "plain_forward",
        lambda z, *rest: (seen.append((z.dtype, bool((z == z.bfloat16()).all()))), scan(z, *rest))[1],
    )  # fmt: skip
    logits, _ = one.narrow(x[:8])
    assert logits.dtype == torch.float32
    assert torch.equal(logits, logits.bfloat16().float())
    assert not torch.equal(logits, one.network(x[:8])[0])
    seen.clear()
    one.iterate()
    assert seen == [(torch.float32, True)] * len(p.units)  # wide numbers from narrow products
    assert {v.dtype for v in one.network.parameters.values()} == {torch.float32}
    seen.clear()
    one.distance(x)
    assert (torch.float32, True) not in seen  # what is held out is measured in float32
    tuned, fresh = tune(p, x, STEPS, settings), images(100, seed=9)
    first, last = (Run(q, fresh, STEPS, settings).distance(fresh) for q in (p, tuned))
    assert last < 0.9 * first


def test_what_was_tuned_is_what_an_engine_runs():
    x = images(40)
    one = Run(started(), x, STEPS, QUICK)
    for _ in range(4):
        one.iterate()
    expected = run(one.network.program(), x, STEPS).outputs[STEPS]
    torch.testing.assert_close(one.network(x)[0], expected)


@pytest.mark.parametrize("knobs", [{"drift": True}, {"learn_leak": True}])
def test_the_bias_of_each_step_and_the_leak(knobs):
    x = images(40)
    p = started(leak=0.75)
    units = {n: replace(u, theta=u.theta.expand(2, 1, 1)) for n, u in p.units.items()}
    one = Run(replace(p, units=units), x, STEPS, replace(QUICK, **knobs))
    for _ in range(6):
        one.iterate()
    tuned = one.network.program()
    torch.testing.assert_close(one.network(x)[0], run(tuned, x, STEPS).outputs[STEPS])
    for unit in tuned.units.values():
        assert (unit.drift is not None) == ("drift" in knobs)
        assert unit.drift is None or (unit.drift.shape[0] == STEPS and unit.drift.any())
        assert 0 < unit.leak < 1
        assert (unit.leak != 0.75) == ("learn_leak" in knobs)


def test_twice_is_the_same():
    first, second = (tune(started(), images(40), STEPS, QUICK) for _ in range(2))
    assert same(first, second)
    other = tune(started(), images(40), STEPS, replace(QUICK, seed=1))
    assert not same(first, other)


def test_a_broken_off_run_goes_on_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "EVERY", 5)
    whole = tune(started(), images(40), STEPS, QUICK)
    kept = replace(QUICK, folder=str(tmp_path))

    def stop(what, done, total):
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(started(), images(40), STEPS, kept, stop)
    seen = []
    again = tune(started(), images(40), STEPS, kept, lambda w, done, t: seen.append(done))
    assert same(again, whole)
    assert seen[0] == 5
    assert seen[-1] == 12
    # Another run has a file of its own.
    tune(started(), images(40), STEPS, replace(kept, lr=1e-4))
    assert len(list(tmp_path.glob("tune-*.safetensors"))) == 2


def test_a_damaged_file_is_refused(tmp_path):
    kept = replace(QUICK, folder=str(tmp_path))
    tune(started(), images(40), STEPS, kept)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(iso.FormatError):
        tune(started(), images(40), STEPS, kept)


def test_what_does_not_help_is_not_kept():
    p = converted("iso", STEPS).program
    kept = tune(p, tiny.images(40), STEPS, replace(QUICK, lr=0.5))
    assert kept.units is p.units
    assert kept.notes == [UNTUNED]


def test_pieces_of_a_batch_are_the_batch(monkeypatch):
    whole, pieces = (Run(started(), images(32), STEPS, QUICK) for _ in range(2))
    whole.settings = pieces.settings = replace(QUICK, feature=0.0)
    whole.iterate()
    monkeypatch.setattr(loop, "FRAMES", 2 * STEPS)
    pieces.iterate()
    for name, value in whole.network.parameters.items():
        torch.testing.assert_close(pieces.network.parameters[name].grad, value.grad)


def test_the_learning_rate_rises_and_falls():
    one = Run(started(), images(400), STEPS, replace(QUICK, iterations=100))
    rates = [one.rate(i) for i in range(100)]
    assert rates[0] <= 0.2
    assert rates.index(max(rates)) < 12
    assert rates[-1] < 0.01


def test_refusals():
    graph = network(["layer"])
    with pytest.raises(iso.UsageError, match="no other schedule"):
        tune(program(graph, Separated(), source=graph), images(8), STEPS, QUICK)
    with pytest.raises(iso.UsageError, match=r"binary neurons with a leak below 1: .*leak of 1"):
        tune(started(), images(8), STEPS, replace(QUICK, learn_leak=True))
    burst = started()
    burst = replace(burst, units={n: replace(u, cap=3) for n, u in burst.units.items()})
    with pytest.raises(iso.UsageError, match=r"needs binary neurons: .*\(IF\)"):
        tune(burst, images(8), STEPS, QUICK)
    with pytest.raises(iso.UsageError, match="thresholds per channel"):
        tune(started(), images(8), STEPS, replace(QUICK, drift=True))
    with pytest.raises(iso.UsageError, match="source"):
        tune(program(graph), images(8), STEPS, QUICK)


def test_a_recipe_takes_it_as_a_part():
    tuned = iso.recipe("opi", {"tune": "distill", "tune.lr": "0.002", "tune.backward": "mean"})
    assert tuned.tune == Tune(lr=0.002, backward="mean")
    assert tuned.depends_on_steps
    assert tuned.override({"tune": "none"}).tune is None
    with pytest.raises(iso.UsageError, match=r"tune.backward must be exact or mean"):
        tuned.override({"tune.backward": "sideways"})
    with pytest.raises(iso.UsageError, match=r"knows binary neurons, not Signed"):
        iso.recipe("opi", {"tune": "distill", "neuron": "signed"})
    with pytest.raises(iso.UsageError, match=r"tune.learn_leak learns from a neuron.leak below 1"):
        tuned.override({"tune.learn_leak": True})
    assert tuned.override({"tune.drift": True}).hardware_class == "H1"
    with pytest.raises(iso.UsageError, match="no other schedule"):
        iso.recipe("spikeconverter", {"tune": "distill"})
