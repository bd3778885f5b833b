"""t2fsnn: time to first spike, one spike a neuron whose time is its value.

    theta(t) = theta k^(1 - t),   k = R^(1 / (T - 1))
    fire once, at the first t with V >= theta(t) (1 + 1 / k) / 2
    the receiver weighs the spike by theta(t)

A layer integrates for one phase and fires in the next, theta(t) falling from theta to theta / R (R:
schedule.ratio, 54.6: the paper's exp(80 / 20)). It begins half a phase before the layer below has
ended, as the paper's "early firing" (schedule.early; what comes after a neuron has fired is lost):
latency is D T / 2 + T, without it (D + 1) T. A neuron fires half way between the level and the next
one, so a value is sent as its nearest level; the paper fires at the level itself and so rounds
down. Not here: the paper's fit of a kernel (time constant, delay) for each layer by gradient
descent; the threshold is fitted by least squares through the neuron's own transfer, and R is one
for all. With few steps the levels are few and far apart; it pays with few spikes.
No code of the authors was found: the repository ggoupy/T2FSNN is another system, trained directly.

Source: Park et al., DAC 2020. Class H3. Fitted for one T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import MMSE
from isospike.recipe import Recipe
from isospike.schedule import Separated

RECIPES = {
    "t2fsnn": Recipe(
        "t2fsnn", threshold=MMSE(grain="channel"), potential=Constant(0.0),
        schedule=Separated(ratio=54.6, early=0.5), pool="exact",
    ),
}  # fmt: skip
CLAIMS = [
    {"data": data, "network": "VGG-16", "steps": 680, "accuracy": a, "known": "recalled"}
    for data, a in {"CIFAR-10": 91.43, "CIFAR-100": 68.79}.items()
]
