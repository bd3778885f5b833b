"""cq: a source trained with clamp and quantisation by floor, the number of levels being T.

    a = lambda * floor(clip(z / lambda, 0, 1) L) / L;   theta = lambda,  v(0) = 0

A neuron that starts at zero counts floor(z T / theta) under constant drive: the activation itself
when T = L. The source must carry ClipQuant(levels=L, shift=0) (`isospike train --activation cq`).
Not here: the paper's two stages (the clamp alone, then with its levels), its 8- and 9-bit weights
and its trained average pooling.

Source: Yan, Zhou and Wong, AAAI 2021. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {"cq": Recipe("cq", threshold=FromActivation(), potential=Constant(0.0))}
CLAIMS = [
    *figures("abstract", "CIFAR-10", "VGG", {"300 to 600": 94.16}),
    *figures("abstract", "CIFAR-10", "VGG-19", {"300 to 600": 93.44}),
]
