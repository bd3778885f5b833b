"""hu-resnet: deep residual networks, with a gain that makes up for the spikes lost to rounding.

Shortcut and branch are normalised together, so that both arrive at the sum on one scale: here every
spike carries its own threshold, which does the same by construction. What is left of the paper is
the compensation: each layer's weights times c = sum a / sum phi, found on the running network.
Threshold: the 99.9th percentile of the positive activations, as in rueckauer, v(0) = 0.

Source: Hu, Tang and Pan 2018 ("spiking deep residual network"). Reconstructed: the percentile (what
the paper takes was not checked), and how the paper chooses its factor. Class H0. Fitted for one T.
"""

from isospike.fit.gain_match import GainMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "hu-resnet": Recipe(
        "hu-resnet", threshold=Percentile(99.9), potential=Constant(0.0),
        calibrators=(GainMatch(),),
    ),
}  # fmt: skip
CLAIMS = [
    *figures("recalled", "ImageNet", "ResNet-34", {350: 71.61}),
    *figures("recalled", "ImageNet", "ResNet-50", {350: 72.75}),
]
