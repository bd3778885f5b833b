"""A recipe is a value: named parts, typed knobs, and what has no meaning is refused at once."""

import dataclasses
import json
import sys

import pytest

import isospike as iso
from abuse.untouched import untouched
from isospike.fit.bias import BiasMatch, HalfShift
from isospike.fit.neuron_search import NeuronSearch
from isospike.fit.neurons import Binary
from isospike.fit.potentials import Constant
from isospike.fit.thresholds import Max, Percentile
from isospike.fit.weights import WeightRefit
from isospike.recipe import Recipe
from isospike.schedule import Separated
from isospike.units.coders import IFCoder
from zoo.tiny import images, plain


def test_a_recipe_is_frozen_and_compared_by_value():
    recipe = iso.recipe("iso")
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.pool = "average"
    assert recipe == iso.recipe("iso")
    assert recipe != iso.recipe("iso", {"bias.passes": 2})
    assert {recipe: 1}[iso.recipe("iso")] == 1


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("rueckauer", {"threshold.p": "99.5"}, {"threshold.p": 99.5}),
        ("rueckauer", {"threshold.p": 99}, {"threshold.p": 99.0}),
        ("rueckauer", {"threshold.nonzero": "false"}, {"threshold.nonzero": False}),
        ("rueckauer", {"threshold.grain": "channel"}, {"threshold.grain": "channel"}),
        ("iso", {"bias.passes": "2"}, {"bias.passes": 2}),
        ("iso", {"bias": "none"}, {"bias": None}),
        ("iso", {"search": "none"}, {"search": None}),
        ("opi", {"search": "neuron"}, {"search": "neuron"}),
        ("iso", {"weights": "none", "shift": "half"}, {"weights": None, "shift": "half"}),
        ("opi", {"weights": "refit"}, {"weights": "refit"}),
        ("opi", {"pool": "average"}, {"pool": "average"}),
        ("opi", {"potential": "zero"}, {"potential.value": 0.0}),
        ("opi", {"neuron.reset": "hard"}, {"neuron.reset": "hard"}),
        ("ic-snn", {"coder.compensate": False}, {"coder.compensate": False}),
        ("ic-snn", {"coder.compensate": "0"}, {"coder.compensate": False}),
        ("ic-snn", {"coder": "direct"}, {"coder": "direct"}),
        ("spikeconverter", {"schedule.k": "1.25"}, {"schedule.k": 1.25}),
        ("spikeconverter", {"schedule.extra": 2}, {"schedule.extra": 2}),
        ("rmp", {"threshold": "mmse"}, {"threshold": "mmse"}),
    ],
)
def test_knobs_take_values_and_their_texts(name, settings, expected):
    found = iso.recipe(name, settings).settings()
    for key, value in expected.items():
        assert found.get(key) == value
        assert value is None or type(found[key]) is type(value)
    assert iso.recipe(name).settings() != found  # and the recipe of the list stays as it is


def test_settings_are_data():
    for name in iso.recipes():
        settings = iso.recipe(name).settings()
        assert json.loads(json.dumps(settings)) == settings


@pytest.mark.parametrize("name", iso.recipes())
def test_settings_are_what_set_takes(name):
    found = iso.recipe(name)
    assert iso.recipe(name, found.settings()) == found


def test_a_part_of_the_users_own_is_told_by_its_class():
    class Mine(Max):
        pass

    assert iso.Recipe("mine", threshold=Mine()).settings()["threshold"] == "Mine"


def test_the_order_of_settings_does_not_matter():
    both = {"schedule": "separated", "pool": "exact", "schedule.k": 1.5}
    backwards = dict(reversed(both.items()))
    assert iso.recipe("opi", both) == iso.recipe("opi", backwards)
    assert iso.recipe("opi", both).schedule == Separated(1.5)
    back = {"pool": "gated", "schedule": "synchronous"}
    assert iso.recipe("spikeconverter", back).pool == "gated"


