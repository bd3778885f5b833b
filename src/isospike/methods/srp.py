"""srp: a probe shows which neurons would fire for nothing; in the run they stay silent.

    tau steps of the whole network;   mask = v(tau) > 0.001 theta
    then T steps from v(0) = theta / 2, masked

A neuron whose activation is zero but that fires, because excitation came first, ends its probe
below zero. The 0.001 is that of the authors' code. Some that should fire are silenced too, the more
the shorter the probe. The source carries ClipQuant; the authors choose its checkpoint on the test
set. Latency tau + T: the probe is part of the answer.

Source: Hao et al., AAAI 2023, and the authors' code (tau = 4 on CIFAR, 8 or 14 on ImageNet).
Class H4: a second pass. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures, table
from isospike.recipe import Recipe
from isospike.schedule import Probed

RECIPES = {
    "srp": Recipe(
        "srp", threshold=FromActivation(), potential=Constant(0.5), schedule=Probed(4, "mask")
    ),
}  # fmt: skip
_T = (1, 2, 4, 8)
_CIFAR100 = (
    ("CIFAR-100", "VGG-16", (71.52, 74.31, 75.42, 76.25)),
    ("CIFAR-100", "ResNet-20", (46.48, 53.96, 59.34, 62.94)),
)
_IMAGENET_VGG16 = ("ImageNet", "VGG-16", (50.37, 61.37, 66.47, 68.37))
_IMAGENET_RESNET34 = ("ImageNet", "ResNet-34", (57.78, 64.32, 66.71, 67.62))
_VGG16 = {1: 93.80, 2: 94.47, 4: 95.32, 8: 95.52, 16: 95.44, 32: 95.42}
_RESNET18 = {1: 94.59, 2: 95.06, 8: 95.60, 16: 95.55, 32: 95.55}
CLAIMS = [
    *table("abstract", _T, _CIFAR100, probe=4),
    *table("abstract", _T, [_IMAGENET_VGG16], probe=14),
    *table("abstract", _T, [_IMAGENET_RESNET34], probe=8),
    *figures("recalled", "CIFAR-10", "VGG-16", _VGG16, probe=4),
    *figures("recalled", "CIFAR-10", "ResNet-18", _RESNET18, probe=4),
    *figures("cited", "CIFAR-10", "ResNet-18", {4: 95.25}, probe=4, by="a survey"),
    *figures("cited", "ImageNet", "VGG-16", {64: 69.43}, probe=14, by="H-MT (AAAI 2026)"),
    *figures("cited", "ImageNet", "ResNet-34", {64: 68.61}, probe=8, by="H-MT (AAAI 2026)"),
]
