"""Fits a program of few spikes (units/few_spike.py) to each function of a network.

    minimise  sum over x of w(x) (f(x) - sum of d(t) s(t; x))^2     over T, h, d

Given T and h the spikes are known and d is linear least squares. T and h, where the error has
steps and no slope, are searched: mutations of the best few, ever smaller. x are what the source
network's calibration images bring to all sites of a function, their range counted a little besides.
The paper finds all three with Adam and hand-chosen ranges; one program a function, as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from isospike.errors import DataError
from isospike.fit.calibration import MICRO, Calibration
from isospike.graph.analogue import FUNCTIONS
from isospike.graph.few_spike import PREFIX, is_few_spike
from isospike.graph.graph import Graph, Node, execute
from isospike.units.few_spike import FewSpike
from isospike.units.radix import RadixCode

LONGEST = 16  # steps of a program; the paper's longest
SEEN, SPREAD = 256, 96  # points of the distribution, and evenly over its range
FAMILY, CHILDREN = 6, 96  # programs that are kept, and mutations of them in a round
LARGEST, SMALLEST = 0.3, 1e-3  # mutations of the first and the last round, of the range
RIDGE = 1e-7


@dataclass(frozen=True)
class FewSpikeFit:
    """rounds: of the search; seed: of its mutations."""

    rounds: int = 200
    seed: int = 0
    depends_on_steps = True
    hardware_class = "H3"

    def fit(
        self, graph: Graph, calibration: Calibration | None, code: RadixCode, steps: int
    ) -> dict[str, FewSpike]:
        """Site -> its program of min(T, 16) steps, for sites of functions."""
        sites = [node for node in graph.sites if is_few_spike(node)]
        if sites and calibration is None:
            raise DataError("programs are fitted on calibration images: calibration=...")
        same: dict[tuple[str, str], list[Node]] = {}
        for node in sites:
            same.setdefault((node.op, str(sorted(node.attrs.items()))), []).append(node)
        units: dict[str, FewSpike] = {}
        for nodes in same.values():
            x = brought(graph, nodes, calibration)  # type: ignore[arg-type]
            dtype = next(iter(graph.tensors.values())).dtype
            program = search(function(nodes[0]), x, min(code.digits(steps), LONGEST), self)
            thresholds, resets, weights = (numbers.to(dtype) for numbers in program)
            unit = FewSpike(thresholds, resets, weights, code)
            units.update({node.name: unit for node in nodes})
        return units


def function(node: Node) -> Callable[[Tensor], Tensor]:
    run, attrs = FUNCTIONS[node.op.removeprefix(PREFIX)], node.attrs
    return lambda x: run(x, attrs)


def brought(graph: Graph, sites: list[Node], calibration: Calibration) -> Tensor:
    """SEEN quantiles of what reaches the sites in the source network, each site as much as any."""
    values: dict[str, Tensor] = {}
    piece, count = next(calibration.pieces(MICRO))
    wanted = {node.inputs[0] for node in sites}

    def watch(node: Node, value: Tensor) -> None:
        if node.name in wanted:
            ordered = value[:count].flatten().double().cpu().sort().values
            values[node.name] = _quantiles(ordered, SEEN)

    execute(graph, piece, watch=watch)
    each = [values[node.inputs[0]] for node in sites]
    return _quantiles(torch.cat(each).sort().values, SEEN)


def _quantiles(ordered: Tensor, count: int) -> Tensor:
    places = torch.linspace(0, len(ordered) - 1, count).round().long()
    return ordered[places]


def search(
    f: Callable[[Tensor], Tensor], x: Tensor, length: int, settings: FewSpikeFit
) -> tuple[Tensor, Tensor, Tensor]:
    """T, h, d [K] in float64 for x [N] in ascending order."""
    low, high = x[0], x[-1]
    reach = float(torch.maximum(high.abs(), low.abs()).clamp(min=1e-6))
    x = torch.cat([x, torch.linspace(float(low), float(high), SPREAD, dtype=x.dtype)])
    weight = torch.cat([torch.ones(SEEN), torch.full((SPREAD,), 0.25)]).to(x.dtype)
    y, noise = f(x), torch.Generator().manual_seed(settings.seed)
    family = [(_solve(s[None], x, y, weight)[1][0], s) for s in _starts(low, high, length)]
    for turn in range(settings.rounds):
        size = reach * LARGEST * (SMALLEST / LARGEST) ** (turn / settings.rounds)
        children = _mutated(torch.stack([s for _, s in family]), size, noise)
        errors = _solve(children, x, y, weight)[1]
        best = errors.topk(FAMILY, largest=False).indices
        family += [(errors[i], children[i]) for i in best]
        family = sorted(family, key=lambda each: float(each[0]))[:FAMILY]
    thresholds, resets = family[0][1]
    return thresholds, resets, _solve(family[0][1][None], x, y, weight)[0][0]


def _starts(low: Tensor, high: Tensor, length: int) -> Iterator[Tensor]:
    """[2, K]: binary digits of the positive part, and of the whole range, where the first step
    always fires and lifts x above 0."""
    halves = 2.0 ** -torch.arange(1, length + 1, dtype=low.dtype)
    yield torch.stack([halves * high.clamp(min=1e-3)] * 2)
    whole = torch.cat([low[None], halves[:-1] * (high - low)])
    yield torch.stack([torch.cat([low[None] - 1, whole[1:]]), whole])


def _mutated(family: Tensor, size: float, noise: torch.Generator) -> Tensor:
    """[CHILDREN, 2, K]: of each child about three numbers are moved."""
    parents = family[torch.randint(len(family), (CHILDREN,), generator=noise)]
    moved = torch.rand(parents.shape, generator=noise) < 1.5 / parents.shape[-1]
    own = size * (0.1 + torch.rand(CHILDREN, 1, 1, generator=noise))
    steps = torch.randn(parents.shape, generator=noise) * own
    return parents + torch.where(moved, steps, 0.0).to(parents.dtype)


def _solve(programs: Tensor, x: Tensor, y: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Best weights [P, K] of programs [P, 2, K] and their weighted square errors [P]."""
    v, train = x.expand(len(programs), -1), []
    for threshold, reset in programs.permute(2, 1, 0).unsqueeze(-1):
        train.append((v > threshold).to(v.dtype))
        v = v - reset * train[-1]
    spikes = torch.stack(train, 1)  # [P, K, N]
    weighted = spikes * weight
    gram = weighted @ spikes.mT + RIDGE * weight.sum() * torch.eye(len(train), dtype=x.dtype)
    found = torch.linalg.solve(gram, (weighted @ y).unsqueeze(-1)).squeeze(-1)
    errors = torch.einsum("pk,pkn->pn", found, spikes) - y
    return found, (errors.square() * weight).sum(1)
