"""osgn: group neurons, m members that share a threshold.

    members fire at theta / m, 2 theta / m, ... theta:  s(t) = clip(floor(v m / theta), 0, m) / m

With v(0) = theta / 2m a group under constant drive is QCFS of m T levels: T steps do the work of
m T. A group is one burst neuron of threshold theta / m and up to m spikes a step, or m plain
neurons that inhibit each other. The source carries ClipQuant, whose clip is theta.

Source: Lv et al., ICASSP 2024, and the authors' code (m = 6). Class H2. Does not depend on T.
"""

from isospike.fit.neurons import Group
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "osgn": Recipe(
        "osgn", threshold=FromActivation(), potential=Constant(0.5), neuron=Group(6)
    ),
}  # fmt: skip
CLAIMS = [
    *figures("abstract", "ImageNet", "ResNet-34", {2: 73.61}),
    *figures("cited", "ImageNet", "ResNet-34", {8: 73.57, 32: 73.46}, by="H-MT (AAAI 2026)"),
]
