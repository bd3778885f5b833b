"""A leaky ReLU of one slope in (0, 1) becomes one site, whatever else is in the network."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from common.captured import Apply
from isospike.errors import ConversionError
from isospike.graph.graph import execute
from isospike.graph.leaky import with_leaky
from isospike.graph.ops import OPS
from isospike.graph.pool import apply_pool_policy
from isospike.graph.rewrite import rewrite


class Two(nn.Module):
    """One value bent twice, one slope after another, a shortcut, and the ReLU of the same value."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.conv, self.slope = nn.Conv2d(2, 3, 3), slope

    def forward(self, x):
        x = self.conv(x)
        y = F.leaky_relu(F.leaky_relu(x, self.slope), 0.5)
        return F.relu(x) + y + F.leaky_relu(x, self.slope)


def captured(model: nn.Module, seed: int = 0):
    torch.manual_seed(seed)
    x = torch.randn(4, 2, 6, 6)
    return rewrite(model.eval(), x)[0], x


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.25, 0.999])
def test_the_function_is_the_same_bit_for_bit(slope):
    graph, x = captured(Two(slope))
    changed = with_leaky(graph)
    assert torch.equal(execute(changed, x), execute(graph, x))
    assert [n.op for n in changed.sites].count("leaky_relu") == 3
    assert len(graph.sites) == 7
    assert len(changed.sites) == 4
    assert len({node.name for node in changed.nodes}) == len(changed.nodes)


@pytest.mark.parametrize(
    ("activation", "ops"),
    [
        (nn.LeakyReLU(0.2), ["leaky_relu"]),
        (nn.PReLU(init=0.2), ["leaky_relu"]),
        (nn.PReLU(3, init=0.2), ["relu", "relu"]),
        (nn.LeakyReLU(1.5), ["relu", "relu"]),
        (nn.LeakyReLU(-0.5), ["relu", "relu"]),
        (nn.LeakyReLU(1.0), ["relu", "relu"]),
        (nn.ReLU(), ["relu"]),
        (nn.Hardtanh(), ["clip"]),
    ],
    ids=str,
)
def test_one_slope_between_0_and_1_is_one_site(activation, ops):
    graph, x = captured(nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), activation))
    changed = with_leaky(graph)
    assert [node.op for node in changed.sites] == ops
    assert (changed is graph) == ("leaky_relu" not in ops)
    assert torch.equal(execute(changed, x), execute(graph, x))


def test_the_site_is_called_as_the_module():
    graph, _ = captured(nn.Sequential(nn.Conv2d(2, 3, 3), nn.LeakyReLU(0.25)))
    (site,) = with_leaky(graph).sites
    assert (site.name, site.path, site.attrs) == ("1", "1", {"slope": 0.25})
    assert with_leaky(graph).output == "1"


DIFFERENCES = [
    lambda x: F.relu(x) - 0.5 * F.relu(-2 * x),
    lambda x: F.relu(x) - 0.5 * F.relu(x),
    lambda x: F.relu(x) - 0.5 * F.relu(-x.permute(0, 1, 3, 2)),
    lambda x: F.relu(x) - (0.5 * F.relu(-x) + 1),
    lambda x: 0.5 * F.relu(-x) - F.relu(x),
    lambda x: F.relu(x) + 0.5 * F.relu(-x),
]


@pytest.mark.parametrize("function", range(len(DIFFERENCES)))
def test_no_other_difference_of_relus_is_one(function):
    graph, _ = captured(nn.Sequential(nn.Conv2d(2, 4, 1), Apply(DIFFERENCES[function])))
    assert with_leaky(graph) is graph


def test_n_frames_are_n_times_one():
    x = torch.randn(3, 5)
    run = OPS["leaky_relu"].run
    once = run([x], {}, {"slope": 0.25}, 1.0)
    assert torch.equal(run([4 * x], {}, {"slope": 0.25}, 4.0), 4 * once)


def test_zero_padding_is_no_padding_only_where_values_are_not_negative():
    pool = nn.MaxPool2d(3, 2, padding=1)
    graph, x = captured(nn.Sequential(nn.Conv2d(2, 3, 3), nn.LeakyReLU(0.25), pool))
    changed = with_leaky(graph)
    with pytest.raises(ConversionError, match="whose values are >= 0"):
        apply_pool_policy(changed, "exact")
    moved = apply_pool_policy(changed, "pre-neuron")  # a leaky ReLU keeps the order
    torch.testing.assert_close(execute(moved, x), execute(graph, x))
