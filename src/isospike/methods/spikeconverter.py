"""spikeconverter: temporal separation with inverse-leaky neurons, a conversion that is exact.

    sum_i w_i (sum_t X_i(t) k^(T-t)) = V_th sum_t Y(t) k^(T-t)

holds when every neuron first accumulates for T steps and then fires for T steps, resets by
subtraction, and ends with nothing left. k = 1 is the IF neuron, k > 1 "inflates" each step.
Printed on the authors' poster: the identity, the two phases, the pipeline, the results. Not known:
the base k, the threshold rule, how the remainder is rounded. Here k = 2 by default (T steps are
then a T-bit code), any k in [1, 2] by schedule.k; v(0) = 1/2 rounds to nearest; thresholds by least
squares through this neuron's own transfer; schedule.extra adds generation steps.

The paper's T is the length of a phase. The answer of a network of D spiking layers is out after
(D + 1) T steps, which rows report, one image every 2 T (`schedule.interval`).

Source: Liu et al., AAAI 2022; no code is public. Class H3: a global phase clock and a
multiplication by k each step. Fitted for one T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe
from isospike.schedule import Separated

RECIPES = {
    "spikeconverter": Recipe(
        "spikeconverter",
        threshold=MMSE(grain="channel"),
        potential=Constant(0.5),
        schedule=Separated(k=2.0),
        pool="exact",
    ),
}
CLAIMS = [
    {"data": "ImageNet", "network": "VGG-16", "phase": t, "accuracy": a, "known": "paper"}
    for t, a in {4: 70.27, 8: 73.33, 12: 73.43, 16: 73.47, 32: 73.49}.items()
] + [
    {"data": "ImageNet", "network": net, "phase": 16, "accuracy": a, "known": "paper"}
    for net, a in {"ResNet-34": 70.57, "MobileNet-v2": 71.71}.items()
]
