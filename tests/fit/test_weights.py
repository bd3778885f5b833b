"""The refit solves the stated problem, and only where that problem is the whole story."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from common.nets import Builder, dyadic, images, network
from common.sites import site_of, stats_of
from isospike.fit.segment import evaluate
from isospike.fit.spiketrain import SpikeTrain
from isospike.fit.weights import WeightRefit, adjustable
from isospike.graph.graph import Graph


def noisy(x: Tensor, seed: int) -> Tensor:
    """What an average of few spikes makes of a value: quarters."""
    generator = torch.Generator().manual_seed(seed)
    return ((x * 4 + torch.rand(x.shape, generator=generator)).floor() / 4).clamp(0, 2)


def reached(graph: Graph, index: int, count: int = 40, **parts):
    """The site `index` of a network as a sweep would hand it over; its inputs are noisy."""
    graph = graph.map_tensors(torch.Tensor.double)
    sites = graph.sites
    values = {graph.input: images(count, dtype=torch.float64)}
    known = [node.name for node in sites[:index]]
    for name in known:
        values |= {name: evaluate(graph, name, {graph.input: values[graph.input]})[name]}
    node = sites[index]
    boundary = {name: values[name] for name in known}
    target = evaluate(graph, node.inputs[0], {graph.input: values[graph.input]})[node.inputs[0]]
    means = {name: noisy(value, seed) for seed, (name, value) in enumerate(boundary.items())}
    means[graph.input] = values[graph.input]
    changing = frozenset(n.name for n in graph.nodes) - {graph.input}
    site = site_of(stats_of(torch.rand(5, target.shape[1])), node=node, images=count)
    site.graph, site.target, site.means, site.changing = graph, target, means, changing
    for key, value in parts.items():
        setattr(site, key, value)
    return site


def ridge(columns: Tensor, z: Tensor, old: Tensor, r: float) -> Tensor:
    """argmin |z - W m|^2 + r (W - W0)' D (W - W0) as a least-squares problem of more rows."""
    diagonal = columns.square().sum(0)
    root = (r * columns.shape[1] / len(columns) * (diagonal + 1e-3 * diagonal.mean())).sqrt().diag()
    rows = torch.cat([columns, root])
    wanted = torch.cat([z, root @ old.T])
    return torch.linalg.lstsq(rows, wanted, driver="gelsd").solution.T


def two_layers() -> Graph:
    b = Builder(3)
    return b.graph(b.layer(b.layer(".0")))


@pytest.mark.parametrize("r", [1e-2, 3.0])
def test_a_convolution_against_least_squares(r):
    graph = two_layers()
    site = reached(graph, 1)
    (layer,) = adjustable(site)
    (name,) = [n for n in site.means if n != graph.input]
    old = site.graph.parameters_of(layer)
    WeightRefit(ridge=r).fit(site)
    columns = F.unfold(site.means[name], 3, padding=1).transpose(1, 2).reshape(-1, 18)
    columns = torch.cat([columns, torch.ones_like(columns[:, :1])], 1)
    z = site.target.movedim(1, -1).reshape(-1, 2)
    before = torch.cat([old["weight"].flatten(1), old["bias"][:, None]], 1)
    expected = ridge(columns, z, before, r)
    new = site.graph.parameters_of(site.graph[layer.name])
    assert torch.allclose(new["weight"].flatten(1), expected[:, :-1], atol=1e-9)
    assert torch.allclose(new["bias"], expected[:, -1], atol=1e-9)


def error(site) -> float:
    value = evaluate(site.graph, site.node.inputs[0], site.means)[site.node.inputs[0]]
    return float((value - site.target).square().sum())


@pytest.mark.parametrize("kind", ["residual", "long", "concat", "average"])
def test_a_refit_lowers_the_error_on_the_spikes_it_was_given(kind):
    graph = network(["layer", kind, "layer"], seed=4)
    for index in range(1, len(graph.sites)):
        site = reached(graph, index)
        before = error(site)
        WeightRefit().fit(site)
        assert error(site) < before


