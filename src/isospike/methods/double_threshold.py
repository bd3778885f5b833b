"""double-threshold: ternary spikes, or events that carry how many thresholds were crossed.

    ternary (TerMapping, the default):   +1 at v >= theta, -1 at v < -theta
    augmented (AugMapping, neuron.cap=127):   n = floor(v / theta) at v >= theta,
                                              n = -ceil(-1 - v / theta) at v < -theta

in one event. n is the paper's trunc(v / theta), but one less in size where v is a negative multiple
of theta: at exactly -theta nothing is sent. Threshold balancing on the largest activation, v(0) =
0. An event of n costs n operations here.
Reconstructed, but for the two mappings: a negative spike needs a positive one before it, or the
output would no longer be that of a ReLU.

Source: Yu et al., TNNLS 2022; no code is public. Class H2. Does not depend on T.
"""

from isospike.fit.neurons import Signed
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Max
from isospike.recipe import Recipe

RECIPES = {
    "double-threshold": Recipe(
        "double-threshold", threshold=Max(), potential=Constant(0.0), neuron=Signed(1.0)
    ),
}
