"""Operations and energy from their definitions."""

from dataclasses import replace

import pytest
import torch

import isospike as iso
from isospike.engine import run
from isospike.engine.probe import probed
from isospike.measure.energy import Costs, energy_nj
from isospike.schedule import Probed, Separated, Settled, Synchronous
from measure.brute import macs, synapses
from zoo.tiny import converted, images, plan_for

IMAGES = images(6)


class Spikes:
    """An observer that keeps every spike."""

    def __init__(self):
        self.trains = {}

    def spikes(self, site, start, drive, spikes, state):
        self.trains.setdefault(site, []).append(spikes.clone())


def test_the_formula():
    assert energy_nj(1000, 0) == pytest.approx(0.9)
    assert energy_nj(0, 1000) == pytest.approx(4.6)
    assert energy_nj(2_000, 3_000) == pytest.approx(2 * 0.9 + 3 * 4.6)


@pytest.mark.parametrize("recipe", ["iso", "ic-snn"])
def test_synops_are_the_spikes_that_reach_a_target(recipe):
    snn, steps = converted(recipe), 8
    graph = snn.program.graph
    reached = synapses(graph)
    watch = Spikes()
    snn.run(IMAGES, steps, [watch])
    expected = 0
    for site, chunks in watch.trains.items():
        for spikes in torch.cat(chunks):  # step by step
            for image in spikes:
                expected += int(sum(reached[site][tuple(p)] for p in image.nonzero().tolist()))
    if recipe == "ic-snn":  # the coder's spikes meet the first layer
        frames = iso.recipe(recipe, {"coder.compensate": False}).coder.frames(IMAGES, steps)
        expected += int((frames.sum((0, 1)) * torch.from_numpy(reached[graph.input])).sum())
    row = iso.evaluate(snn, IMAGES, steps).rows[0]
    assert row.synops * len(IMAGES) == expected


@pytest.mark.parametrize("recipe", ["iso", "spikeconverter"])
def test_a_held_image_costs_its_first_layer_once(recipe):
    snn = converted(recipe)
    graph = snn.program.graph
    first = macs(graph, ".1")
    rows = iso.evaluate(snn, IMAGES, [2, 8]).rows
    assert [row.macs for row in rows] == [first, first]
    assert [row.energy_nj for row in rows] == [energy_nj(row.synops, first) for row in rows]
    total = sum(macs(graph, node.name) for node in graph.nodes if node.kind.value == "weight")
    assert Costs.of(graph).ann_macs == total


def test_a_spike_coder_has_no_analogue_layer_unless_it_compensates():
    costs = Costs.of(converted("ic-snn").program.graph)
    assert costs.macs(converted("ic-snn").program, 8) == costs.held_macs > 0
    plain = iso.convert(plan_for(iso.recipe("opi", {"coder": "bernoulli"})), IMAGES, 4)
    assert costs.macs(plain.program, 8) == 0


@pytest.mark.parametrize(
    ("schedule", "each"),
    [(Synchronous(), 8), (Settled(3), 11), (Probed(4, "mask"), 12), (Probed(4, "shift"), 16),
     (Separated(2.0, 1), 18)],
)  # fmt: skip
def test_neuron_updates(schedule, each):
    program = replace(converted().program, schedule=schedule)
    assert Costs.of(program.graph).updates(program, 8) == each * (4 * 8 * 8 + 4 * 4 * 4)


@pytest.mark.parametrize("recipe", ["srp", "cos"])
def test_a_probe_is_paid_for(recipe):
    snn, probe = converted(recipe), 4
    watch = Spikes()
    corrected, spikes = probed(snn.program, IMAGES)
    run(corrected, IMAGES, 8, [watch])
    costs = Costs.of(snn.program.graph)
    sent = costs.synops({s: torch.cat(chunks).sum((0, 1)) for s, chunks in watch.trains.items()})
    (row,) = iso.evaluate(snn, IMAGES, 8).rows
    assert costs.synops(spikes) > 0.1 * sent
    assert row.synops * len(IMAGES) == sent + costs.synops(spikes)
    fired = [*spikes.values(), *(torch.cat(chunks) for chunks in watch.trains.values())]
    neurons = sum(costs.neurons.values())
    assert row.spikes_per_neuron == sum(int(s.sum()) for s in fired) / (len(IMAGES) * neurons)
    assert row.neuron_updates == neurons * (8 + probe * (1 if recipe == "srp" else 2))
    rated = sum(rate * costs.neurons[site] for site, rate in row.site_rates.items())
    assert rated * 8 * len(IMAGES) == pytest.approx(sum(int(s.sum()) for s in fired[len(spikes) :]))


def test_the_pixels_of_a_probe_are_paid_for():
    coded = iso.recipe("srp", {"coder": "bernoulli"})
    snn = converted(coded)
    costs, whole = Costs.of(snn.program.graph), snn.run(IMAGES, 8)
    pixels = [coded.coder.events(IMAGES, t).sum((0, 1)) for t in (4, 8)]
    name = snn.program.graph.input
    expected = sum(costs.synops({name: each}) for each in pixels)
    expected += costs.synops({s: at[8] for s, at in whole.counts.items()})
    expected += costs.synops(whole.probe)
    (row,) = iso.evaluate(snn, IMAGES, 8).rows
    assert row.synops * len(IMAGES) == pytest.approx(expected)


def test_no_drive_costs_no_spike():
    program = converted("rueckauer").program
    silent = {key: t * 0 if key.endswith("bias") else t for key, t in program.graph.tensors.items()}
    program = replace(program, graph=replace(program.graph, tensors=silent))
    row = iso.evaluate(iso.SpikingNetwork(program, 4), torch.zeros(2, 2, 8, 8), 4).rows[0]
    assert row.synops == row.spikes_per_neuron == 0


def test_costs_add_up_over_layers():
    snn = converted("iso")
    costs = Costs.of(snn.program.graph)
    counts = {site: at[8] for site, at in snn.run(IMAGES, 8).counts.items()}
    parts = [costs.synops({site: count}) for site, count in counts.items()]
    assert costs.synops(counts) == sum(parts)
    assert all(part > 0 for part in parts)
