"""ClipQuant against its equations: values, straight-through gradients, noise, capture."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import isospike as iso
from abuse.untouched import untouched
from isospike.activations import ACTIVATIONS, ClipQuant, clip_quant, factory
from zoo.tiny import Plain, images, quantised, settled

NAN = float("nan")
Z = torch.linspace(-3, 5, 1601, dtype=torch.float64)


def equation(z, theta, levels, shift):
    """One value at a time, as the head of the file has it."""
    u = min(max(z / theta, 0.0), 1.0)
    return theta * u if levels is None else theta * int(u * levels + shift) / levels


@pytest.mark.parametrize("levels", [None, 1, 2, 4, 7])
@pytest.mark.parametrize("shift", [0.0, 0.5])
@pytest.mark.parametrize("theta", [2.0, 0.75])
def test_values(levels, shift, theta):
    activation = ClipQuant(theta, levels, shift).double()
    expected = [equation(float(z), theta, levels, shift) for z in Z]
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(activation(Z).detach(), expected, rtol=1e-14, atol=1e-14)


@given(
    z=st.lists(st.floats(-10, 10), min_size=1), levels=st.integers(1, 16),
    shift=st.floats(0, 1 - 1e-6),
)  # fmt: skip
def test_values_lie_on_the_grid_and_rise(z, levels, shift):
    z = torch.tensor(sorted(z), dtype=torch.float64)
    a = ClipQuant(2.0, levels, shift).double()(z).detach()
    assert (a.diff() >= 0).all()
    steps = a * levels / 2.0
    assert torch.equal(steps, steps.round())
    assert ((a >= 0) & (a <= 2)).all()
    inside = (z > 0) & (z < 2)
    assert ((a - z)[inside].abs() <= 2.0 * max(shift, 1 - shift) / levels + 1e-12).all()


def test_values_and_gradient_of_one_threshold_per_channel():
    theta = torch.tensor([0.5, 2.0, 4.0], dtype=torch.float64).reshape(3, 1, 1).requires_grad_()
    z = torch.randn(2, 3, 4, 4, dtype=torch.float64) * 3
    a = torch.ops.isospike.clip_quant(z, theta, 4, 0.5)
    grad = torch.randn_like(a)
    a.backward(grad)
    for c in range(3):
        own = theta.detach()[c, 0, 0].clone().requires_grad_()
        one = torch.ops.isospike.clip_quant(z[:, c], own, 4, 0.5)
        one.backward(grad[:, c])
        assert torch.equal(one, a[:, c])
        torch.testing.assert_close(theta.grad[c, 0, 0], own.grad)


@pytest.mark.parametrize("levels", [None, 1, 4, 5])
def test_the_gradient_is_the_one_of_the_equations(levels):
    theta = 2.0
    activation = ClipQuant(theta, levels).double()
    for z in Z[2::25]:  # off the corners of the clip
        x = z.clone().requires_grad_()
        activation.theta.grad = None
        a = activation(x)
        a.backward()
        a = a.detach()
        inside, above = 0 < z < theta, z > theta
        assert float(x.grad) == float(inside)
        slope = (float(a) - float(z)) / theta if inside else float(above)
        assert float(activation.theta.grad) == pytest.approx(slope, abs=1e-12)


def test_without_levels_the_gradient_is_the_one_of_finite_differences():
    z = torch.tensor([-1.0, 0.3, 1.1, 1.9, 3.0], dtype=torch.float64, requires_grad=True)
    theta = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda z, t: torch.ops.isospike.clip_quant(z, t, 0, 0.0), (z, theta))
    # On average over a level the staircase rises like the line below it.
    a = torch.ops.isospike.clip_quant(Z, theta, 4, 0.5)
    line = torch.ops.isospike.clip_quant(Z, theta, 0, 0.0)
    inside = (Z > 0) & (Z < 2)
    assert abs(float((a - line)[inside].detach().mean())) < 5e-3


def test_a_fixed_clip_learns_nothing():
    activation = ClipQuant(2.0, 4, learned=False)
    z = torch.randn(8, requires_grad=True)
    activation(z).sum().backward()
    assert activation.theta.grad is None
    assert z.grad is not None


def test_the_input_is_not_written_over():
    z = torch.randn(4, 5)
    before = z.clone()
    ClipQuant(1.0, 4)(z)
    assert torch.equal(z, before)


def test_noise_only_in_training():
    activation = ClipQuant(2.0, 4, sigma=0.3)
    z = torch.full((200_000,), 1.1)
    quiet = activation.eval()(z).detach()
    assert torch.equal(quiet, torch.ones_like(z))
    noisy = activation.train()(z).detach()
    n = len(z) ** 0.5
    assert abs(float((noisy - quiet).mean())) < 4 * 0.3 / n
    assert abs(float((noisy - quiet).std()) - 0.3) < 4 * 0.3 / n
    again = activation(z).detach()
    assert not torch.equal(noisy, again)  # fresh in every pass
    activation.sigma.zero_()
    assert torch.equal(activation(z), quiet)


def test_noise_has_no_gradient_of_its_own_and_any_memory_order():
    activation = ClipQuant(2.0, 4, sigma=0.3).train()
    z = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
    activation(z).sum().backward()
    assert torch.equal(z.grad, ((z > 0) & (z < 2)).float())


def test_the_noise_of_a_seed_is_the_same():
    activation = ClipQuant(2.0, 4, sigma=0.3).train()
    torch.manual_seed(3)
    one = activation(torch.ones(5))
    torch.manual_seed(3)
    assert torch.equal(activation(torch.ones(5)), one)


@pytest.mark.parametrize(
    "wrong",
    [
        {"theta": 0}, {"theta": -1}, {"theta": NAN}, {"levels": 0}, {"levels": 2.5}, {"levels": NAN},
        {"shift": -3}, {"shift": 1.0}, {"shift": NAN}, {"shift": float("inf")},
    ],
)  # fmt: skip
def test_settings_without_a_meaning(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"{name} must"):
        ClipQuant(**wrong)


@pytest.mark.parametrize("levels", [None, 4])
def test_capture_sees_one_node(levels):
    model = quantised(levels).train()
    for module in model.modules():
        if isinstance(module, ClipQuant):
            module.sigma.fill_(0.5)
    with untouched(model):
        plan = iso.plan(model, "qcfs", images())
    ops = [node.op for node in plan.graph.nodes]
    assert ops.count("clip_quant") == 2
    assert "floor" not in str(plan.graph.nodes)
    assert [site.name for site in plan.graph.sites] == ["act1", "act2"]
    assert plan.gate.float64 <= 1e-12


def test_the_state_holds_clip_and_noise():
    activation = ClipQuant(2.0, 4, sigma=0.25)
    assert {name: float(v) for name, v in activation.state_dict().items()} == {
        "theta": 2.0, "sigma": 0.25, "mu": 0.0
    }  # fmt: skip
    assert "levels=4" in repr(activation)


def test_half_of_a_number_type_is_kept():
    assert ClipQuant(2.0, 4)(torch.ones(3, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert clip_quant(torch.ones(3), torch.tensor(2.0), 0, 0.0).tolist() == [1, 1, 1]


@pytest.mark.parametrize("slip", [0.25, 0.5, 1.0])
def test_slip_is_the_weighted_sum_of_clip_and_staircase(slip):
    mixed = ClipQuant(2.0, 4, slip=slip).double()
    clip, stairs = ClipQuant(2.0).double(), ClipQuant(2.0, 4).double()
    z = Z[2::25].clone().requires_grad_()  # off the corners
    expected = slip * clip(z) + (1 - slip) * stairs(z)
    torch.testing.assert_close(mixed(z), expected, rtol=1e-14, atol=1e-14)
    grad = torch.randn_like(z)
    found = torch.autograd.grad(mixed(z), (z, mixed.theta), grad)
    torch.testing.assert_close(
        found[0], torch.autograd.grad(expected, z, grad, retain_graph=True)[0]
    )
    parts = torch.autograd.grad(expected, (clip.theta, stairs.theta), grad)
    torch.testing.assert_close(found[1], parts[0] + parts[1])


def test_a_slip_activation_converts_as_one_site_with_its_threshold():
    model = settled(Plain(lambda: ClipQuant(2.0, 4, slip=0.5)))
    plan = iso.plan(model, "qcfs", images())
    assert plan.gate.float64 <= 1e-12
    assert [dict(site.attrs) for site in plan.graph.sites] == [
        {"levels": 4, "shift": 0.5, "slip": 0.5}
    ] * 2
    snn = iso.convert(plan, images(), 4)
    assert all(float(unit.theta) == 2.0 for unit in snn.program.units.values())


def test_the_running_maximum_follows_the_batches_and_eval_holds_it():
    activation = ClipQuant(2.0, running_max=True).train()
    z = torch.tensor([[-3.0, 5.0]])
    a = activation(z)
    moved = 0.9 * 2.0 + 0.1 * 5.0
    share = torch.sigmoid(torch.tensor(10.0))
    assert float(activation.running_max) == pytest.approx(moved)
    assert float(activation.theta.detach()) == pytest.approx(moved * float(share))
    assert float(a.detach().max()) == pytest.approx(moved * float(share))
    again = activation(z)  # between a forward and its backward the maximum may move
    (a.sum() + again.sum()).backward()
    slope = (moved + float(activation.running_max)) * float(share * (1 - share))
    assert float(activation.p.grad) == pytest.approx(slope, rel=1e-3)
    held = activation.eval().running_max.clone()
    activation(10 * z)
    assert torch.equal(activation.running_max, held)
    for _ in range(200):
        activation.train()(-z.abs())
    assert activation.theta > 0  # never active


def test_a_running_maximum_converts_like_any_clip():
    model = settled(Plain(lambda: ClipQuant(1.5, running_max=True)))
    snn = iso.convert(model, images(), 4, "qcfs")
    for site in snn.program.graph.sites:
        expected = model.get_submodule(site.path).theta.detach()
        torch.testing.assert_close(snn.program.units[site.name].theta, expected)


def test_noise_by_channel():
    activation = ClipQuant(2.0, 4, sigma=torch.tensor([0.0, 0.5, 1.0])).train()
    for shape in ((4000, 3), (400, 3, 5, 5)):
        z = torch.full(shape, 1.1)
        spread = (activation(z) - 1.0).detach().transpose(0, 1).flatten(1).std(1)
        assert spread[0] == 0
        torch.testing.assert_close(spread, activation.sigma, rtol=0.1, atol=0.0)
    assert torch.equal(activation.eval()(z), torch.ones_like(z))


def test_noise_by_layer_and_by_channel_load_into_each_other():
    layer, channel = ClipQuant(sigma=0.5), ClipQuant(sigma=torch.tensor([0.25, 0.5]))
    target = ClipQuant()
    target.load_state_dict(channel.state_dict())
    assert torch.equal(target.sigma, channel.sigma)
    target.load_state_dict(layer.state_dict())
    assert torch.equal(target.sigma, layer.sigma)


def test_a_random_share_is_quantised_in_training_only():
    activation = ClipQuant(2.0, 4, share=0.9).train()
    z = torch.full((40_000,), 1.1)
    a = activation(z).detach()
    stairs = torch.isclose(a, torch.tensor(1.0))
    assert (stairs | torch.isclose(a, z)).all()
    assert abs(float(stairs.float().mean()) - 0.9) < 4 * (0.09 / len(z)) ** 0.5
    assert torch.equal(activation.eval()(z), torch.ones_like(z))


def test_a_drawn_shift_has_no_error_on_average():
    activation = ClipQuant(2.0, 4, dither=True).train()
    z = torch.linspace(-1, 3, 9).repeat(20_000, 1)
    a = activation(z).detach()
    steps = a * 4 / 2.0
    assert torch.allclose(steps, steps.round(), atol=1e-5)
    error = (a - z.clamp(0, 2)).mean(0)
    assert (error.abs() <= 4 * 0.25 / len(z) ** 0.5 + 1e-6).all()  # a level is 0.5 wide
    assert torch.equal(activation.eval()(z), ClipQuant(2.0, 4)(z).detach())


@pytest.mark.parametrize(
    "settings", [{"share": 0.5}, {"dither": True}, {"share": 0.5, "slip": 0.3}]
)
def test_random_quantisation_keeps_the_straight_through_gradient(settings):
    activation = ClipQuant(2.0, 4, **settings).double().train()
    z = Z[2::25].clone().requires_grad_()
    a = activation(z)
    a.sum().backward()
    inside = (z > 0) & (z < 2)
    torch.testing.assert_close(z.grad, inside.double())
    slope = torch.where(inside, (a - z) / 2.0, (z > 2).double())
    torch.testing.assert_close(activation.theta.grad, slope.detach().sum())


def test_a_clip_is_set_whatever_it_is_made_of():
    for activation in (ClipQuant(), ClipQuant(learned=False), ClipQuant(running_max=True)):
        activation.set_theta(3.0)
        assert float(activation.theta.detach()) == pytest.approx(3.0)
        with pytest.raises(ValueError, match="positive"):
            activation.set_theta(0.0)


def test_all_wrong_settings_are_told_at_once():
    with pytest.raises(ValueError, match=r"theta.*levels.*sigma.*slip.*share"):
        ClipQuant(0.0, 0, sigma=-1.0, slip=2.0, share=-0.5)
    with pytest.raises(ValueError, match="levels must be given"):
        ClipQuant(2.0, slip=0.5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_published_activation_is_silent_in_eval_and_learns(name):
    activation = factory(name)().train()
    z = torch.randn(64, 5, requires_grad=True)
    activation(3 * z).square().sum().backward()
    assert z.grad.isfinite().all()
    assert z.grad.any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in activation.parameters())
    assert torch.equal(activation.eval()(z), activation(z))


def test_an_unknown_activation_is_answered_with_the_known_ones():
    with pytest.raises(iso.UsageError, match="qcfs"):
        factory("gelu")


def test_weights_from_before_there_was_a_mean_load_as_they_are():
    older = {"theta": torch.tensor(3.0), "sigma": torch.tensor([0.25, 0.5])}
    target = ClipQuant()
    target.load_state_dict(older)
    assert (target.theta.item(), target.mu.tolist()) == (3.0, 0.0)
    assert set(older) == {"theta", "sigma"}
