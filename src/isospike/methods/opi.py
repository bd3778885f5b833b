"""opi: optimised potential initialisation, v(0) = theta / 2.

For a drive that is uniform within a level, v(0) = theta / 2 gives the least expected squared error
and no mean error. Threshold: the paper trains a clip (set threshold=activation for such a source);
on a plain ReLU network the 99.9th percentile stands in, which is our choice.

Source: Bu et al., AAAI 2022. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.recipe import Recipe

RECIPES = {"opi": Recipe("opi", threshold=Percentile(99.9), potential=Constant(0.5))}
CLAIMS = [
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 8, "accuracy": 90.96, "known": "recalled"},
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 16, "accuracy": 93.38, "known": "abstract"},
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 32, "accuracy": 94.20, "known": "recalled"},
]
