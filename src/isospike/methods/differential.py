"""differential: a neuron sends changes of its rate, in eight sizes of either sign.

    v += z - r,   x = the largest +-theta / 2^i within 4/3 abs(v),   v -= x,   r += x / t

A rate that is right costs nothing more, so spikes thin out with time, and one large event does what
many equal spikes would. theta is the 99.9th percentile of each channel, one of the authors' modes;
the paper's iteration for a uniform quantiser of Gaussian drive is threshold=gauss-lloyd. Of a
source that clips, no rate passes the clip. Input: the image at the first step, which for a held
image is the same.

Measured (isospike evaluate zoo:fashion-relu --data fashion-sample --recipe differential --set
threshold=...: 2,000 test images, ANN 94.25%), T = 2/4/8: by the percentile 92.90, 94.10, 94.40%, by
max 92.70, 93.90, 93.90, by gauss-lloyd 92.80, 94.35, 94.25 with 2 to 19% more operations than max.

Source: Huang et al., ICML 2025 (DCGS), and the authors' code. Class H4: graded spikes and a
division by t. Does not depend on T.
"""

from isospike.fit.neurons import Differential
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.recipe import Recipe

RECIPES = {
    "differential": Recipe(
        "differential", threshold=Percentile(99.9, grain="channel"), potential=Constant(0.0),
        neuron=Differential(8),
    ),
}  # fmt: skip
CLAIMS = [
    {
        "data": "ImageNet", "network": net, "steps": t, "accuracy": a,
        "known": "cited", "by": "H-MT (AAAI 2026)",
    }
    for net, t, a in (("ResNet-34", 4, 73.35), ("ResNet-34", 8, 76.04), ("VGG-16", 4, 72.72))
]  # fmt: skip
