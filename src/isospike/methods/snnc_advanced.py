"""snnc-advanced: weights and initial potentials calibrated layer by layer on the spiking prefix.

    weights   Adam on the squared error of phi(W m) against the source activation, m the mean spikes
    v(0) += T mean over images of (a - phi) / theta, for every neuron

after thresholds by least squares. 400 batches a layer where the paper takes 5,000; a channel's mean
potential (v0.each=channel) does nearly the same with far less memory.

Source: Li et al., ICML 2021 ("A Free Lunch from ANN"), the advanced pipeline, and the authors'
code. Class H1: a potential for every neuron. Fitted for one T.
"""

from isospike.fit.layer_gradient import LayerGradient
from isospike.fit.potential_match import PotentialMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe

RECIPES = {
    "snnc-advanced": Recipe(
        "snnc-advanced", threshold=MMSE(grain="channel"), potential=Constant(0.5),
        calibrators=(LayerGradient(lr=4e-5, iterations=400), PotentialMatch()),
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 16, "accuracy": 93.65},
    {"data": "CIFAR-100", "network": "VGG-16", "steps": 16, "accuracy": 70.91},
    {"data": "CIFAR-10", "network": "ResNet-20 (wide)", "steps": 16, "accuracy": 94.33},
]
