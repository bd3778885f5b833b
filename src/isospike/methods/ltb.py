"""ltb: local threshold balancing, with pooling before the neurons and a delayed read-out.

    theta_c += 2 mean(max(a - theta_c, 0)), from 0, batch after batch;   v(0) = theta / 2
    max(relu(z)) = relu(max(z)): the pooling takes the largest current
    the read-out leaves out the first schedule.delay steps (at most half of T)

Where the authors balance each layer on a prefix already clipped, one batch a round, here 200 rounds
see all source activations; their rule for the delay (from the mean charge of each layer) is a knob
here, 2 steps by default.

Source: Bu, Li and Yu, CVPR 2025 ("inference-scale complexity"). Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import LocalBalance
from isospike.methods import figures
from isospike.recipe import Recipe
from isospike.schedule import Synchronous

RECIPES = {
    "ltb": Recipe(
        "ltb", threshold=LocalBalance(), potential=Constant(0.5), schedule=Synchronous(delay=2),
        pool="pre-neuron",
    ),
}  # fmt: skip
_QCFS = {32: 71.94, 64: 73.06, "128 or more": 73.50}
CLAIMS = [
    *figures("paper", "ImageNet", "ResNet-18", {32: 65.55, 64: 68.53, "128 or more": 69.03}),
    *figures("paper", "ImageNet", "ResNet-34", {32: 64.88, 64: 71.17, "128 or more": 72.30}),
    *figures("paper", "ImageNet", "ResNet-34 (trained with QCFS)", _QCFS),
    *figures("paper", "ImageNet", "MobileNet-v2", {32: 19.39, 64: 49.93, "128 or more": 64.31}),
]
