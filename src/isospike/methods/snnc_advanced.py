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
    {"data": data, "network": net, "steps": 16, "accuracy": a, "known": "paper"}
    for data, net, a in (
        ("CIFAR-10", "VGG-16", 93.65),
        ("CIFAR-10", "ResNet-20 (wide)", 94.33),
        ("CIFAR-100", "VGG-16", 70.91),
    )
] + [
    {
        "data": "CIFAR-10", "network": "VGG-16", "steps": t, "accuracy": a,
        "known": "cited", "by": "Bu et al. 2022",
    }
    for t, a in {32: 93.71, 64: 95.14}.items()
] + [
    {"data": "ImageNet", "network": "VGG-16", "steps": 32, "accuracy": 63.64, "known": "recalled"}
]  # fmt: skip
