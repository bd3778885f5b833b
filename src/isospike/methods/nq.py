"""nq: the residual error modelled as noise in the source network's activation.

Training: a = QCFS(z) - sigma_l eps, eps ~ N(0, 1) fresh for every value. After each epoch sigma_l
is the standard deviation of (clean activation - average output of the spiking network after T_v
steps), both run end to end, on images kept from training. The weights learn to bear that error.
Conversion: plain IF, theta = lambda, v(0) = theta / 2, no noise: the expected error stays zero
(theorem 1). So the conversion is that of qcfs; the network is what differs.

Training (`isospike train --activation nq`) keeps the epoch whose spiking network is best on images
held from training, after select_steps steps, and measures the network without noise; the authors
select on the test set and measure with the noise on, so their figures of the network are too low.
Other differences: their held images keep the random changes of training, ours have none; with
--init sigma is measured before epoch 1, in place of starting at 0; our cutout comes before
normalisation and its hole is black, theirs is the mean colour; our cosine runs by the step, theirs
by the epoch. They log the mean of the gap and leave it out; noise_mean=true gives it to the noise.

The bundled fashion-nq goes one step beyond: after the NQ epochs it is trained on under the residual
itself (train/residual.py), whose forward pass is the spiking network at T drawn from 1, 2, 4.

Source: Huang et al., arXiv 2404.17456 and IEEE TNNLS 2025, and the authors' code. Class H0.
Does not depend on T.
"""

from isospike.fit.potentials import Constant
from isospike.fit.thresholds import FromActivation
from isospike.methods import table
from isospike.recipe import Recipe

RECIPES = {"nq": Recipe("nq", threshold=FromActivation(), potential=Constant(0.5))}
_T = (1, 2, 4, 8, 16)
_PAPER = (  # the table of the authors' README, which is that of the journal
    ("CIFAR-10", "VGG-16", (88.46, 91.93, 94.80, 95.48, 95.70)),
    ("CIFAR-10", "ResNet-18", (89.64, 93.72, 95.37, 96.21, 96.38)),
    ("CIFAR-10", "ResNet-20", (65.99, 77.30, 84.54, 87.43, 88.26)),
    ("CIFAR-100", "VGG-16", (62.27, 69.39, 74.57, 76.73, 77.68)),
    ("CIFAR-100", "ResNet-18", (62.35, 70.86, 76.81, 78.85, 79.44)),
    ("CIFAR-100", "ResNet-20", (21.78, 33.87, 50.28, 60.93, 64.73)),
)
CLAIMS = table("paper", _T, _PAPER)
