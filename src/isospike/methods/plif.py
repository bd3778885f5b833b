"""plif: leaky neurons whose membrane time constant is learned, one number a layer.

u(t) = k v(t-1) + z(t),  k = 1 - 1/tau = sigmoid(w), w learned with the weights, tau = 2 at first;
reset to zero; surrogate 1 / (1 + (pi (u - 1))^2), the derivative of an arctan (alpha = 2).

Reconstructed: the paper scales the drive by 1/tau too; here the threshold, which learns, takes
that. The paper trains from random weights, with labels, on the squared distance of the firing
rates; here the start is a conversion (thresholds by least squares through the neuron's own
transfer, one bias pass), the loss is cross-entropy of logits that do not fire, and the label is the
class that the source network names: no labels are used. A baseline.

Source: Fang et al., ICCV 2021. Class H0. Fitted for one T.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.neurons import Binary
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe
from isospike.tune.settings import Tune

RECIPES = {
    "plif": Recipe(
        "plif", threshold=MMSE(), neuron=Binary("hard", leak=0.5),
        calibrators=(BiasMatch(passes=1),),
        tune=Tune(loss="class", feature=0.0, surrogate="arctan", learn_leak=True),
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "CIFAR-10", "network": "PLIF net", "steps": 8, "accuracy": 93.50, "known": "recalled"}
]
