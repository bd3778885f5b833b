"""`prepare` on classes of torch whose forward is not torch's: what they compute decides."""

from types import MethodType

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import isospike as iso
from isospike.activations import ClipQuant
from zoo.tiny import images


class Leaky(nn.ReLU):
    def forward(self, x):
        return F.leaky_relu(x, 0.5)


class Same(nn.MaxPool2d):
    """Pads by itself, with `value`."""

    value = 0.0

    def forward(self, x):
        x = F.pad(x, (0, 1, 0, 1), value=self.value)
        return F.max_pool2d(x, self.kernel_size, self.stride)


class Below(Same):
    value = -float("inf")


class Told(nn.ReLU):
    def forward(self, x):
        return super().forward(x)


class Named(nn.ReLU):
    """Changes nothing."""


def test_a_relu_by_name_alone_stays_and_is_told():
    model, x = nn.Sequential(Leaky(), nn.ReLU()), images() - 0.5
    prepared = iso.prepare(model, levels=None, theta=1e9)
    assert torch.equal(prepared[0](x), model[0](x))
    assert prepared.report.notes == ("0: leaky_relu is no ReLU and stays",)
    with pytest.raises(iso.ConversionError, match="no ReLU"):
        iso.prepare(nn.Sequential(Leaky()))


@pytest.mark.parametrize("kind", [Told, Named])
def test_a_relu_by_what_it_computes_is_exchanged(kind):
    prepared = iso.prepare(nn.Sequential(kind()), theta=1.5)
    assert sum(isinstance(m, ClipQuant) for m in prepared.modules()) == 1
    x = images() - 0.5
    assert torch.equal(prepared(x), prepared.get_submodule(prepared.report.swaps[0].place)(x))


def test_a_pool_that_pads_itself_becomes_the_average_of_what_it_pads():
    x = images()
    prepared = iso.prepare(
        nn.Sequential(nn.ReLU(), Same(2, 2)), levels=None, theta=1e9, pool="average"
    )
    torch.testing.assert_close(prepared(x), F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2))
    with pytest.raises(iso.ConversionError, match="padded with -inf"):
        iso.prepare(nn.Sequential(nn.ReLU(), Below(2, 2)), pool="average")


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.MaxPool2d(2)])
def test_a_forward_that_was_replaced_on_the_object_is_refused(layer):
    layer.forward = MethodType(lambda self, x: -x, layer)
    with pytest.raises(iso.ConversionError, match=r"1\. 1.*replaced on the object"):
        iso.prepare(nn.Sequential(nn.ReLU(), layer), pool="average")
