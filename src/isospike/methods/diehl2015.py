"""diehl2015: weight normalisation, here as thresholds (dividing weights and theta is the same).

Data-based (default): theta = the larger of the largest activation and the largest weight of the
layer. Model-based (threshold=weight-sum): theta = the largest drive of one step that the weights
allow for pixels in [0, 1], normalised or not, so that no spike is ever lost, at the price of very
low rates; no data is used.
Reset to zero, v(0) = 0, the image as a Bernoulli train. The paper's networks have no bias and
average pooling.

Source: Diehl et al., IJCNN 2015. Class H0. Does not depend on T.
"""

from isospike.fit.neurons import Binary
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MaxOrWeight
from isospike.recipe import Recipe
from isospike.units.coders import Bernoulli

RECIPES = {
    "diehl2015": Recipe(
        "diehl2015", threshold=MaxOrWeight(), potential=Constant(0.0), neuron=Binary("hard"),
        coder=Bernoulli(), pool="average",
    ),
}  # fmt: skip
CLAIMS = [
    {"data": "MNIST", "network": net, "time": "500 ms", "accuracy": a, "known": "recalled"}
    for net, a in {"CNN": 99.1, "fully connected": 98.6}.items()
]
