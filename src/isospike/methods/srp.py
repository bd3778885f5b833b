"""srp: a probe shows which neurons would fire for nothing; in the run they stay silent.

    tau steps of the whole network;   mask = v(tau) > 0.001 theta
    then T steps from v(0) = theta / 2, masked

A neuron whose activation is zero but that fires, because excitation came first, ends its probe
below zero. The 0.001 is that of the authors' code. Some that should fire are silenced too, the more
the shorter the probe. The source carries ClipQuant; the authors choose its checkpoint on the test
set. Latency tau + T: the probe is part of the answer.

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
_VGG16 = {1: 71.52, 2: 74.31, 4: 75.42, 8: 76.25}
_RESNET20 = {1: 46.48, 2: 53.96, 4: 59.34, 8: 62.94}
CLAIMS = [
    {
        "data": "CIFAR-100", "network": net, "steps": t, "probe": 4, "accuracy": a,
        "known": "abstract",
    }
    for net, row in (("VGG-16", _VGG16), ("ResNet-20", _RESNET20))
    for t, a in row.items()
]  # fmt: skip
