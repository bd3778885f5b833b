"""Differential coding against its own equations: changes sent, rates kept by the receiver."""

import pytest
import torch

from isospike.units.differential import Differential

Z = torch.rand(20, 300, generator=torch.Generator().manual_seed(0)) * 2 - 0.5


def reference(changes_in, bias, levels):
    """Huang et al. 2025: v += x - b + r_in - r_out, fire, r_in += (x - b) / t, r_out += s / t;
    r_in begins at b, and x carries b as the drive of every step does."""
    v = torch.zeros_like(changes_in[0])
    r_in, r_out = torch.full_like(v, bias), torch.zeros_like(v)
    out = []
    for t, x in enumerate(changes_in, 1):
        v = v + x - bias + r_in - r_out
        s = torch.zeros_like(v)
        for i in reversed(range(levels)):
            level = 2.0**-i
            s = torch.where(v.abs() >= 0.75 * level, torch.sign(v) * level, s)
        s = torch.where(r_out * t + s < 0, torch.zeros_like(s), s)
        v = v - s
        r_in, r_out = r_in + (x - bias) / t, r_out + s / t
        out.append(s)
    return torch.stack(out), r_out


@pytest.mark.parametrize("levels", [1, 4, 8])
def test_the_papers_neuron_in_its_own_variables(levels):
    """A train of changes with a bias in every step; ours gets the sum of rate and change."""
    bias = 0.25
    changes = Z.clone()
    rate, drive = torch.full_like(Z[0], bias), []
    for t, x in enumerate(changes, 1):
        drive.append(rate + x - bias)
        rate = rate + (x - bias) / t
    changes_out, rate_out = reference(changes.double(), bias, levels)
    unit = Differential(torch.tensor(1.0).double(), torch.tensor(0.0).double(), levels=levels)
    sent, state = unit.scan(torch.stack(drive).double(), None)
    same = (unit.events(sent) == (changes_out != 0)).all(0)  # a change at a level's very edge apart
    assert same.double().mean() >= 0.98
    torch.testing.assert_close(state[1][same], rate_out[same], rtol=1e-6, atol=1e-6)


def test_the_mean_of_what_is_sent_is_the_rate():
    unit = Differential(torch.tensor(2.0), torch.tensor(0.0))
    sent, state = unit.scan(Z.clone(), None)
    torch.testing.assert_close(sent.mean(0), state[1], rtol=1e-5, atol=1e-5)
    assert (state[1] >= -1e-6).all()


def test_a_rate_ends_where_the_activation_does():
    unit = Differential(torch.tensor(2.0), torch.tensor(0.0)).within(0.5)
    drive = torch.linspace(0, 8, 50).repeat(200, 1)
    _, state = unit.scan(drive / 2, None)
    torch.testing.assert_close(2 * state[1], (drive[0] / 2).clamp(max=0.5), rtol=0, atol=0.01)


def test_a_rate_that_is_right_is_silent():
    unit = Differential(torch.tensor(1.0), torch.tensor(0.0))
    sent, _ = unit.scan(torch.full((12, 1), 0.5), None)
    assert unit.events(sent).flatten().tolist() == [1.0] + [0.0] * 11
    assert (sent == 0.5).all()


@pytest.mark.parametrize("levels", [0, 17])
def test_levels_that_no_float_holds(levels):
    with pytest.raises(ValueError, match="levels"):
        Differential(torch.tensor(1.0), torch.tensor(0.0), levels=levels)
