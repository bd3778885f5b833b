"""A probe before the run: whom it silences, and that a shift moves exactly one spike."""

from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st

from common.nets import graphs, images, program
from common.runs import same
from common.units import drives, thetas
from isospike.engine import run
from isospike.engine.probe import mask, probed, shift
from isospike.schedule import Probed, Synchronous
from isospike.units.binary import IF


@given(drives(high=1.0), thetas())
def test_a_mask_silences_who_ends_at_nothing(drive, theta):
    unit = IF(theta, torch.tensor(0.5))
    spikes, v = unit.scan(drive * theta, None)
    masked, seen = mask(unit, drive * theta)
    assert torch.equal(seen, spikes)
    again, _ = masked.scan(drive * theta, None)
    assert torch.equal(again, torch.where(v > 1e-3, spikes, 0.0))


@given(drives(high=1.0), thetas())
def test_a_shift_moves_one_spike_of_whom_it_corrects(drive, theta):
    """Under a drive of at most one threshold a step."""
    unit = IF(theta, torch.tensor(0.5))
    spikes, v = unit.scan(drive * theta, None)
    _, corrected = shift(unit, drive * theta)
    counts = spikes.sum(0)
    wrong = torch.where((v < 0) & (counts > 0), -1.0, 0.0)
    wrong = wrong + ((v >= 1) & (counts < len(drive))).float()
    assert torch.equal(corrected.sum(0) - counts, wrong)


@given(graph=graphs, steps=st.integers(1, 5), rule=st.sampled_from(["mask", "shift"]))
def test_the_engines_agree_and_samples_do_not_know_each_other(graph, steps, rule):
    p = program(graph, Probed(3, rule))
    x = images(11)
    whole = run(p, x, [1, steps])
    same(whole, run(p, x, [1, steps], engine="steploop"))
    alone = run(p, x[4:5], [1, steps])
    assert torch.equal(alone.outputs[steps], whole.outputs[steps][4:5])


@given(graph=graphs, steps=st.integers(1, 5))
def test_the_corrected_program_is_an_ordinary_one(graph, steps):
    p, x = program(graph, Probed(3, "shift")), images(3)
    corrected, _ = probed(p, x)
    assert corrected.schedule == Synchronous()
    same(run(corrected, x, steps), run(p, x, steps))


@given(graph=graphs, rule=st.sampled_from(["mask", "shift"]))
def test_the_spikes_of_the_probe_are_counted(graph, rule):
    p, x, length = program(graph, Probed(3, rule)), images(11), 3
    spikes = run(p, x, [1, 5]).probe
    assert spikes.keys() == {node.name for node in graph.sites}
    if rule == "mask":  # the probe is a run of the network as it is
        plain = run(replace(p, schedule=Synchronous()), x, length)
        assert all(torch.equal(n, plain.counts[site][length]) for site, n in spikes.items())
    halves = [run(p, part, 1).probe for part in (x[:4], x[4:])]
    for site, whole in spikes.items():
        assert torch.equal(whole, halves[0][site] + halves[1][site])


def test_a_probe_costs_its_steps():
    assert [Probed(4, "mask").latency(7, t) for t in (1, 8)] == [5, 12]
    assert [Probed(4, "shift").latency(7, t) for t in (1, 8)] == [35, 84]
    p = program(graphs_of_depth(), Probed(4, "mask"))
    assert replace(p).latency(8) == 12


def graphs_of_depth():
    from common.nets import network

    return network(["layer", "layer"])
