"""Models that nobody would write on purpose: captured as what they compute, or refused with a place."""

import types

import pytest
import torch
from torch import nn

import isospike as iso
from abuse.untouched import untouched
from zoo.tiny import images, plain

IMAGES = images(4)


class Sequence(nn.Module):
    """A layer over rows of [B, 2, 64], its first output."""

    def __init__(self, layer: nn.Module, **options) -> None:
        super().__init__()
        self.layer, self.options = layer, options

    def forward(self, x):
        x = x.flatten(2)
        x = (x, x, x) if isinstance(self.layer, nn.MultiheadAttention) else (x,)
        return self.layer(*x)[0].flatten(1)


class OtherQCFS(nn.Module):
    """A quantised activation of another codebase."""

    def __init__(self) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return (torch.clamp(x / self.threshold, 0, 1) * 4 + 0.5).floor() / 4 * self.threshold


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 128, dtype=torch.complex64))

    def forward(self, x):
        return (x.flatten(1) @ self.weight.T).abs()


REFUSED = {
    "LSTM": (lambda: Sequence(nn.LSTM(64, 4, batch_first=True)), "lstm"),
    "GRU": (lambda: Sequence(nn.GRU(64, 4, batch_first=True)), "gru"),
    "attention": (lambda: Sequence(nn.MultiheadAttention(64, 4, batch_first=True)), "batch"),
    "an activation of another codebase": (
        lambda: nn.Sequential(nn.Conv2d(2, 3, 3), OtherQCFS()), "floor"
    ),
    "complex weights": (Complex, "complex"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "told"), REFUSED.values(), ids=REFUSED)
def test_every_finding_has_a_place_a_reason_and_a_way_out(make, told):
    model = make().eval()
    with untouched(model, IMAGES):
        plan = iso.plan(model, "opi", IMAGES)
    assert not plan.ok
    assert any(told in finding.what for finding in plan.problems)
    for finding in plan.problems:
        assert finding.site
        assert finding.line or finding.what.startswith("complex")
        assert finding.why
        assert finding.fix
    with untouched(model, IMAGES), pytest.raises(iso.ConversionError):
        iso.convert(model, IMAGES, 4, "opi")


def test_a_forward_that_was_replaced_is_what_is_captured():
    model = plain()
    model.forward = types.MethodType(lambda self, x: type(self).forward(self, x) * 2 + 1, model)
    with untouched(model, IMAGES):
        plan = iso.plan(model, "opi", IMAGES)
    assert plan.ok
    expected = plain()(IMAGES) * 2 + 1
    found = iso.convert(plan, IMAGES, 512)(IMAGES)
    torch.testing.assert_close(found, expected.detach(), rtol=0, atol=0.05)


def test_an_empty_network_is_told_and_is_the_identity():
    with pytest.warns(UserWarning, match="nothing to convert"):
        snn = iso.convert(nn.Sequential(), IMAGES, 4, "opi")
    assert torch.equal(snn(IMAGES), IMAGES)
