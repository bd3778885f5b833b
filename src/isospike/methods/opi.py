"""opi: optimised potential initialisation, v(0) = theta / 2.

For a drive that is uniform within a level, v(0) = theta / 2 gives the least expected squared error
and no mean error. Threshold: the paper trains a clip (set threshold=activation for such a source);
on a plain ReLU network the 99.9th percentile stands in, which is our choice.

The authors' code chooses its checkpoint on the test set; it also has a neuron that learns v(0) from
what is left in the membrane (potential=training-set is near to it). The row of ResNet-18 on
CIFAR-10 is left out of the figures: recalled, it has the digits of qcfs at fewer steps.

Source: Bu et al., AAAI 2022. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {"opi": Recipe("opi", threshold=Percentile(99.9), potential=Constant(0.5))}
_RECALLED = (
    ("CIFAR-10", "VGG-16", {8: 90.96, 32: 94.20, 64: 94.45, "512 or more": 94.55}),
    ("CIFAR-10", "ResNet-20", {8: 66.24, 16: 87.22, 32: 91.88, 64: 92.57, "512 or more": 92.68}),
    ("CIFAR-100", "VGG-16", {8: 60.49, 16: 70.72, 32: 74.82, 64: 75.97, "512 or more": 76.29}),
    ("CIFAR-100", "ResNet-18", {8: 57.70, 16: 72.85, 32: 77.86, 64: 78.98, "512 or more": 79.26}),
    ("CIFAR-100", "ResNet-20", {8: 23.09, 16: 52.34, 32: 67.18, 64: 69.96, "512 or more": 70.43}),
    ("ImageNet", "VGG-16", {8: 6.25, 16: 36.02, 32: 64.70, 64: 72.47, "128 or more": 74.24}),
)
CLAIMS = [
    *figures("abstract", "CIFAR-10", "VGG-16", {16: 93.38}),
    *(claim for row in _RECALLED for claim in figures("recalled", *row)),
]
