"""cao2015: rate coding of a network that was built for it, with reset to zero.

The source has ReLUs, no bias and average pooling, and sees absolute values of its preprocessed
images; its weights are taken as they are, the image is a Bernoulli train, neurons reset to zero and
start at zero. Here the pixels themselves are coded.
Reconstructed: the paper sets its thresholds by hand on a grid; here theta is the largest activation
of the layer (threshold=percentile for others). A network with biases is converted all the same.

Source: Cao, Chen and Khosla, IJCV 2015. Class H0. Does not depend on T.
"""

from isospike.fit.neurons import Binary
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Max
from isospike.recipe import Recipe
from isospike.units.coders import Bernoulli

RECIPES = {
    "cao2015": Recipe(
        "cao2015", threshold=Max(), potential=Constant(0.0), neuron=Binary("hard"),
        coder=Bernoulli(), pool="average",
    ),
}  # fmt: skip
CLAIMS = [{"data": "CIFAR-10", "network": "CNN", "accuracy": 77.4, "known": "recalled"}]
