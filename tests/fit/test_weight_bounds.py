"""No drive is larger than the weights allow, and the bound is reached."""

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given

import isospike as iso
from common.nets import graphs, seeds
from isospike.errors import UsageError
from isospike.fit.segment import evaluate
from isospike.fit.weight_bounds import largest_drive, largest_weight
from isospike.graph.graph import Graph, Node, execute
from isospike.graph.rewrite import rewrite
from isospike.zoo import load
from zoo.tiny import images, leaky, plain


@given(graphs)
def test_no_drive_is_larger_than_the_bound(graph):
    """Every site sends spikes of its own bound, or nothing; pixels are 0 or 1."""
    torch.manual_seed(0)
    bounds = {node.name: largest_drive(graph, node) for node in graph.sites}
    worst = {}

    def site(node, z):
        worst[node.name] = z.amax()
        return torch.randint(0, 2, z.shape).to(z) * bounds[node.name]

    shape = (16, *graph.input_shape)
    execute(graph, torch.randint(0, 2, shape).float(), site)
    for name, drive in worst.items():
        assert drive <= bounds[name] * (1 + 1e-5) + 1e-6


def test_one_layer_by_hand():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2), torch.nn.ReLU())
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.5, 0.5]]))
        model[1].bias.copy_(torch.tensor([-1.0, 0.25]))
    graph = iso.plan(model, "rueckauer", torch.rand(2, 1, 1, 3)).check()
    assert float(largest_drive(graph, graph.sites[0])) == 3.0
    assert float(largest_weight(graph, graph.sites[0])) == 3.0


def test_the_second_layer_counts_on_spikes_of_the_first_threshold():
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(2, 1, bias=False), torch.nn.ReLU(),
        torch.nn.Linear(1, 1, bias=False), torch.nn.ReLU(),
    )  # fmt: skip
    with torch.no_grad():
        model[1].weight.fill_(2.0)
        model[3].weight.fill_(0.5)
    graph = iso.plan(model, "rueckauer", torch.rand(2, 1, 1, 2)).check()
    assert [float(largest_drive(graph, node)) for node in graph.sites] == [4.0, 2.0]


def test_model_based_thresholds_need_no_data_and_lose_no_spike():
    """A threshold of the bound is never met twice in a step: membranes stay below 1."""
    x = images(24).clamp(0, 1)
    snn = iso.convert(plain(), x[:8], 4, "diehl2015", settings={"threshold": "weight-sum"})
    other = iso.convert(plain(), x[8:], 4, "diehl2015", settings={"threshold": "weight-sum"})
    for name, unit in snn.program.units.items():
        assert torch.equal(unit.theta, other.program.units[name].theta)

    class Below:
        def spikes(self, site, start, drive, spikes, state):
            assert (state < 1).all()

    snn.run(x, [16], [Below()])


def test_data_based_thresholds_are_at_least_the_largest_weight():
    snn = iso.convert(plain(), images(8) * 1e-3, 4, "diehl2015")
    graph = snn.program.graph
    for node in graph.sites:
        assert snn.program.units[node.name].theta >= largest_weight(graph, node)


class Normalised(torch.nn.Module):
    """Pixels in [0, 1] become values of both signs."""

    def __init__(self, layers: torch.nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x):
        return self.layers((x - torch.tensor([0.3, 0.6]).view(2, 1, 1)) / 0.25)


def normalised(padding: int) -> Graph:
    layers = torch.nn.Conv2d(2, 3, 3, padding=padding), torch.nn.ReLU()
    return rewrite(Normalised(torch.nn.Sequential(*layers)).eval(), images(2))[0]


def first_drive(graph: Graph, x):
    (site,) = graph.sites[:1]
    return evaluate(graph, site.inputs[0], {graph.input: x})[site.inputs[0]]


def worst_drives(graph: Graph, places):
    """The drive of these units of the first site, each for its own worst pixels."""
    x = torch.full((1, *graph.input_shape), 0.5).requires_grad_()
    drive = first_drive(graph, x)[0]
    for channel in drive:
        for place in places:
            (slope,) = torch.autograd.grad(channel[place], x, retain_graph=True)
            worst = first_drive(graph, (slope > 0).float())[0].detach()
            yield float(worst.amax())


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_of_one_layer_is_reached_by_pixels_of_a_normalised_image(seed, padding):
    torch.manual_seed(seed)
    graph = normalised(padding)
    bound = float(largest_drive(graph, graph.sites[0]))
    corners = torch.randint(0, 2, (64, *graph.input_shape)).float()
    assert first_drive(graph, corners).amax() <= bound * (1 + 1e-5)
    size = graph.input_shape[1] - 2 + 2 * padding
    every = list(itertools.product(range(size), repeat=2))
    assert max(worst_drives(graph, every)) == pytest.approx(bound, rel=1e-5)


