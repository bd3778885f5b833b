"""stbp: backpropagation through space and time, with a rectangular surrogate.

Leaky neurons with a reset to zero, u(t) = k u(t-1) (1 - o(t-1)) + W x(t), k = 0.5; backward
do/du = 1/a where |u - theta| < a/2, a = 1 (in units of theta), through all steps and the reset.

Reconstructed: the paper trains from random weights, with labels, on the squared distance of the
firing rates from the label. Here the start is a conversion (thresholds by least squares through the
neuron's own transfer, one bias pass), the read-out gives logits and does not fire, the loss is
cross-entropy, and the label is the class that the source network names: no labels are used.
Thresholds, potentials and biases learn too. A baseline, not a conversion of the literature.

Source: Wu et al., Frontiers in Neuroscience 2018; the figure is that of Wu et al. 2019, who add
NeuNorm and a voting output. Class H0. Fitted for one T.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.neurons import Binary
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe
from isospike.tune.settings import Tune

RECIPES = {
    "stbp": Recipe(
        "stbp", threshold=MMSE(), neuron=Binary("hard", leak=0.5),
        calibrators=(BiasMatch(passes=1),),
        tune=Tune(loss="class", feature=0.0, surrogate="rectangle", width=1.0),
    ),
}  # fmt: skip
CLAIMS = [
    {
        "data": "CIFAR-10", "network": "CIFARNet", "steps": 12, "accuracy": 90.53,
        "known": "cited", "by": "Bu et al. 2022",
    }
]  # fmt: skip
