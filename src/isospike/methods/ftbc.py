"""ftbc: forward temporal bias correction, a bias for every step.

    for t = 1 .. T:   b_t += alpha * mean(a - theta s(t)),   alpha = 1/2, three passes

so that the expected error of each channel is zero at every step. Forward passes only. It is a
correction for any conversion; here thresholds are those of snnc-light and v(0) = theta / 2. The
published code corrects on one batch only, by an accident of Python; here all images are used. On a
CPU its T biases are one tensor, named T times ([zeros] * T); here each step has its own.

Source: Wu et al., ECCV 2024, and a fork of the authors' code. Class H1: T numbers a channel.
Fitted for one T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.step_bias import StepBias
from isospike.fit.thresholds import MMSE
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {
    "ftbc": Recipe(
        "ftbc", threshold=MMSE(grain="channel"), potential=Constant(0.5),
        calibrators=(StepBias(alpha=0.5, passes=3),),
    ),
}  # fmt: skip
CLAIMS = figures(
    "recalled", "ImageNet", "ResNet-34", {4: 49.94, 8: 65.28, 16: 71.66, 32: 73.57, 64: 74.07}
)
