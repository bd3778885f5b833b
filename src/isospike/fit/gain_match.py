"""The layer before a site scaled so that the site sends as much as the source network does.

    W, b <- c W, c b,    c = sum of a / sum of phi over images and neurons

Spikes that a layer loses to rounding are missed by every layer after it; a gain a little above one
brings the mean back. Shortcuts keep their scale.
Source: Hu et al. 2018 (spiking ResNet, "error compensation"); how the paper finds its factor is
reconstructed.
"""

from __future__ import annotations

from dataclasses import dataclass

from isospike.fit.site import Site
from isospike.fit.weights import adjustable, scaled

MOST = 2.0  # a layer that is nearly silent would ask for any gain


@dataclass(frozen=True)
class GainMatch:
    """passes: how often; each sees the effect of the one before."""

    passes: int = 1
    key = "gain"
    stage = "unit"
    depends_on_steps = True
    needs_drive = True

    def fit(self, site: Site) -> None:
        for _ in range(self.passes):
            layers = adjustable(site)
            assert site.unit is not None
            sent = float(site.rate(site.unit).double().sum())
            wanted = float(site.activation.double().sum())
            if not layers or sent <= 0 or wanted <= 0:
                return
            factor = min(max(wanted / sent, 1 / MOST), MOST)
            site.graph = scaled(site.graph, layers, factor)
            site.forget_drive()
