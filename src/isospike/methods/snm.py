"""snm: signed neurons with memory, thresholds normalised neuron by neuron.

    +1 at v >= theta;   -1 at v < -theta while more spikes have been sent than taken back

theta is the largest activation of each neuron over the calibration images (NeuronNorm), v(0) = 0.
At exactly -theta nothing is taken back here; the paper takes one back at v <= -theta.
The negative threshold of -theta retracts late: neuron.low=0 retracts as soon as v is below zero
(ca-lif, and nearly so fast-snn), which helps far more at few steps.
The authors' code takes its maxima over the test images, slot by slot of a batch: their figures are
no target here. A later version, DNISNM (2024), also sets v(0) from data.

Source: Wang et al., IJCAI 2022. Class H2. Does not depend on T.
"""

from isospike.fit.neurons import Signed
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import NeuronMax
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "snm": Recipe("snm", threshold=NeuronMax(), potential=Constant(0.0), neuron=Signed(1.0)),
}
CLAIMS = [
    {"data": data, "steps": "32 to 128", "accuracy": a, "known": "abstract"}
    for data, a in {"CIFAR-10": 95.44, "CIFAR-100": 78.3, "ImageNet": 73.16}.items()
] + [
    *figures("recalled", "CIFAR-10", "VGG-16", {32: 93.43, 64: 94.07, "512 or more": 94.09}),
    *figures("recalled", "CIFAR-100", "VGG-16", {32: 71.80, 64: 73.69, "512 or more": 74.13}),
    *figures("recalled", "ImageNet", "VGG-16", {32: 64.78, "128 or more": 72.86}),
    *figures("cited", "ImageNet", "VGG-16", {64: 71.50}, by="H-MT (AAAI 2026)"),
]
