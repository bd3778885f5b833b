"""t2fsnn: time to first spike, one spike a neuron whose time is its value.

    fire once, at the first t with V >= theta(t);   the receiver weighs the spike by the same kernel

A layer integrates for one phase and fires in the next; the kernel falls from 1 to 1 / R over a
phase (R: schedule.ratio, 54.6: the paper's exp(80 / 20)). The paper fits time constant and delay of
each layer by gradient descent; here the threshold is fitted by least squares through the neuron's
own transfer, and R is one for all. Its early firing, which starts a phase before the one
below has ended, is not here: latency is (D + 1) T. With few steps the levels are few and far apart:
it wants T of 32 and more, and pays with few spikes.

Source: Park et al., DAC 2020. Class H3. Fitted for one T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe
from isospike.schedule import Separated

RECIPES = {
    "t2fsnn": Recipe(
        "t2fsnn", threshold=MMSE(grain="channel"), potential=Constant(0.0),
        schedule=Separated(ratio=54.6), pool="exact",
    ),
}  # fmt: skip
# Remembered from the paper, not checked again.
CLAIMS = [
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 680, "accuracy": 91.43},
    {"data": "CIFAR-100", "network": "VGG-16", "steps": 680, "accuracy": 68.79},
]
