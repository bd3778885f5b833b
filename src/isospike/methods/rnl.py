"""rnl: a source trained with the rate norm layer, whose clip is the threshold.

    a = clip(z, 0, theta),   theta = m * sigmoid(p),   m the running maximum, p learned;   v(0) = 0

The source must carry ClipQuant(running_max=True) (`isospike train --activation rnl`). The second
stage locks m and the weights and trains p so that rates are inferred sooner (`--set rate_loss=0.1
--init` the first stage's model.safetensors; train/rate_inference.py has the loss, and what of it is
reconstructed: Omega image by image, the distance to the first stage's own logits).

Source: Ding et al., IJCAI 2021. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import figures
from isospike.recipe import Recipe

RECIPES = {"rnl": Recipe("rnl", threshold=FromActivation(), potential=Constant(0.0))}
CLAIMS = [
    *figures(
        "cited", "CIFAR-10", "VGG-16", {16: 57.90, 32: 85.40, 64: 91.15, "512 or more": 92.95},
        by="Bu et al. 2022",
    ),
    *figures("recalled", "CIFAR-10", "VGG-16", {128: 92.5}),
]  # fmt: skip
