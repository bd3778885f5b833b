"""iso: the default recipe, our own. Training-free, label-free, plain IF neurons.

For each layer from input to output, on the spikes the fitted prefix really sends:
1. refit its weights in closed form: ridge regression of the source pre-activation on the mean of
   the input spikes, shrunk towards the source weights and away from uneven drive (fit/weights.py);
2. threshold per channel by least squares through the neuron's own transfer (MMSE), then threshold
   and v(0) per channel by search on the drive itself (fit/neuron_search.py);
3. match the mean of every channel by its bias.

Why: the error of one layer is small, the inherited error is what kills; the refit gives each layer
the weights that are best for the noisy spikes it gets. It helps most at T <= 8.

Measured (bench/variants.py, all 10,000 test images, T = 2 and 4): fashion-relu (ANN 93.85%) 88.98
and 91.23%; neuron=signed, neuron.cap=4 (class H2, three times the spikes) 93.40 and 93.63%;
neuron=burst, neuron.cap=4 92.97 and 93.52%; neuron=signed (ST-BIF, up to a third more spikes) 89.98
and 92.42%. fashion-qcfs (ANN 93.29%) 90.85 and 92.70%, where qcfs itself has 83.70 and 89.84%.
Weights of each step in the read-out gain nothing (88.98 and 91.25%).

Data: calibration images, no labels. Fitted for one T. Class H0: plain IF, per-channel numbers.
"""

from isospike.fit.bias import BiasMatch
from isospike.fit.neuron_search import NeuronSearch
from isospike.fit.thresholds import MMSE
from isospike.fit.weights import WeightRefit
from isospike.recipe import Recipe

RECIPES = {
    "iso": Recipe(
        "iso", threshold=MMSE(), calibrators=(WeightRefit(), NeuronSearch(), BiasMatch(passes=1))
    ),
}
