"""weighted-spikes: phase coding, eight phases whose spikes weigh 1/2, 1/4, ... 1/256.

    theta(t) = theta w(t),   w(t) = 2^-(1 + (t - 1) mod 8);   a spike sends theta w(t)

The image is sent as its bits, most significant first; a period of eight steps can carry an
eight-bit value where eight equal spikes tell nine values apart. Layers work at the same time, so a
deep one needs several periods until its input has settled. Threshold: the 99.9th percentile.
The toolbox of Rueckauer et al. has this code layer after layer (`temporal_pattern`).

Source: Kim et al., Neurocomputing 2018. Class H3: a global phase clock. Does not depend on T.
"""

from isospike.fit.neurons import Phased
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.recipe import Recipe
from isospike.units.coders import Bits

RECIPES = {
    "weighted-spikes": Recipe(
        "weighted-spikes", threshold=Percentile(99.9), potential=Constant(0.0),
        neuron=Phased(8), coder=Bits(8),
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 1500, "accuracy": 91.21, "known": "recalled"}
]