def test_branches_that_add_are_fitted_jointly_and_a_shortcut_is_held():
    """z = conv1(a) + conv2(b) + s: one problem in both kernels, for z - s."""
    b = Builder(6)
    first = b.layer(".0")
    second = b.layer(first)
    total = b.node("add", b.node("add", b.conv(first), b.conv(second)), first)
    site = reached(b.graph(b.act(total)), 2)
    layers = adjustable(site)
    assert len(layers) == 2
    means = [site.means[name] for name in (first, second)]
    old = [site.graph.parameters_of(layer) for layer in layers]
    WeightRefit(ridge=0.1).fit(site)
    columns = [F.unfold(m, 3, padding=1).transpose(1, 2).reshape(-1, 18) for m in means]
    columns = torch.cat([*columns, torch.ones(len(columns[0]), 1)], 1)
    z = (site.target - means[0]).movedim(1, -1).reshape(-1, 2)
    kernels = [p["weight"].flatten(1) for p in old]
    before = torch.cat([*kernels, (old[0]["bias"] + old[1]["bias"])[:, None]], 1)
    expected = ridge(columns, z, before, 0.1)
    new = [site.graph.parameters_of(site.graph[layer.name]) for layer in layers]
    found = torch.cat([p["weight"].flatten(1) for p in new], 1)
    assert torch.allclose(found, expected[:, :-1], atol=1e-9)
    assert torch.allclose(new[0]["bias"], expected[:, -1], atol=1e-9)
    assert "bias" not in new[1]


def test_a_linear_layer_against_least_squares():
    b = Builder(7)
    x = b.head(b.layer(".0"))
    site = reached(b.graph(b.act(x)), 1)
    name = next(n for n in site.means if n != ".0")
    old = site.graph.parameters_of(site.graph[x])
    WeightRefit(ridge=0.01).fit(site)
    columns = site.means[name].flatten(1)
    columns = torch.cat([columns, torch.ones_like(columns[:, :1])], 1)
    expected = ridge(
        columns, site.target, torch.cat([old["weight"], old["bias"][:, None]], 1), 0.01
    )
    new = site.graph.parameters_of(site.graph[x])
    assert torch.allclose(torch.cat([new["weight"], new["bias"][:, None]], 1), expected, atol=1e-9)


def test_a_stride_a_dilation_and_a_border():
    b = Builder(8)
    x = b.layer(".0")
    weight = {"weight": dyadic(b.random, 3, 2, 2, 3)}
    y = b.node(
        "conv", x, tensors=weight, stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=1,
        becomes=(3, 3, 4),
    )  # fmt: skip
    site = reached(b.graph(b.act(y)), 1)
    old = site.graph.parameters_of(site.graph[y])["weight"]
    assert site.target.shape[1:] == (3, 3, 4)
    WeightRefit(ridge=0.2).fit(site)
    columns = (
        F.unfold(site.means[x], (2, 3), (1, 2), (1, 2), (2, 1)).transpose(1, 2).reshape(-1, 12)
    )
    columns = torch.cat([columns, torch.ones_like(columns[:, :1])], 1)
    before = torch.cat([old.flatten(1), torch.zeros(3, 1)], 1)
    expected = ridge(columns, site.target.movedim(1, -1).reshape(-1, 3), before, 0.2)
    new = site.graph.parameters_of(site.graph[y])
    assert torch.allclose(new["weight"].flatten(1), expected[:, :-1], atol=1e-9)
    assert torch.allclose(new["bias"], expected[:, -1], atol=1e-9)


def test_perfect_inputs_leave_the_weights():
    graph = two_layers()
    site = reached(graph, 1)
    site.means = {
        n: evaluate(site.graph, n, {graph.input: site.means[graph.input]})[n] for n in site.means
    }
    before = dict(site.graph.tensors)
    WeightRefit().fit(site)
    for key, tensor in site.graph.tensors.items():
        assert torch.allclose(tensor, before[key], atol=1e-8)


def test_fewer_rows_are_fewer_images():
    site, all_rows = reached(two_layers(), 1), reached(two_layers(), 1)
    short = reached(two_layers(), 1, count=40)
    WeightRefit(rows=16 * 10).fit(site)  # 16 positions an image
    short.images = 10
    WeightRefit().fit(short)
    WeightRefit().fit(all_rows)
    key = next(iter(k for k in site.graph.tensors if k.startswith(adjustable(short)[0].name)))
    assert torch.equal(site.graph.tensors[key], short.graph.tensors[key])
    assert not torch.equal(site.graph.tensors[key], all_rows.graph.tensors[key])


