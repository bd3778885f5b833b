"""Networks of timm and transformers by name."""

from __future__ import annotations

import sys

import pytest
import torch

import isospike as iso
from isospike.zoo.libraries import from_spec, weighted
from zoo import fakes
from zoo.tiny import images, plain

X = images(8)


def test_weights_of_timm_come_with_their_normalisation(monkeypatch):
    fakes.timm(monkeypatch)
    mean, std = (torch.tensor(fakes.CFG[key]).reshape(-1, 1, 1) for key in ("mean", "std"))
    model = from_spec("timm:tiny")
    torch.testing.assert_close(model(X), plain()((X - mean) / std))
    assert not model.training
    assert iso.plan(model, "opi", X).ok


def test_random_weights_only_when_asked_for(monkeypatch):
    fakes.timm(monkeypatch, online=False)
    fakes.transformers(monkeypatch)
    for name in ("timm:tiny", "hf:someone/tiny"):
        torch.testing.assert_close(from_spec(f"{name}?pretrained=false")(X), fakes.random()(X))
    with pytest.raises(iso.UsageError, match=r"--weights .*timm:tiny\?pretrained=false"):
        from_spec("timm:tiny")
    with pytest.raises(iso.UsageError, match="publishes no weights"):
        from_spec("timm:tiny_old")
    fakes.transformers(monkeypatch, online=False)
    with pytest.raises(
        iso.UsageError, match=r"couldn't connect .*hf:someone/tiny\?pretrained=false"
    ):
        from_spec("hf:someone/tiny")


def test_logits_of_transformers(monkeypatch):
    calls = fakes.transformers(monkeypatch)
    model = from_spec("hf:someone/tiny")
    torch.testing.assert_close(model(X), plain()(X))
    assert iso.plan(model, "opi", X).ok
    assert set(weighted(model).state_dict()) == {f"net.{k}" for k in plain().state_dict()}
    from_spec("hf:someone/tiny?pretrained=false")
    assert [how.get("trust_remote_code") for how in calls] == [False, False, False]
    assert calls[0]["use_safetensors"] is True


def test_an_unknown_name_has_neighbours(monkeypatch):
    fakes.timm(monkeypatch)
    with pytest.raises(iso.UsageError, match=r"no network 'tinny'$"):
        from_spec("timm:tinny")
    with pytest.raises(iso.UsageError, match=r"perhaps tiny, tiny_old, tiny\.v1"):
        from_spec("timm:tiny2")


@pytest.mark.parametrize("spec", ["timm:", "timm:tiny?weights=no", "hf:tiny?", "zoo:tiny", "hf:"])
def test_a_spec_that_says_something_else(monkeypatch, spec):
    fakes.timm(monkeypatch)
    with pytest.raises(iso.UsageError, match=r"expected timm:NAME or hf:NAME"):
        from_spec(spec)


@pytest.mark.parametrize(("spec", "name"), [("timm:tiny", "timm"), ("hf:tiny", "transformers")])
def test_a_library_that_is_not_there(monkeypatch, spec, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(iso.UsageError, match=f"pip install {name}"):
        from_spec(spec)
