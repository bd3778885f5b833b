"""First spikes: the step at which a neuron speaks for the first time, over chunks of time."""

import math

import torch

from isospike.measure.first_spike import FirstSpike
from zoo.tiny import converted, images


def feed(watch, train, *chunks):
    start = 0
    for length in chunks:
        watch.spikes("a", start, None, train[start : start + length], None)
        start += length


def test_times_count_from_1_and_0_is_never():
    train = torch.tensor([[[0.0, 0, 1, 0]], [[0, 0, 1, 0]], [[0, 1, 0, 0]], [[0, 1, 0, 1]]])
    for chunks in ((4,), (1, 3), (2, 2), (1, 1, 1, 1)):
        watch = FirstSpike()
        feed(watch, train, *chunks)
        assert watch.times["a"].tolist() == [[0, 3, 1, 4]]
    assert watch.mean("a") == (3 + 1 + 4) / 3
    assert watch.fired("a") == 3 / 4


def test_a_new_batch_begins_anew():
    watch = FirstSpike()
    feed(watch, torch.ones(2, 1, 1), 2)
    feed(watch, torch.zeros(2, 1, 1), 2)
    assert watch.times["a"].tolist() == [[0]]
    assert math.isnan(watch.mean("a"))


def test_the_first_layer_fires_when_its_drive_has_added_up():
    snn, watch = converted("rueckauer"), FirstSpike()
    drives = []

    class Drive:
        def spikes(self, site, start, drive, spikes, state):
            if site == "act1" and not drives:
                drives.append(drive[0].double())

    snn.run(images(), 32, [watch, Drive()])
    charge = drives[0] / snn.program.units["act1"].theta.double()
    due = torch.where(charge * 32 >= 1, (1 / charge).ceil(), 0)  # v(0) = 0 under a held drive
    near = ((1 / charge) - (1 / charge).round()).abs() < 1e-4  # rounding may shift these by a step
    assert near.double().mean() < 0.1
    assert torch.equal(watch.times["act1"][~near], due[~near].long())
    assert 0 < watch.fired("act2") < 1
