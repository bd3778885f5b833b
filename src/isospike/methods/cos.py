"""cos: layer after layer, a probe finds who fires once too often or too rarely, and shifts v(0).

    fired, v(rho) < 0:      v(0) -= max(1, least potential of a spike - 0.999)
    room left, v(rho) >= 1: v(0) += max(1, 1.001 - largest potential without a spike)

moves exactly one spike of that neuron. The authors' code does not ask whether there is room left:
a neuron that fired at every step of the probe gets v(0) = 1001.5 there (in units of theta); the
test is ours. The source carries ClipQuant; the authors choose its checkpoint on the test set. A
layer is probed on the corrected spikes of those below it, so each costs rho + T steps: latency
D (rho + T).

Source: Hao et al., ICLR 2023, and the authors' code (rho = 4 on CIFAR, 8 on ImageNet).
Class H4: a second pass. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures, table
from isospike.recipe import Recipe
from isospike.schedule import Probed

RECIPES = {
    "cos": Recipe(
        "cos", threshold=FromActivation(), potential=Constant(0.5), schedule=Probed(4, "shift")
    ),
}  # fmt: skip
_T = (1, 2, 4, 8)
_CIFAR100 = (
    ("CIFAR-100", "VGG-16", (74.24, 76.03, 76.26, 76.52)),
    ("CIFAR-100", "ResNet-20", (59.22, 64.21, 65.18, 67.17)),
)
_IMAGENET = (
    ("ImageNet", "VGG-16", (63.84, 70.59, 72.94, 73.82)),
    ("ImageNet", "ResNet-34", (69.11, 72.66, 73.81, 74.17)),
)
_VGG16 = {1: 94.90, 2: 95.36, 4: 95.46, 8: 95.51, 16: 95.57, 32: 95.61}
_RESNET18 = {1: 95.25, 2: 95.45, 4: 95.49, 8: 95.66, 16: 95.68, 32: 95.68}
CLAIMS = [
    *table("abstract", _T, _CIFAR100, probe=4),
    *table("abstract", _T, _IMAGENET, probe=8),
    *figures("recalled", "CIFAR-10", "VGG-16", _VGG16, probe=4),
    *figures("recalled", "CIFAR-10", "ResNet-18", _RESNET18, probe=4),
]