def test_the_weights_of_the_network_weigh_less_the_more_rows_there_are():
    """The same images again: their equations agree, so only the third term has changed its share."""
    moved = []
    for times in (1, 2, 8):
        site = reached(two_layers(), 1)
        site.means = {n: m.repeat(times, 1, 1, 1) for n, m in site.means.items()}
        site.target, site.images = site.target.repeat(times, 1, 1, 1), site.images * times
        (layer,) = adjustable(site)
        old = site.graph.parameters_of(layer)["weight"]
        WeightRefit(ridge=100.0, rows=10**9).fit(site)
        moved.append(float((site.graph.parameters_of(layer)["weight"] - old).norm()))
    assert moved[0] < 0.9 * moved[1] < 0.8 * moved[2]


def test_what_is_left_alone():
    """A constant current, a layer with other readers, grouped kernels, a linear layer over rows."""
    still = reached(two_layers(), 1, changing=frozenset())
    assert adjustable(still) == []
    b = Builder(9)
    x = b.conv(b.layer(".0"))
    shared = reached(b.graph(b.node("add", b.act(x), x)), 1)
    assert adjustable(shared) == []
    b = Builder(10)
    x = b.layer(".0")
    rows = b.node("linear", x, tensors={"weight": dyadic(b.random, 4, 4)})
    over_rows = reached(b.graph(b.act(rows)), 1)
    assert adjustable(over_rows) == []
    before = over_rows.graph
    WeightRefit().fit(over_rows)
    assert over_rows.graph is before


def in_time(site, steps: int, seed: int = 0) -> None:
    """Trains whose means are those of the site, so that nothing but the order is new."""
    generator = torch.Generator().manual_seed(seed)
    for name, mean in site.means.items():
        moves = torch.randn(steps, *mean.shape, generator=generator, dtype=mean.dtype)
        site.trains[name] = SpikeTrain(mean + moves - moves.mean(0))


def test_uneven_inputs_are_rows_of_their_own():
    """e |W d|^2 as rows of a least-squares problem; a shortcut's own unevenness is answered."""
    b = Builder(6)
    first = b.layer(".0")
    total = b.node("add", b.conv(first), first)
    site = reached(b.graph(b.act(total)), 1)
    steps, weight, r = 5, 3.0, 0.1
    in_time(site, steps)
    (layer,) = adjustable(site)
    old = site.graph.parameters_of(layer)
    WeightRefit(ridge=r, evenness=weight, rows=10**9).fit(site)
    mean, train = site.means[first], site.trains[first].spikes
    columns = F.unfold(mean, 3, padding=1).transpose(1, 2).reshape(-1, 18)
    columns = torch.cat([columns, torch.ones(len(columns), 1)], 1)
    z = (site.target - mean).movedim(1, -1).reshape(-1, 2)
    before = torch.cat([old["weight"].flatten(1), old["bias"][:, None]], 1)
    diagonal = columns.square().sum(0)
    rows, wanted = [columns], [z]
    count = len(mean)
    used = max(8, count // (steps - 1))
    for t in range(1, steps):
        d = (train[:t] - mean).sum(0)[:used] / steps * (weight / steps * count / used) ** 0.5
        part = F.unfold(d, 3, padding=1).transpose(1, 2).reshape(-1, 18)
        rows.append(torch.cat([part, torch.zeros(len(part), 1)], 1))
        wanted.append(-d.movedim(1, -1).reshape(-1, 2))
    root = (r * columns.shape[1] / len(columns) * (diagonal + 1e-3 * diagonal.mean())).sqrt().diag()
    rows, wanted = torch.cat([*rows, root]), torch.cat([*wanted, root @ before.T])
    expected = torch.linalg.lstsq(rows, wanted, driver="gelsd").solution.T
    new = site.graph.parameters_of(site.graph[layer.name])
    assert torch.allclose(new["weight"].flatten(1), expected[:, :-1], atol=1e-9)
    assert torch.allclose(new["bias"], expected[:, -1], atol=1e-9)


def test_even_inputs_change_nothing():
    one, two = reached(two_layers(), 1), reached(two_layers(), 1)
    two.trains = {name: SpikeTrain(m.expand(4, *m.shape)) for name, m in two.means.items()}
    for site in (one, two):
        WeightRefit().fit(site)
    layer = adjustable(one)[0].name
    expected = one.graph.parameters_of(one.graph[layer])
    for role, tensor in two.graph.parameters_of(two.graph[layer]).items():
        assert torch.allclose(tensor, expected[role], atol=1e-12)
