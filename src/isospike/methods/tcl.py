"""tcl: a source trained with a clip, whose learned value is the threshold.

    a = clip(z, 0, lambda),   lambda learned per layer;   theta = lambda,  v(0) = 0

The source must carry ClipQuant(levels=None) (`isospike train --activation tcl`). The paper adds an
L2 penalty on lambda: weight decay, which here applies to it too.

Source: Ho and Chang, DAC 2021. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {"tcl": Recipe("tcl", threshold=FromActivation(), potential=Constant(0.0))}
CLAIMS = [
    *figures("abstract", "ImageNet", "VGG-16", {250: 73.87}),
    *figures("abstract", "ImageNet", "ResNet-34", {250: 70.37}),
]