def test_calibrators_keep_their_places():
    one = iso.recipe("iso", {"weights.ridge": 0.5})
    assert [part.key for part in one.calibrators] == ["weights", "search", "bias"]
    assert one.calibrators[0] == WeightRefit(ridge=0.5)
    other = iso.recipe("iso", {"weights": "none"})
    assert other.calibrators == (NeuronSearch(), BiasMatch(passes=1))
    assert iso.recipe("rts", {"bias": "match"}).calibrators == (HalfShift(), BiasMatch())


UNKNOWN = {
    "part": ({"treshold.p": 99}, r"unknown part 'treshold': did you mean 'threshold'\?"),
    "knob": ({"threshold.pp": 99}, r"unknown knob of threshold 'pp': did you mean 'p'\?"),
    "member": ({"threshold": "mmsee"}, r"unknown threshold 'mmsee': did you mean 'mmse'\?"),
    "no such member": ({"coder": "morse"}, r"one of direct, bernoulli, if"),
    "a calibrator that is not there": ({"bias.passes": 3}, r"unknown part 'bias'"),
    "the name": ({"name": "mine"}, r"unknown part 'name'"),
    "code": ({"__class__.__init__": 1}, r"unknown part"),
    "nothing": ({"": 1}, r"unknown part ''"),
    "no knobs": ({"coder.seed": 1}, r"unknown knob of coder 'seed': one of none"),
}


@pytest.mark.parametrize(("settings", "told"), UNKNOWN.values(), ids=UNKNOWN)
def test_the_unknown_is_told_with_the_nearest_known(settings, told):
    with pytest.raises(iso.UsageError, match=told):
        iso.recipe("opi", settings)


def test_an_unknown_recipe_is_told_with_the_nearest_known():
    with pytest.raises(iso.UsageError, match="did you mean 'spikeconverter'"):
        iso.recipe("spike-converter")
    with pytest.raises(iso.UsageError, match=f"one of {', '.join(iso.recipes())}"):
        iso.recipe("zzz")


WRONG = {
    "a text for a number": ("opi", {"threshold.p": "most"}),
    "a fraction for a whole number": ("iso", {"bias.passes": 2.7}),
    "a truth value for a number": ("iso", {"bias.passes": True}),
    "a number for a truth value": ("ic-snn", {"coder.compensate": 2}),
    "a text for a truth value": ("ic-snn", {"coder.compensate": "perhaps"}),
    "NaN": ("opi", {"potential.value": "nan"}),
    "infinite": ("iso", {"bias.passes": float("inf")}),
    "a list": ("opi", {"threshold.p": [99]}),
    "nothing": ("opi", {"threshold.p": None}),
    "percentile 0": ("opi", {"threshold.p": 0}),
    "percentile above 100": ("opi", {"threshold.p": 100.1}),
    "grain": ("opi", {"threshold.grain": "pixel"}),
    "potential above the threshold": ("opi", {"potential.value": 1.5}),
    "a bound for spikes that are taken back": ("ca-lif", {"threshold": "weight-sum"}),
    "no transfer in closed form": ("differential", {"potential": "ann"}),
    "steps of the search": ("rts", {"threshold": "spike-max"}),
    "ridge": ("iso", {"weights.ridge": -1}),
    "no rows": ("iso", {"weights.rows": 0}),
    "passes": ("iso", {"bias.passes": -1}),
    "step 0": ("iso", {"threshold.step": 0}),
    "alpha": ("rmp", {"threshold.alpha": 0}),
    "reading": ("ic-snn", {"potential.reading": "median"}),
    "mode": ("ic-snn", {"potential.mode": "all"}),
    "seed": ("opi", {"coder": "bernoulli", "coder.seed": -1}),
    "k above 2": ("spikeconverter", {"schedule.k": 2.5}),
    "k below 1": ("spikeconverter", {"schedule.k": "0.5"}),
    "extra": ("spikeconverter", {"schedule.extra": -1}),
    "extra beyond the grid": ("spikeconverter", {"schedule.extra": 52}),
    "pool": ("opi", {"pool": "median"}),
    "reset": ("opi", {"neuron.reset": "never"}),
    "hard reset and separation": ("spikeconverter", {"neuron.reset": "hard"}),
    "gated pool and separation": ("spikeconverter", {"pool": "gated"}),
    "pre-neuron pool and separation": ("spikeconverter", {"pool": "pre-neuron"}),
    "coder and separation": ("spikeconverter", {"coder": "if"}),
    "learned potential and separation": ("spikeconverter", {"potential": "training-set"}),
    "largest spike drive and separation": ("spikeconverter", {"threshold": "spike-max"}),
}


