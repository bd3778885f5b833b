"""Fan-out and MACs against synapses counted one by one."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isospike.graph.graph import Graph, Node, shapes
from isospike.measure.energy import Costs
from isospike.measure.fanout import fanouts
from measure.brute import macs, synapses


class Build:
    """A graph of any nodes, made one after the other."""

    def __init__(self, shape=(2, 6, 5)) -> None:
        self.nodes = [Node("x", "input", attrs={"shape": shape})]
        self.tensors, self.shape = {}, shape

    def add(self, op, *inputs, weight=None, **attrs):
        name = f"{op}{len(self.nodes)}"
        keys = {}
        if weight is not None:
            keys = {"weight": f"{name}.weight"}
            self.tensors[keys["weight"]] = torch.randn(weight)
        self.nodes.append(Node(name, op, inputs or (self.nodes[-1].name,), attrs, keys))
        return name

    def conv(self, *inputs, out=3, inside=2, k=3, stride=1, padding=1, dilation=1, groups=1):
        return self.add(
            "conv", *inputs, weight=(out, inside // groups, k, k), stride=(stride, stride),
            padding=(padding, padding), dilation=(dilation, dilation), groups=groups,
        )  # fmt: skip

    def pool(self, *inputs, k=2, stride=2, padding=0, ceil=False, include=True, divisor=None):
        return self.add(
            "avg_pool", *inputs, kernel=(k, k), stride=(stride, stride), padding=(padding, padding),
            ceil_mode=ceil, count_include_pad=include, divisor=divisor,
        )  # fmt: skip

    def relu(self, *inputs):
        return self.add("relu", *inputs)

    def head(self, *inputs, features):
        self.add("reshape", *inputs, shape=(features,))
        return self.add("linear", weight=(3, features))

    def graph(self) -> Graph:
        return Graph(tuple(self.nodes), self.tensors, self.nodes[-1].name, self.shape)


def equal(graph):
    expected, got = synapses(graph), fanouts(graph)
    assert got.keys() == expected.keys()
    for name, count in got.items():
        assert count.shape == shapes(graph)[name]
        assert np.array_equal(count.numpy(), expected[name]), name
    layers = [node.name for node in graph.nodes if node.kind.value == "weight"]
    assert Costs.of(graph).ann_macs == sum(macs(graph, layer) for layer in layers)


@settings(max_examples=40)
@given(
    k=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 2),
    dilation=st.integers(1, 2), groups=st.sampled_from([1, 2]),
)  # fmt: skip
def test_convolutions(k, stride, padding, dilation, groups):
    assume(dilation * (k - 1) + 1 <= 5 + 2 * padding)
    b = Build()
    b.relu()
    b.conv(out=4, k=k, stride=stride, padding=padding, dilation=dilation, groups=groups)
    equal(b.graph())


@settings(max_examples=40)
@given(
    k=st.integers(1, 3), stride=st.integers(1, 3), padding=st.integers(0, 1), ceil=st.booleans(),
    include=st.booleans(), divisor=st.sampled_from([None, 3]),
)  # fmt: skip
def test_average_pools_cost_their_multiplicity(k, stride, padding, ceil, include, divisor):
    assume(padding <= k // 2)
    b = Build()
    b.relu()
    b.pool(k=k, stride=stride, padding=padding, ceil=ceil, include=include, divisor=divisor)
    b.conv(padding=1)
    equal(b.graph())


def residual(b):
    first = b.relu(b.conv())
    second = b.relu(b.conv(first, inside=3))
    b.add("add", b.conv(second, inside=3), first)
    b.relu()
    b.conv(inside=3)


def identities_into_a_layer(b):
    """The shortcut itself meets the next weights: without a site in between."""
    first = b.relu(b.conv())
    second = b.relu(b.conv(first, inside=3))
    b.conv(b.add("add", first, second), inside=3)


def concat(b):
    first, second = b.relu(b.conv()), b.relu(b.conv("x", out=2))
    b.conv(b.add("cat", first, second, first, dim=1), inside=8)


def difference(b):
    first, second = b.relu(b.conv()), b.relu(b.conv("x"))
    b.conv(b.add("sub", first, second), inside=3)


def two_readers(b):
    first = b.relu()
    b.add("cat", b.relu(b.conv(first)), b.relu(b.conv(first, k=1, padding=0)), dim=2)
    b.conv(inside=3)


def weights_on_weights(b):
    b.relu(b.conv())
    b.conv(inside=3)
    b.conv(inside=3, k=1, padding=0)


def weights_on_sums_of_weights(b):
    """Both terms meet the same weights: their MACs count once."""
    site = b.relu(b.conv())
    b.add("add", b.conv(site, inside=3), b.conv(site, inside=3))
    b.conv(inside=3)


def analogue_ends(b):
    b.pool()
    b.conv()
    b.conv(inside=3)
    b.relu()


def padded(b):
    b.relu()
    b.add("pad", pad=(1, 2, 0, 1), mode="constant", value=0.5)
    b.conv(padding=0)


def sliced(b):
    b.relu()
    b.add("slice", dim=2, start=1, end=6, step=2)
    b.conv()


def permuted(b):
    b.relu()
    b.add("permute", dims=(0, 1, 3, 2))
    b.conv()


def upsampled(b):
    b.relu()
    b.add("upsample", size=None, scale=(2.0, 2.0))
    b.conv()


def blended(b):
    b.relu()
    b.add("upsample", size=(9, 10), scale=None, mode="bilinear", align=False)
    b.conv()


def blended_down(b):
    b.relu()
    b.add("upsample", size=(3, 4), scale=None, mode="bilinear", align=False)
    b.conv()


def picked(b):
    b.relu()
    b.add("pick", dim=1, index=(1, 0, 1))
    b.conv(inside=3)


def expanded(b):
    b.relu()
    b.add("adaptive_avg_pool", size=(1, 1))
    b.add("expand", shape=(2, 4, 4))
    b.conv()


def stacked(b):
    first = b.relu()
    b.add("stack", first, first, dim=2)
    b.add("reshape", shape=(4, 6, 5))
    b.conv(inside=4)


def shuffled(b):
    b.relu(b.conv(out=8))
    b.add("pixel_shuffle", factor=2)
    b.conv()


def kept_analogue(b):
    b.relu()
    b.add("silu")
    b.conv()


def transposed(b):
    b.relu()
    b.add(
        "conv_transpose", weight=(2, 3, 3, 3), stride=(2, 2), padding=(1, 1),
        output_padding=(1, 0), dilation=(1, 1), groups=1,
    )  # fmt: skip


def scaled(b):
    b.relu()
    b.add("scale_shift")
    b.conv()


def head(b):
    b.relu(b.conv())
    b.head(features=90)


def global_average(b):
    b.relu(b.conv())
    b.add("adaptive_avg_pool", size=(1, 1))
    b.head(features=3)


def overlapping_average(b):
    b.relu()
    b.add("adaptive_avg_pool", size=(4, 3))
    b.conv()


def mean(b):
    b.relu()
    b.add("mean", dims=(2, 3), keepdim=False)
    b.add("linear", weight=(3, 2))


def kept_sum(b):
    b.relu()
    b.add("sum", dims=(3,), keepdim=True)
    b.conv()


def nothing_after(b):
    b.relu()


NETS = [
    residual, identities_into_a_layer, concat, difference, two_readers, weights_on_weights,
    weights_on_sums_of_weights, analogue_ends, padded, sliced, permuted, upsampled, transposed,
    blended, blended_down, picked, expanded, stacked, shuffled, kept_analogue, scaled, head, global_average, overlapping_average, mean, kept_sum, nothing_after,
]  # fmt: skip


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_every_other_operator(net):
    b = Build()
    net(b)
    equal(b.graph())


def test_pooling_along_a_line():
    b = Build((2, 7))
    b.relu()
    b.add(
        "avg_pool", kernel=(3,), stride=(2,), padding=(1,), ceil_mode=True,
        count_include_pad=False, divisor=None,
    )  # fmt: skip
    b.add("conv", weight=(3, 2, 3), stride=(1,), padding=(1,), dilation=(1,), groups=1)
    equal(b.graph())


def test_a_scale_may_widen_its_input():
    b = Build((1, 4, 4))
    b.relu()
    b.nodes.append(Node("wide", "scale_shift", (b.nodes[-1].name,), {}, {"scale": "s"}))
    b.tensors["s"] = torch.ones(2, 1, 1)
    b.conv("wide")
    equal_sum = fanouts(b.graph())["relu1"]
    assert equal_sum[0, 1, 1] == 2 * 3 * 9  # two channels, three outputs, nine positions


def test_macs_of_a_held_image_and_of_graded_values():
    b = Build()
    b.conv()
    b.conv(inside=3)  # both run once while the image is held
    b.relu()
    b.conv(inside=3)  # spikes: synaptic operations
    b.conv(inside=3, k=1, padding=0)  # graded: every step
    graph = b.graph()
    costs = Costs.of(graph)
    assert costs.held_macs == macs(graph, "conv1") + macs(graph, "conv2")
    assert costs.step_macs == macs(graph, "conv5") == 3 * 3 * 30
    assert costs.ann_macs == sum(macs(graph, f"conv{n}") for n in (1, 2, 4, 5))
    assert costs.neurons == {"relu3": 90}


def test_what_is_kept_analogue_costs_graded_values():
    """No spike leaves it: its connections count as MACs at every step."""
    b = Build()
    b.relu()
    b.add("silu")
    b.conv()
    costs = Costs.of(b.graph())
    assert costs.step_macs == macs(b.graph(), "conv3") > 0
    assert costs.neurons == {"relu1": 60}
