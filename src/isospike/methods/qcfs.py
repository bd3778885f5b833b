"""qcfs: a source trained with the quantisation clip-floor-shift activation, converted as it is.

    a = lambda * clip(floor(z L / lambda + 1/2) / L, 0, 1),     theta = lambda,  v(0) = theta / 2

Under constant drive the IF neuron computes this activation exactly when T = L; what is left is
unevenness. The source must carry ClipQuant(levels=L); max-pooling should have been trained as
average-pooling.

The authors choose their checkpoint on the test set. Their newer code clips before it floors, and
its README tells of an "unreproducible bug" in the older one. The da / dlambda that the paper prints
is wrong, as the authors say themselves; that of automatic differentiation is right.

Source: Bu et al., ICLR 2022, eq. 16 and theorem 2. Class H0. Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe

RECIPES = {"qcfs": Recipe("qcfs", threshold=FromActivation(), potential=Constant(0.5))}
_VGG16 = {2: 91.18, 4: 93.96, 8: 94.95, 16: 95.40, 32: 95.54}
_RESNET20 = {2: 73.20, 4: 83.75, 8: 89.55, 16: 91.62, 32: 92.24}
CLAIMS = [
    {"data": "CIFAR-10", "network": net, "steps": t, "accuracy": a, "known": "paper"}
    for net, row in (("VGG-16", _VGG16), ("ResNet-20", _RESNET20))
    for t, a in row.items()
]
