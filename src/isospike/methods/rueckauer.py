"""rueckauer: rate conversion with a robust threshold and reset by subtraction.

Threshold: the 99.9th percentile of a layer's activations (of the positive ones, as in the authors'
toolbox; knob threshold.nonzero). v(0) = 0, the bias flows as a constant current, the image as a
held current, batch norm folded, max-pooling gated by the largest spike count so far. Not here: the
toolbox's percentile that falls with the layer, p - 0.02 l, which an int() cuts to a whole number.
The logits are read; schedule.decoder=softmax is the paper's read-out by spikes, which draws a class
at each step.

Source: Rueckauer et al., Frontiers in Neuroscience 2017. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "rueckauer": Recipe("rueckauer", threshold=Percentile(99.9), potential=Constant(0.0)),
}
CLAIMS = [
    {"data": "CIFAR-10", "network": "CNN", "accuracy": 90.85, "known": "recalled"},
    *figures("cited", "ImageNet", "VGG-16", {400: 49.61}, by="Liu et al. 2022"),
    *figures("recalled", "ImageNet", "Inception-v3", {550: 74.6}),
]
