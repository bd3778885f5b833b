"""Temporal switch coding: the trains of the plain neuron, the events of a switch."""

import torch
from hypothesis import given

from common.units import drives, thetas
from isospike.units.binary import IF
from isospike.units.switched import Switched


@given(drives(), thetas())
def test_it_sends_what_the_plain_neuron_sends(drive, theta):
    spikes, state = Switched(theta, torch.tensor(0.5)).scan(drive * theta, None)
    plain, v = IF(theta, torch.tensor(0.5)).scan(drive * theta, None)
    assert torch.equal(spikes, plain)
    assert torch.equal(state[0], v)


def test_an_event_is_a_turn_of_the_switch():
    """on, on, off, on: three events; the fourth step belongs to a second chunk."""
    unit = Switched(torch.tensor(1.0), torch.tensor(0.0))
    spikes, state = unit.scan(torch.tensor([[1.0], [1.0], [0.0]]), None)
    assert unit.events(spikes).flatten().tolist() == [1, 0, 1]
    mark = unit.mark(state)
    spikes, _ = unit.scan(torch.tensor([[1.0], [1.0]]), state, 3)
    assert unit.events(spikes, mark, 3).flatten().tolist() == [1, 0]


def test_a_full_drive_is_one_event():
    unit = Switched(torch.tensor(1.0), torch.tensor(0.5))
    spikes, _ = unit.scan(torch.ones(50, 1), None)
    assert spikes.sum() == 50
    assert unit.events(spikes).sum() == 1
