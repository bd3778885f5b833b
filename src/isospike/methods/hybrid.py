"""hybrid: conversion first, then backpropagation that depends on the time since the last spike.

1. thresholds as in spike-norm: the largest drive of one step in the running spiking network;
2. neurons leak a little (k = 0.99) and reset softly; the weights alone learn, at most 20 passes,
   with ds/du = alpha exp(-beta (t - t_s)), alpha = 0.3, beta = 0.01, t_s the last spike before
   t, and 0 before the first: a neuron that never fires does not learn (STDB, as the authors' code;
   that code also has a linear surrogate, gamma = 0.3).

Reconstructed: the authors' neuron fires before it takes in the drive of a step, ours after; the
paper learns from labels with Poisson input and thresholds at a fraction of the
largest drive; here the image is a held current, and the label is the class that the source network
names: no labels are used. Its networks have no bias; ours keep theirs as they are.

With few images and few steps (docs/leaderboard.md: 128 images, T up to 16) it stays at chance: at
thresholds as high as spike-norm's nothing arrives in few steps (the paper has T of 100 to 250), and
what never fires does not learn. threshold.alpha is the fraction (the paper's is not known to us).

Source: Rathi et al., ICLR 2020. Class H0. Fitted for one T.
"""

from isospike.fit.neurons import Binary
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import SpikeMax
from isospike.methods import figures
from isospike.recipe import Recipe
from isospike.tune.settings import Tune

RECIPES = {
    "hybrid": Recipe(
        "hybrid", threshold=SpikeMax(alpha=1.0), potential=Constant(0.0),
        neuron=Binary("soft", leak=0.99), pool="average",
        tune=Tune(
            loss="class", feature=0.0, passes=20, lr=1e-4, fast=0.0, surrogate="spike-time"
        ),
    ),
}  # fmt: skip
CLAIMS = [
    *figures("recalled", "CIFAR-10", "VGG-16", {100: 91.13}),
    *figures("recalled", "ImageNet", "VGG-16", {250: 65.19}),
    {"data": "CIFAR-10", "steps": 200, "accuracy": 92.02, "known": "cited", "by": "Bu et al. 2022"},
]
