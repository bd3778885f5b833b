"""fs-neurons: few-spike neurons, which run a program of K steps of threshold, reset and weight.

    s(t) = H(v - T(t)),   v <- v - h(t) s(t),   out = sum of d(t) s(t),   v(0) = x

For a ReLU the program is T = h = d = alpha 2^-t: the binary digits of x, most significant first,
which is a radix code of base 2 that starts from v(0) = 0 (it rounds down). alpha is the largest
activation of the layer; the published code takes 25 for all. SiLU, GELU, sigmoid, tanh, ELU,
softplus, Mish and hard-swish get programs of their own, fitted to what the calibration images
bring (fit/few_spike.py; at most 16 steps, published 16 for SiLU and 12 for sigmoid; the authors fit
theirs by Adam from random starts). Layer after layer: latency (D + 1) K, where the paper counts 2 K
for each layer. Not here: the paper's quantised weights.

Source: Stoeckl and Maass, Nature Machine Intelligence 2021. Class H3. The programs are
fitted for one T.
"""

from isospike.fit.few_spike import FewSpikeFit
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Max
from isospike.recipe import Recipe
from isospike.schedule import Separated

RECIPES = {
    "fs-neurons": Recipe(
        "fs-neurons", threshold=Max(), potential=Constant(0.0), schedule=Separated(k=2.0),
        pool="exact", few_spike=FewSpikeFit(),
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "ImageNet", "network": "EfficientNet-B7", "accuracy": 83.57, "known": "recalled"},
] + [
    {"data": data, "network": "ResNet-50", "steps": 10, "accuracy": a, "known": "recalled"}
    for data, a in {"ImageNet": 75.10, "CIFAR-10": 92.42}.items()
]
