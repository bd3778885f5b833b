"""snnc-advanced: weights and initial potentials calibrated layer by layer on the spiking prefix.

    weights   Adam on the squared error of phi(W m) against the source activation, m the mean spikes
    v(0) += T mean over images of (a - phi) / theta, for every neuron

after thresholds by least squares. 400 batches a layer where the paper takes 5,000; a channel's mean
potential (v0.each=channel) does nearly the same with far less memory. As told of snnc-light, the
authors' search floors although their network rounds, and their script for CIFAR has T = 32 in it.

Source: Li et al., ICML 2021 ("A Free Lunch from ANN"), the advanced pipeline, and the authors'
code. Class H1: a potential for every neuron. Fitted for one T.
"""

from isospike.fit.layer_gradient import LayerGradient
from isospike.fit.potential_match import PotentialMatch
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "snnc-advanced": Recipe(
        "snnc-advanced", threshold=MMSE(grain="channel"), potential=Constant(0.5),
        calibrators=(LayerGradient(lr=4e-5, iterations=400), PotentialMatch()),
    ),
}  # fmt: skip
_CITED = (
    ("CIFAR-10", "VGG-16", {32: 93.71, 64: 95.14, "512 or more": 95.79}),
    ("CIFAR-10", "ResNet-18", {32: 94.78, 64: 95.30, "512 or more": 95.45}),
    ("CIFAR-100", "VGG-16", {32: 73.55, 64: 76.64, "512 or more": 77.87}),
    ("CIFAR-100", "ResNet-18", {32: 76.32, 64: 77.29, "512 or more": 77.25}),
)
_RESNET34 = {32: "64.54 to 64.65", 64: "71.12 to 71.30", "128 or more": "73.45 to 73.94"}
CLAIMS = [
    *figures("paper", "CIFAR-10", "VGG-16", {16: 93.65}),
    *figures("paper", "CIFAR-10", "ResNet-20 (wide)", {16: 94.33}),
    *figures("paper", "CIFAR-100", "VGG-16", {16: 70.91}),
    *figures("paper", "CIFAR-100", "ResNet-20 (wide)", {16: 74.48}),
    *(claim for row in _CITED for claim in figures("cited", *row, by="Bu et al. 2022")),
    *figures("recalled", "CIFAR-10", "VGG-16", {128: 95.65}),
    *figures("recalled", "ImageNet", "VGG-16", {32: 63.64, 128: 73.32}),
    *figures("cited", "ImageNet", "VGG-16", {64: 70.69}, by="H-MT (AAAI 2026)"),
    *figures("cited", "ImageNet", "ResNet-34", _RESNET34, by="Bu et al. 2025"),
]
