"""burst: several spikes a step, and max-pooling by lateral inhibition.

    s(t) = clip(floor(v / theta), 0, 5),   reset by subtraction
    a window of max-pooling passes what its largest sum of spikes has grown by

A neuron that has been charged for several spikes sends them at once instead of one a step, so that
less is left in the membrane. Threshold: the 99.95th percentile of the positive activations, v(0) =
0; of a source that clips, theta is the clip over 5 at most. Not here: the "spike calibration" of
the authors' code, which takes spikes back after a silence (neuron=signed does that by the running
sum). In that code the branch for the reset to zero never calls its function, and the option of the
calibration is not passed on in the recursion.

Source: Li and Zeng, IJCAI 2022. Class H2. Does not depend on T.
"""

from isospike.fit.neurons import Burst
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Percentile
from isospike.recipe import Recipe

RECIPES = {
    "burst": Recipe(
        "burst", threshold=Percentile(99.95), potential=Constant(0.0), neuron=Burst(5),
        pool="lateral",
    ),
}  # fmt: skip
# The two figures for ImageNet disagree: which is the paper's is not known.
CLAIMS = [
    {"data": "CIFAR-10", "network": "VGG-16", "steps": 32, "accuracy": 95.75, "known": "recalled"},
    {
        "data": "ImageNet", "network": "VGG-16", "steps": 32, "accuracy": 71.41,
        "known": "cited", "by": "a survey",
    },
    {"data": "ImageNet", "network": "VGG-16", "steps": 32, "accuracy": 70.61, "known": "recalled"},
]  # fmt: skip