@pytest.mark.parametrize(("name", "settings"), WRONG.values(), ids=WRONG)
def test_what_has_no_meaning_is_refused_before_any_work(name, settings, monkeypatch):
    def work(*args):
        raise AssertionError("work was begun")

    # By module: the package has a function of that name.
    monkeypatch.setattr(sys.modules["isospike.convert"], "rewrite", work)
    model = plain()
    for call in (
        lambda: iso.recipe(name, settings),
        lambda: iso.convert(model, images(), 4, name, settings=settings),
    ):
        with untouched(model), pytest.raises(iso.UsageError):
            call()


def test_every_problem_is_told_at_once():
    with pytest.raises(iso.UsageError) as error:
        Recipe(
            "mine", Percentile(200.0, grain="pixel"), Constant(-1.0), Binary("hard"),
            (BiasMatch(passes=-1),), IFCoder(), Separated(3.0), "median",
        )  # fmt: skip
    for told in (
        "'mine'", "threshold.p must be", "threshold.grain must be layer or channel",
        "potential.value", "bias.passes", "pool must be one of gated", "k in [1, 2]",
        "resets softly", "coder direct",
    ):  # fmt: skip
        assert told in str(error.value)


def test_what_depends_on_the_number_of_steps():
    depends = {name for name in iso.recipes() if iso.recipe(name).depends_on_steps}
    assert depends == {
        "adafire", "dual-phase", "fast-snn", "fs-neurons", "ftbc", "hu-resnet", "hybrid", "ic-snn",
        "iso", "iso-tuned", "parallel", "plif", "rts", "snnc-advanced", "snnc-light",
        "spikeconverter", "stbp", "t2fsnn",
    }  # fmt: skip
    assert not iso.recipe("ic-snn", {"potential": "half", "threshold": "percentile"}).needs_drive
    # The coder takes its remainder when it runs; nothing of it is fitted.
    plain = iso.recipe("ic-snn", {"potential": "half", "threshold": "percentile"})
    assert not plain.depends_on_steps
    assert not plain.coder.anytime


def test_the_hardware_class_is_the_largest_of_the_parts():
    classes = {name: iso.recipe(name).hardware_class for name in iso.recipes()}
    assert classes["iso"] == classes["opi"] == classes["rueckauer"] == "H0"
    assert classes["spikeconverter"] == "H3"
    assert classes["ic-snn"] == "H4"
    assert iso.recipe("ic-snn", {"coder.compensate": False}).hardware_class == "H0"


def test_a_recipe_of_ones_own():
    mine = Recipe("mine", Max("channel"), Constant(0.25))
    snn = iso.convert(plain(), images(), 4, mine, settings={"potential.value": 0.75})
    assert snn.recipe == "mine"
    assert float(snn.program.units["act1"].v0) == 0.75
    assert snn.provenance["settings"]["threshold.grain"] == "channel"


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("iso", {"schedule": "settled"}, "neuron=signed"),
        ("ca-lif", {"schedule": "probed"}, "a probe knows the plain neuron"),
        ("parallel", {"drift": "match"}, "no drive of one step for StepBias"),
        ("opi", {"caps": "search"}, "neuron=burst"),
        ("burst", {"tune": "distill"}, "tuning knows binary neurons"),
    ],
)
def test_combinations_without_a_meaning(name, settings, told):
    with pytest.raises(iso.UsageError, match=told):
        iso.recipe(name, settings)
