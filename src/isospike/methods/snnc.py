"""snnc-light: thresholds and biases calibrated layer by layer on the spiking prefix.

theta_c minimises the squared error of the neuron's transfer on the source activations; then
b_c += mean(a - phi), with phi from the spikes of the layers below. v(0) = theta / 2.
One bias pass as in the paper; bias.passes=3 lets it settle.

Source: Li et al., ICML 2021 ("A Free Lunch from ANN"), the light pipeline (snnc-advanced is
the other one). The authors' search
floors although their network rounds; ours searches through the neuron's own transfer. Class H0.
Fitted for one T.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
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
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 32, "accuracy": 93.71},
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 64, "accuracy": 95.14},
    {"data": "ImageNet", "network": "VGG-16", "steps": 32, "accuracy": 63.64},
]
