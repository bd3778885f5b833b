"""cos: layer after layer, a probe finds who fires once too often or too rarely, and shifts v(0).

    fired, v(rho) < 0:      v(0) -= max(1, least potential of a spike - 0.999)
    room left, v(rho) >= 1: v(0) += max(1, 1.001 - largest potential without a spike)

moves exactly one spike of that neuron. The source carries ClipQuant. A layer is probed on the
corrected spikes of those below it, so each costs rho + T steps: latency D (rho + T).

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
CLAIMS = [
    {"data": "CIFAR-100", "network": "VGG-16", "steps": t, "probe": 4, "accuracy": a}
    for t, a in {1: 74.24, 2: 76.03, 4: 76.26, 8: 76.52}.items()
] + [
    {"data": "CIFAR-100", "network": "ResNet-20", "steps": t, "probe": 4, "accuracy": a}
    for t, a in {1: 59.22, 2: 64.21, 4: 65.18, 8: 67.17}.items()
]