@given(graphs, seeds)
def test_no_pixels_in_any_corner_pass_the_bound_of_a_normalised_network(graph, seed):
    """A scale and a shift of the pixels, before whatever comes."""
    graph = scaled(graph, seed)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 2, (16, *graph.input_shape), generator=generator).float()
    worst = {}
    bounds = {node.name: largest_drive(graph, node) for node in graph.sites}

    def site(node, z):
        worst[node.name] = z.amax()
        return torch.randint(0, 2, z.shape, generator=generator).to(z) * bounds[node.name]

    execute(graph, pixels, site)
    for name, drive in worst.items():
        assert drive <= bounds[name] * (1 + 1e-5) + 1e-6


def scaled(graph: Graph, seed: int) -> Graph:
    generator = torch.Generator().manual_seed(seed)
    numbers = {role: torch.randn(2, 1, 1, generator=generator) * 2 for role in ("scale", "shift")}
    first, *rest = graph.nodes
    norm = Node(
        "norm", "scale_shift", (first.name,), {}, {role: f"norm.{role}" for role in numbers}
    )
    rest = [
        replace(n, inputs=tuple("norm" if i == first.name else i for i in n.inputs)) for n in rest
    ]
    tensors = {**graph.tensors, **{f"norm.{role}": t for role, t in numbers.items()}}
    return replace(graph, nodes=(first, norm, *rest), tensors=tensors)


def test_the_bundled_network_is_driven_as_far_as_its_bound_and_no_further():
    """Its pixels are normalised: negative weights times dark pixels count."""
    graph = rewrite(load("fashion-relu"), torch.rand(2, 1, 28, 28))[0]
    bound = float(largest_drive(graph, graph.sites[0]))
    places = list(itertools.product((0, 14, 27), repeat=2))
    assert max(worst_drives(graph, places)) == pytest.approx(bound, rel=1e-5)


@pytest.mark.parametrize("recipe", ["diehl2015", "spiking-yolo"])
def test_leaky_relus_lose_no_spike_either(recipe):
    """As two sites and their difference, and as one site with spikes of both signs."""
    x = images(24)
    settings = {"threshold": "weight-sum", "coder": "bernoulli"}
    snn = iso.convert(leaky(), x, 4, recipe, settings=settings)

    class Within:
        def spikes(self, site, start, drive, spikes, state):
            unit = snn.program.units[site]
            assert (state < 1).all()
            assert (state >= -getattr(unit, "low", torch.inf)).all()

    snn.run((x > 0.5).float(), [16], [Within()])


def test_a_site_of_both_signs_is_bounded_by_what_it_sends():
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(2, 1, bias=False), torch.nn.LeakyReLU(0.5),
        torch.nn.Linear(1, 1, bias=False), torch.nn.ReLU(),
    )  # fmt: skip
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, -8.0]]))
        model[3].weight.fill_(-2.0)
    graph = iso.plan(model, "spiking-yolo", torch.rand(2, 1, 1, 2)).check()
    assert [float(largest_drive(graph, node)) for node in graph.sites] == [4.0, 8.0]


def test_a_difference_of_pixels_is_at_most_one():
    class Difference(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x[:, :1] - x[:, 1:])

    snn = iso.convert(Difference(), images(4), 4, "diehl2015", settings={"threshold": "weight-sum"})
    (unit,) = snn.program.units.values()
    assert float(unit.theta) == 1.0


def test_sites_without_a_bound_are_refused_all_at_once():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 2, 3), torch.nn.SiLU(), torch.nn.Conv2d(2, 2, 3), torch.nn.GELU(),
        torch.nn.Conv2d(2, 2, 3), torch.nn.ReLU(),
    )  # fmt: skip
    plan = iso.plan(model, "diehl2015", images(2), {"threshold": "weight-sum"}, ["*"])
    with pytest.raises(UsageError, match=r"1.*: silu, 3.*: gelu. Set threshold to"):
        iso.convert(plan, images(4), 4)
