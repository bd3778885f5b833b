"""srp: a probe shows which neurons would fire for nothing; in the run they stay silent.

    tau steps of the whole network;  mask = v(tau) > 0;  then T steps from v(0) = theta / 2, masked

A neuron whose activation is zero but that fires, because excitation came first, ends its probe
below zero. Some that should fire are silenced too, the more the shorter the probe. The source
carries ClipQuant. Latency tau + T: the probe is part of the answer.

Source: Hao et al., AAAI 2023, and the authors' code (tau = 4 on CIFAR). Class H4: a second pass.
Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe
from isospike.schedule import Probed

RECIPES = {
    "srp": Recipe(
        "srp", threshold=FromActivation(), potential=Constant(0.5), schedule=Probed(4, "mask")
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "CIFAR-100", "network": "VGG-16", "steps": t, "probe": 4, "accuracy": a}
    for t, a in {1: 71.52, 2: 74.31, 4: 75.42, 8: 76.25}.items()
] + [
    {"data": "CIFAR-100", "network": "ResNet-20", "steps": t, "probe": 4, "accuracy": a}
    for t, a in {1: 46.48, 2: 53.96, 4: 59.34, 8: 62.94}.items()
]
