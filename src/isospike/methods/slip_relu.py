"""slip-relu: a source trained with a mix of clip and quantised clip.

    a = c * clip(z, 0, lambda) + (1 - c) * QCFS(z; lambda, L);   theta = lambda,  v(0) = theta / 2

c = 1 is the threshold ReLU, c = 0 is QCFS; the paper takes c = 1/2, L = 16. The neuron does not
know c: what the mix changes is the network that is trained. The source must carry ClipQuant(slip=c)
(`isospike train --activation slip-relu`).

Source: Jiang et al., ICML 2023. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe

RECIPES = {"slip-relu": Recipe("slip-relu", threshold=FromActivation(), potential=Constant(0.5))}
_VGG16 = {1: 88.17, 2: 89.57, 4: 91.08, 8: 92.26, 16: 92.96, 32: 93.19}
_RESNET18 = {2: 93.97, 4: 94.59, 8: 94.92, 16: 95.18, 32: 95.07}
CLAIMS = [
    {
        "data": "CIFAR-10", "network": "ResNet-18", "steps": 1, "accuracy": 93.11,
        "known": "cited", "by": "a survey",
    }
] + [
    {"data": "CIFAR-10", "network": net, "steps": t, "accuracy": a, "known": "recalled"}
    for net, row in (("VGG-16", _VGG16), ("ResNet-18", _RESNET18))
    for t, a in row.items()
]  # fmt: skip
