"""rmp: residual membrane potential neurons (reset by subtraction) with Spike-Norm thresholds.

theta = alpha * the largest drive of one step that the layer gets from the spiking layers below,
found layer by layer on the running network (threshold.steps long, default 32; the paper runs up to
2,500). alpha < 1: the paper picks 0.3 to 0.8 by layer, here one value, 0.8. v(0) = 0.
The paper codes the image as a Poisson train: set coder=bernoulli; here the image is a held current.

Source: Han et al., CVPR 2020, with Sengupta et al. 2019. The details are reconstructed.
Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import SpikeMax
from isospike.recipe import Recipe

RECIPES = {"rmp": Recipe("rmp", threshold=SpikeMax(alpha=0.8), potential=Constant(0.0))}
CLAIMS = [
    {
        "data": "CIFAR-10",
        "network": "VGG-16",
        "steps": "2048 to 4096",
        "accuracy": 93.63,
        "known": "abstract",
    },
    {
        "data": "ImageNet",
        "network": "VGG-16",
        "steps": "2048 to 4096",
        "accuracy": 73.09,
        "known": "abstract",
    },
    {
        "data": "ImageNet",
        "network": "ResNet-34",
        "steps": 4096,
        "accuracy": 69.89,
        "known": "cited",
        "by": "Liu et al. 2022",
    },
]
