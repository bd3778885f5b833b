"""What each policy makes of max-pooling."""

from functools import cache

import pytest
import torch
from torch import nn

from common.nets import Builder, images, program
from common.runs import same
from isospike.engine.dense import run_dense
from isospike.engine.steploop import run_steploop
from isospike.errors import ConversionError
from isospike.graph.graph import execute
from isospike.graph.pool import POLICIES, apply_pool_policy
from isospike.graph.rewrite import change, rewrite

X = torch.linspace(-2, 2, 2 * 3 * 7 * 9).sin().reshape(2, 3, 7, 9)
WINDOWS = {
    "2": {"kernel_size": 2},
    "3, stride 2, padding 1": {"kernel_size": 3, "stride": 2, "padding": 1},
    "overlapping": {"kernel_size": 3, "stride": 1},
    "oblong": {"kernel_size": (1, 3), "stride": (2, 1), "padding": (0, 1)},
    "wide stride": {"kernel_size": 2, "stride": 3},
    "2 by 3": {"kernel_size": (2, 3)},
    "4": {"kernel_size": 4},
    "1": {"kernel_size": 1},
    "dilated": {"kernel_size": 2, "dilation": 2},
    "ceil": {"kernel_size": 2, "ceil_mode": True},
}


@cache
def graph_of(window: str):
    torch.manual_seed(0)
    pool = nn.MaxPool2d(**WINDOWS[window])
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), pool, nn.Flatten())
    return rewrite(model.double(), X.double())[0]


@pytest.mark.parametrize("policy", ["gated", "pre-neuron", "exact"])
@pytest.mark.parametrize("window", WINDOWS)
def test_three_policies_keep_the_function(policy, window):
    if policy == "exact" and window in ("dilated", "ceil"):
        return  # refused below
    graph = graph_of(window)
    changed = apply_pool_policy(graph, policy)
    assert torch.allclose(
        execute(changed, X.double()), execute(graph, X.double()), rtol=0, atol=1e-12
    )
    ops = [node.op for node in changed.nodes]
    assert ("max_pool" in ops) == (policy == "gated")
    assert len({node.name for node in changed.nodes}) == len(changed.nodes)


def test_exact_adds_one_neuron_a_comparison():
    changed = apply_pool_policy(graph_of("2 by 3"), "exact")
    sites = [node.name for node in changed.sites]
    assert len(sites) == 1 + 1 + 2  # the ReLU, one comparison along the rows, two along the columns
    assert all(name.startswith("2.") for name in sites[1:])


def test_average_is_average_pooling_and_its_change_is_measured():
    graph = graph_of("2")
    changed = apply_pool_policy(graph, "average")
    z = execute(graph, X.double(), watch=None)
    values = {}
    execute(graph, X.double(), watch=lambda node, value: values.update({node.op: value}))
    expected = nn.functional.avg_pool2d(values["relu"], 2).flatten(1)
    assert torch.equal(execute(changed, X.double()), expected)
    assert change(graph, changed, X.double()) == pytest.approx(
        float((expected - z).norm() / z.norm())
    )


def test_a_graph_without_pools_stays_itself():
    b = Builder()
    graph = b.graph(b.head(b.layer(".0")))
    for policy in POLICIES:
        assert apply_pool_policy(graph, policy) is graph


@pytest.mark.parametrize(("policy", "window", "why"), [
    ("average", "dilated", "dilation"),
    ("exact", "dilated", "dilation"),
    ("exact", "ceil", "ceil mode"),
])  # fmt: skip
def test_what_a_policy_cannot_do_is_refused_with_its_place(policy, window, why):
    with pytest.raises(ConversionError, match=why) as error:
        apply_pool_policy(graph_of(window), policy)
    (finding,) = error.value.findings
    assert finding.site == "2"
    assert finding.fix


def test_all_misfits_come_at_once():
    model = nn.Sequential(
        nn.MaxPool2d(2), nn.Conv2d(3, 4, 1), nn.MaxPool2d(2, padding=1), nn.ReLU(), nn.Flatten()
    )
    graph = rewrite(model, X)[0]
    with pytest.raises(ConversionError) as error:
        apply_pool_policy(graph, "pre-neuron")
    assert [finding.site for finding in error.value.findings] == ["0", "2"]
    with pytest.raises(ConversionError, match="Zero padding") as error:
        apply_pool_policy(graph, "exact")
    assert [finding.site for finding in error.value.findings] == ["2"]


def test_pre_neuron_needs_the_activation_for_itself():
    b = Builder()
    x = b.layer(".0")
    graph = b.graph(b.node("add", b.head(b.max(x)), b.head(x)))
    with pytest.raises(ConversionError, match="other readers"):
        apply_pool_policy(graph, "pre-neuron")


def test_an_unknown_policy_lists_the_known():
    b = Builder()
    with pytest.raises(ConversionError, match="gated, lateral, pre-neuron, average, exact"):
        apply_pool_policy(b.graph(b.layer(".0")), "median")


@pytest.mark.parametrize("policy", POLICIES)
def test_a_network_with_each_policy_spikes_alike_in_both_engines(policy):
    b = Builder(8)
    x = b.layer(b.max(b.layer(".0")))
    graph = apply_pool_policy(b.graph(b.head(b.max(x))), policy)
    p = program(graph)
    same(run_dense(p, images(), [3, 20]), run_steploop(p, images(), [3, 20]))


def test_pre_neuron_puts_the_pool_before_the_threshold():
    """relu(max(z)) at every step: the neuron sees the largest current of its window."""
    b = Builder(9)
    graph = apply_pool_policy(b.graph(b.max(b.layer(".0"))), "pre-neuron")
    assert [node.op for node in graph.nodes] == ["input", "conv", "max_current", "relu"]
    assert graph.output == graph.sites[0].name
