"""Methods that are one another: their own step equations, written out, against our parts."""

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from common.nets import images, network, program
from common.units import drives, held, thetas
from isospike.activations import clip_quant
from isospike.engine import run
from isospike.fit.neurons import Group
from isospike.graph.graph import execute
from isospike.schedule import Separated
from isospike.units.binary import IF
from isospike.units.first_spike import FirstSpikeCode
from isospike.units.radix import RadixCode
from isospike.units.timed import Timed


@given(drives(length=st.just(1)), thetas(), st.integers(1, 16))
def test_constant_drive_makes_a_group_of_m_over_t_steps_a_quantiser_of_m_t_levels(
    drive, theta, steps
):
    members = 4
    unit = Group(members).build(theta, torch.tensor(0.5))
    spikes, _ = unit.scan(held(drive, steps) * theta, None)
    found = unit.amplitude * (spikes.sum(0) / steps)
    assert torch.equal(found, clip_quant(drive[0] * theta, theta, members * steps, 0.5))


@given(drives(), st.integers(1, 6))
def test_a_group_is_its_members(drive, members):
    """Lv et al.: members fire at i theta / m, the group sends how many did."""
    theta = float(members)  # so that theta / m is a number that floats hold
    unit = Group(members).build(torch.tensor(theta), torch.tensor(0.5))
    spikes, _ = unit.scan(drive, None)
    v, out = torch.full_like(drive[0], 0.5), []
    for z in drive:
        v = v + z
        fired = sum((v >= i * theta / members).float() for i in range(1, members + 1))
        v = v - fired * theta / members
        out.append(fired)
    assert torch.equal(torch.stack(out), spikes)


@given(drives(high=2.0), st.sampled_from([0.0, 0.5]))
def test_the_parallel_neuron_sends_what_separation_with_k_1_sends(drive, v0):
    """Hao et al. 2025: s(t) = H((T / t) mean(z) + v0 / t - theta)."""
    steps = len(drive)
    t = torch.arange(1, steps + 1).reshape(-1, 1, 1).double()
    total = drive.double().sum(0)
    parallel = (total / t + v0 / t >= 1).double()
    code = RadixCode(1.0)
    train = code.generate(drive.sum(0), torch.tensor(v0), steps)
    assert torch.equal(parallel.sum(0), train.sum(0).double())
    assert torch.equal(parallel, train.double())


@given(st.integers(0, 2**10), st.integers(1, 10))
def test_the_few_spike_relu_is_a_radix_code(whole, steps):
    """Stoeckl & Maass 2021: T = h = d = alpha 2^(K-t) / 2^K; alpha a unit above full scale."""
    alpha = 1.0
    v, out = torch.tensor(whole / 2**10, dtype=torch.float64), 0.0
    for t in range(1, steps + 1):
        level = alpha * 2 ** (steps - t) / 2**steps
        if v >= level:
            v, out = v - level, out + level
    code = RadixCode(2.0)
    total = torch.tensor([whole / 2**10 * 2**steps])
    found = code.decode(code.generate(total, torch.tensor(0.0), steps), steps) / 2**steps
    assert float(found) == float(out)


@given(st.integers(-4, 2**12), st.integers(1, 8))
def test_phase_coding_is_a_radix_code(whole, period):
    """Kim et al. 2018: a charge that is there when a period begins is sent with base 2."""
    charge = torch.tensor([whole / 2**12])
    unit = Timed(torch.tensor(1.0), torch.tensor(0.0), period=period)
    drive = torch.cat([charge * period, torch.zeros(period - 1)]).reshape(period, 1)
    spikes, _ = unit.scan(drive, None)
    train = RadixCode(2.0).generate(charge * 2**period, torch.tensor(0.0), period)
    assert torch.equal((spikes > 0).float(), train.float())


@given(st.integers(0, 2**12), st.sampled_from([1.0, 1.25, 1.5, 2.0]), st.integers(1, 10))
def test_a_growing_potential_is_a_falling_threshold(whole, k, steps):
    """v <- k v against threshold 1 fires as a standing v against k^(P-t)."""
    code = RadixCode(k)
    total = torch.tensor([whole / 2**12 * 1.1 * code.gain(steps)], dtype=torch.float64)
    v, fired = total.clone(), []
    for t in range(1, steps + 1):
        threshold = k ** (steps - t)
        assume(k in (1.0, 2.0) or abs(float(v) / threshold - 1) > 1e-9)  # no tie but exact ones
        fired.append((v >= threshold).double())
        v = v - threshold * fired[-1]
    train = code.generate(total, torch.tensor(0.0), steps)
    assert torch.equal(train.double(), torch.stack(fired))


@given(st.floats(0.001, 1.2), st.sampled_from([8, 20, 80]))
def test_time_to_first_spike_is_a_falling_threshold(value, steps):
    """Park et al. 2020: fire once V >= theta0 eps(t), eps(t) = exp(-(t - 1) / tau)."""
    code = FirstSpikeCode(ratio=54.6)
    k = code.base(steps)
    reach = (1 + 1 / k) / 2
    times = [t for t in range(1, steps + 1) if value >= reach * k ** (1 - t) * (1 + 1e-9)]
    expected = k ** (1 - times[0]) if times else 0.0
    total = torch.tensor([value * code.gain(steps)], dtype=torch.float64)
    train = code.generate(total, torch.tensor(0.0), steps)
    assert train.sum() <= 1
    near = any(abs(value / (reach * k ** (1 - t)) - 1) < 1e-6 for t in range(1, steps + 1))
    found = float(code.decode(train, steps)) / code.gain(steps)
    assert near or found == pytest.approx(expected, rel=1e-9)


@given(st.sampled_from([1, 2, 4, 8]), st.integers(0, 5))
def test_separation_with_k_1_is_the_quantised_network(steps, seed):
    graph, x = network(["layer", "residual"], seed), images(3)
    p = program(graph, Separated(1.0))
    quantised = execute(
        graph, x,
        lambda node, z: clip_quant(z, p.units[node.name].theta, steps, 0.5),
    )  # fmt: skip
    torch.testing.assert_close(run(p, x, steps).outputs[steps], quantised, rtol=1e-5, atol=1e-5)


@given(drives(length=st.just(1)), thetas(), st.integers(1, 32))
def test_a_shift_of_half_a_spike_is_a_potential_of_a_half_at_the_last_step(drive, theta, steps):
    """Deng & Gu 2021 against Bu et al. 2022: the same count at T."""
    z = held(drive, steps).double() * theta
    half = torch.tensor(0.5).double()
    shifted = IF(theta.double(), half * 0, theta.double() / (2 * steps))
    plain = IF(theta.double(), half)
    a, b = (unit.scan(z, None)[0].sum(0) for unit in (shifted, plain))
    assert ((a - b).abs() <= 1).all()  # theta / 2T is no dyadic number: equal but at an edge
    u = drive[0].double() * steps + 0.5
    inside = (u - u.round()).abs() > 1e-6
    assert torch.equal(a[inside], b[inside])
