"""nq: the residual error modelled as noise in the source network's activation.

Training: a = QCFS(z) - sigma_l eps, eps ~ N(0, 1) fresh for every value. After each epoch sigma_l
is the standard deviation of (clean activation - average output of the spiking network after T_v
steps), both run end to end, on images kept from training. The weights learn to bear that error.
Conversion: plain IF, theta = lambda, v(0) = theta / 2, no noise: the expected error stays zero
(theorem 1). So the conversion is that of qcfs; the network is what differs.

The authors select their checkpoint on the test set and measure the network with its noise on; here
nothing is selected and the network is measured without noise.

The bundled fashion-nq goes one step beyond: after the NQ epochs it is trained on under the residual
itself (train/residual.py), whose forward pass is the spiking network at T drawn from 1, 2, 4.

Source: Huang et al., arXiv 2404.17456 and IEEE TNNLS 2025, and the authors' code. Class H0.
Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.recipe import Recipe

RECIPES = {"nq": Recipe("nq", threshold=FromActivation(), potential=Constant(0.5))}
_VGG16 = {1: 88.46, 2: 91.93, 4: 94.80, 8: 95.48, 16: 95.70}
_RESNET18 = {1: 89.64, 2: 93.72, 4: 95.37, 8: 96.21, 16: 96.38}
_RESNET20 = {1: 65.99, 2: 77.30, 4: 84.54, 8: 87.43, 16: 88.26}
CLAIMS = [
    {"data": "CIFAR-10", "network": net, "steps": t, "accuracy": a, "known": "paper"}
    for net, row in (("VGG-16", _VGG16), ("ResNet-18", _RESNET18), ("ResNet-20", _RESNET20))
    for t, a in row.items()
]
