"""How far a spiking network is from its source, as a loss.

    L = tau^2 KL(softmax(y_ann / tau) || softmax(y / tau)) + f mean_l |phi_l - a_l|^2 / |a_l|^2

y: logits [B, classes]; phi_l, a_l: rate and activation of site l. Source of the first term: Hinton
et al. 2015. No labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from isospike.graph.graph import Graph, Node, execute
from isospike.tune.settings import Tune


def teacher(source: Graph, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits of the source network on x [B, ...], and its activation at every site."""
    activations: dict[str, Tensor] = {}

    def watch(node: Node, value: Tensor) -> None:
        if node.is_site:
            activations[node.name] = value

    return execute(source, x, watch=watch), activations


Found = tuple[Tensor, dict[str, Tensor]]  # logits and rates of the spiking network


def distill(found: Found, target: Tensor, activations: Mapping[str, Tensor], knobs: Tune) -> Tensor:
    """The loss above; logits of more than two axes count every position."""
    logits, rates = found
    own, theirs = (y.movedim(1, -1).flatten(0, -2) / knobs.tau for y in (logits, target))
    loss = knobs.tau**2 * F.kl_div(
        own.log_softmax(1), theirs.log_softmax(1), reduction="batchmean", log_target=True
    )
    shared = [name for name in rates if name in activations]
    if not knobs.feature or not shared:
        return loss
    apart = [
        (rates[n] - activations[n]).pow(2).sum() / activations[n].pow(2).sum().clamp(min=1e-12)
        for n in shared
    ]
    return loss + knobs.feature * torch.stack(apart).mean()


def classes(found: Found, target: Tensor, activations: Mapping[str, Tensor], knobs: Tune) -> Tensor:
    """Cross-entropy to the class that the source network names."""
    return F.cross_entropy(found[0], target.argmax(1))


LOSSES: dict[str, Callable[[Found, Tensor, Mapping[str, Tensor], Tune], Tensor]] = {
    "distill": distill, "class": classes,
}  # fmt: skip
