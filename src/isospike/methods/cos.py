"""cos: layer after layer, a probe finds who fires once too often or too rarely, and shifts v(0).

    fired, v(rho) < 0:      v(0) -= max(1, least potential of a spike - 0.999)
    room left, v(rho) >= 1: v(0) += max(1, 1.001 - largest potential without a spike)

moves exactly one spike of that neuron. The authors' code does not ask whether there is room left:
a neuron that fired at every step of the probe gets v(0) = 1001.5 there (in units of theta); the
test is ours. The source carries ClipQuant; the authors choose its checkpoint on the test set. A
layer is probed on the corrected spikes of those below it, so each costs rho + T steps: latency
D (rho + T).

Source: Hao et al., ICLR 2023, and the authors' code (rho = 4 on CIFAR). Class H4: a second pass.
Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe
from isospike.schedule import Probed

RECIPES = {
    "cos": Recipe(
        "cos", threshold=FromActivation(), potential=Constant(0.5), schedule=Probed(4, "shift")
    ),
}  # fmt: skip
_VGG16 = {1: 74.24, 2: 76.03, 4: 76.26, 8: 76.52}
_RESNET20 = {1: 59.22, 2: 64.21, 4: 65.18, 8: 67.17}
CLAIMS = [
    {
        "data": "CIFAR-100", "network": net, "steps": t, "probe": 4, "accuracy": a,
        "known": "abstract",
    }
    for net, row in (("VGG-16", _VGG16), ("ResNet-20", _RESNET20))
    for t, a in row.items()
]  # fmt: skip
