"""slip-relu: a source trained with a mix of clip and quantised clip.

    a = c * clip(z, 0, lambda) + (1 - c) * QCFS(z; lambda, L);   theta = lambda,  v(0) = theta / 2

c = 1 is the threshold ReLU, c = 0 is QCFS; the paper takes c = 1/2, L = 16. The neuron does not
know c: what the mix changes is the network that is trained. The paper's formula shifts both parts;
its code takes 0 for the clip and 1/2 for the quantised one, as here. The source must carry
ClipQuant(slip=c) (`isospike train --activation slip-relu`).

Source: Jiang et al., ICML 2023. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures, table
from isospike.recipe import Recipe

RECIPES = {"slip-relu": Recipe("slip-relu", threshold=FromActivation(), potential=Constant(0.5))}
_T = (1, 2, 4, 8, 16, 32)
_RECALLED = (
    ("CIFAR-10", "VGG-16", (88.17, 89.57, 91.08, 92.26, 92.96, 93.19)),
    ("CIFAR-100", "VGG-16", (64.21, 66.30, 67.97, 69.31, 70.09, 70.19)),
    ("CIFAR-100", "ResNet-18", (71.51, 73.91, 74.89, 75.40, 75.41, 75.30)),
)
_RESNET18 = {2: 93.97, 4: 94.59, 8: 94.92, 16: 95.18, 32: 95.07}
CLAIMS = [
    *figures("cited", "CIFAR-10", "ResNet-18", {1: 93.11}, by="a survey"),
    *figures("recalled", "CIFAR-10", "ResNet-18", _RESNET18),
    *table("recalled", _T, _RECALLED),
    *figures("recalled", "CIFAR-10", "VGG-16", {64: 93.25}),
]
