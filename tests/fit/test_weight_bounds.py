"""No drive is larger than the weights allow, and the bound is reached."""

import pytest
import torch
from hypothesis import assume, given

import isospike as iso
from common.nets import graphs
from isospike.errors import UsageError
from isospike.fit.weight_bounds import largest_drive, largest_weight
from isospike.graph.graph import execute
from zoo.tiny import images, plain


@given(graphs)
def test_no_drive_is_larger_than_the_bound(graph):
    """Every site sends spikes of its own bound, or nothing; pixels are 0 or 1."""
    assume(all(node.op != "sub" for node in graph.nodes))
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
    assert float(largest_drive(graph, graph.sites[0])) == 4.0
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


def test_a_network_that_subtracts_is_refused():
    class Difference(torch.nn.Module):
        def forward(self, x):
            return torch.relu(x[:, :1] - x[:, 1:])

    with pytest.raises(UsageError, match="without subtractions"):
        iso.convert(Difference(), images(4), 4, "diehl2015", settings={"threshold": "weight-sum"})
