"""snnc-light: thresholds and biases calibrated layer by layer on the spiking prefix.

theta_c minimises the squared error of the neuron's transfer on the source activations; then
b_c += mean(a - phi), with phi from the spikes of the layers below. v(0) = theta / 2.
One bias pass as in the paper, where it sees one batch; bias.passes=3 lets it settle.

Source: Li et al., ICML 2021 ("A Free Lunch from ANN"), the light pipeline (snnc-advanced is
the other one). The authors' search floors although their network rounds; ours searches through the
neuron's own transfer. Their script for CIFAR has T = 32 written into it; here T is given. Class H0.
Fitted for one T.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "snnc-light": Recipe(
        "snnc-light",
        threshold=MMSE(grain="channel"),
        potential=Constant(0.5),
        calibrators=(BiasMatch(passes=1),),
    ),
}
CLAIMS = [
    *figures("paper", "CIFAR-10", "VGG-16", {16: 93.30}),
    *figures("paper", "CIFAR-10", "ResNet-20 (wide)", {16: 93.89}),
    *figures("paper", "CIFAR-100", "VGG-16", {16: 65.26}),
    *figures("paper", "CIFAR-100", "ResNet-20 (wide)", {16: 73.89}),
    *figures(
        "cited", "ImageNet", "ResNet-34", {32: 50.21, 64: 63.66, "128 or more": 68.89},
        by="Bu et al. 2025",
    ),
]  # fmt: skip
