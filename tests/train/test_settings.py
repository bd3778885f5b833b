"""Settings: checked whole, one learning rate a step, the authors' presets by name."""

import json
import math

import pytest

from isospike.errors import UsageError
from isospike.methods import nq, qcfs
from isospike.train.settings import PRESETS, Settings, preset, trained_with
from isospike.zoo import architectures


@pytest.mark.parametrize("total", [2, 10, 12, 1000])
def test_the_rate_rises_to_its_peak_and_falls_to_nothing(total):
    settings = Settings(lr=0.3, warmup=0.2)
    rates = [settings.rate(step, total) for step in range(total)]
    peak = rates.index(max(rates))
    assert max(rates) <= 0.3
    assert max(rates) == pytest.approx(0.3)
    assert abs(peak - 0.2 * total) <= 1
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert settings.rate(total, total) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("warmup", [0.01, 0.2, 0.5, 0.77, 1.0])
def test_no_rate_is_above_the_peak(warmup):
    settings = Settings(lr=0.3, warmup=warmup)
    for total in range(1, 60):
        rates = [settings.rate(step, total) for step in range(total)]
        assert 0 < min(rates) <= max(rates) == pytest.approx(0.3, rel=1 / 60)
        assert max(rates) <= 0.3 * (1 + 1e-15)  # rounding of the last step of a whole rise


@pytest.mark.parametrize("total", [5, 20, 9360])
@pytest.mark.parametrize("lr", [0.05, 0.3])
def test_a_whole_warm_up_has_the_rates_it_always_had(total, lr):
    settings = Settings(lr=lr, warmup=0.2)
    rise = total // 5
    for step in range(total):
        fall = lr * 0.5 * (1 + math.cos(math.pi * (step - rise) / (total - rise)))
        assert settings.rate(step, total) == (lr * (step + 1) / rise if step < rise else fall)


def test_without_warmup_the_first_rate_is_the_peak():
    assert Settings(lr=0.1, warmup=0.0).rate(0, 100) == pytest.approx(0.1)


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(UsageError) as caught:
        Settings(epochs=0, lr=float("nan"), noise_grain="pixel", residual=(0,), average=1.0)
    for name in ("epochs", "lr", "noise_grain", "residual", "average"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"momentum": 0.0}, "nesterov=false"),
        ({"momentum": 1.0}, "momentum must be below 1"),
        ({"momentum": -0.1}, "momentum must be 0.0 to 1.0, got -0.1"),
        ({"label_smoothing": 2.0}, "label_smoothing must be 0.0 to 1.0, got 2.0"),
        ({"lr": math.inf}, "lr must be at least 0.0 and finite, got inf"),
        ({"warmup": 1.5}, "warmup must be"),
        ({"pool": "max"}, "pool must be one of keep, average, got 'max'"),
        ({"activation": "qfcs"}, "activation must be one of relu, .*got 'qfcs'"),
        ({"activation": "qfcs", "rate_loss": 1.0}, "activation must be one of"),
    ],
)
def test_a_value_without_a_meaning_is_refused(changes, message):
    with pytest.raises(UsageError, match=message):
        Settings(**changes)


def test_the_ends_of_the_ranges_train():
    Settings(momentum=0.0, nesterov=False, label_smoothing=1.0, warmup=1.0, lr=0.0, levels=0)


@pytest.mark.parametrize("steps", [(0,), (0, 0), (-1, 2)])
def test_a_residual_needs_steps(steps):
    with pytest.raises(UsageError, match="residual must be steps"):
        Settings(residual=steps)


def test_settings_survive_json():
    settings = Settings(residual=(0, 1, 2), lr=0.05, levels=4)
    again = trained_with(json.loads(json.dumps(settings.to_json())))
    assert Settings(**again) == settings


@pytest.mark.parametrize(
    "refused",
    [{"average": 1.0}, {"warmup": 1.5}, {"clip": -1.0}, {"activation": "gone", "levels": 4}],
)
def test_what_has_trained_is_told_though_it_is_refused_by_now(refused):
    with pytest.raises(UsageError):
        Settings(**refused)
    assert trained_with({**refused, "unknown": 1}) == {**Settings().to_json(), **refused}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_name_networks_of_the_zoo(name):
    model, settings = preset(name)
    assert model.removeprefix("zoo:") in architectures()
    assert name.startswith(settings.activation)
    assert settings.pool == "average"
    assert settings.average == 0  # the papers keep the weights themselves


# epochs, lr, weight decay, batch, L
AUTHORS = {
    "nq-cifar10-vgg16": (400, 0.05, 5e-4, 256, 4),
    "nq-cifar10-resnet18": (400, 0.05, 5e-4, 256, 4),
    "nq-cifar10-resnet20": (400, 0.05, 5e-4, 256, 4),
    "nq-cifar100-vgg16": (400, 0.05, 5e-4, 128, 4),
    "nq-cifar100-resnet18": (400, 0.05, 5e-4, 100, 4),
    "nq-cifar100-resnet20": (400, 0.05, 5e-4, 100, 4),
    "qcfs-cifar10-vgg16": (300, 0.1, 5e-4, 300, 4),
    "qcfs-cifar10-resnet18": (300, 0.1, 5e-4, 300, 4),
    "qcfs-cifar10-resnet20": (300, 0.1, 5e-4, 300, 4),
    "qcfs-cifar100-vgg16": (300, 0.05, 5e-4, 300, 4),
    "qcfs-cifar100-resnet18": (300, 0.05, 5e-4, 300, 4),
    "qcfs-cifar100-resnet20": (300, 0.05, 5e-4, 300, 8),
}


def test_each_network_of_the_papers_tables_has_its_preset():
    """But for CIFARNet, which the zoo has not."""
    assert set(PRESETS) == {
        f"{method}-{claim['data']}-{claim['network']}".lower().replace("-1", "1").replace("-2", "2")
        for method, claims in (("nq", nq.CLAIMS), ("qcfs", qcfs.CLAIMS))
        for claim in claims
        if claim["known"] == "paper" and claim["network"] != "CIFARNet"
    }


def test_presets_are_the_settings_of_the_authors_code():
    found = {
        name: (s.epochs, s.lr, s.weight_decay, s.batch, s.depth) for name, (_, s) in PRESETS.items()
    }
    assert found == AUTHORS


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'nq-cifar10-vgg16'"):
        preset("nq-cifar10-vgg")
