"""Planning and converting as a user does it; every refusal leaves the source network alone."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import isospike as iso
from abuse.untouched import untouched
from zoo.tiny import Refused, converted, images, labels, plain, residual, settled

IMAGES = images()


def weights(snn):
    """Every number of a network by its name."""
    program = snn.program
    found = {f"graph {key}": tensor for key, tensor in program.graph.tensors.items()}
    for name, unit in program.units.items():
        found |= {
            f"{name} {key}": v for key, v in vars(unit).items() if isinstance(v, torch.Tensor)
        }
    return found


def same(one, other):
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert one.provenance["calibration_sha256"] == other.provenance["calibration_sha256"]


def test_the_story_of_the_user(tmp_path):
    # With a generator of its own: a DataLoader draws a number from torch's at every pass.
    own = torch.Generator()
    model, loader = plain(), DataLoader(TensorDataset(IMAGES, labels()), 8, generator=own)
    with untouched(model, IMAGES):
        plan = iso.plan(model, recipe="snnc-light", example=IMAGES)
        snn = iso.convert(plan, calibration=loader, steps=8)
        out = snn(IMAGES)
        curve = iso.evaluate(snn, loader, steps=[1, 2, 4, 8])
        where = iso.audit(snn, IMAGES)
        snn.save(tmp_path / "tiny.iso")
    assert plan.ok
    assert "act1" in str(plan)
    assert isinstance(snn, nn.Module)
    assert out.shape == (24, 3)
    assert [row.steps for row in curve.rows] == [1, 2, 4, 8]
    assert "conservation" in str(where)
    assert torch.equal(iso.load(tmp_path / "tiny.iso")(IMAGES), out)


def test_a_plan_lists_every_problem_and_convert_raises_them():
    model = settled(Refused())
    with untouched(model):
        plan = iso.plan(model, "opi", IMAGES)
        with pytest.raises(iso.ConversionError) as error:
            iso.convert(plan, IMAGES, 4)
    assert not plan.ok
    assert error.value.findings == plan.problems
    for problem, what in zip(plan.problems, ("gelu", "sigmoid", "product"), strict=True):
        assert what in problem.what
        assert problem.site
        assert problem.why
        assert problem.fix
        assert what in str(error.value)
        assert what in str(plan)
    assert [p.line.partition(":")[0] for p in plan.problems[1:]] == ["tiny.py"] * 2


def test_two_plans_of_one_model_are_equal_but_for_what_they_learn():
    one, two = (iso.plan(plain(), "opi", IMAGES) for _ in range(2))
    assert str(one) == str(two)
    assert one.recipe == two.recipe
    assert one.graph.nodes == two.graph.nodes


@pytest.mark.parametrize("where", ["conv1.weight", "fc.bias"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_told_with_their_place(where, value):
    model = plain()
    parameter = dict(model.named_parameters())[where]
    with torch.no_grad():
        parameter[1] = value
    with untouched(model), pytest.raises(iso.ConversionError) as error:
        iso.convert(model, IMAGES, 4, "opi")
    told = [finding for finding in error.value.findings if finding.site == where]
    assert len(told) == 1
    assert f"{parameter[1].numel()} values are NaN or infinite" in told[0].what
    assert str([1] + [0] * (parameter.dim() - 1)) in told[0].why


def test_a_spiking_network_is_not_converted_again():
    with pytest.raises(iso.ConversionError, match="already a SpikingNetwork"):
        iso.convert(converted(), IMAGES, 4)


def test_without_an_example_or_images_there_is_no_conversion():
    with pytest.raises(iso.ConversionError, match="example=images"):
        iso.plan(plain(), "opi")
    with pytest.raises(iso.ConversionError, match="calibration=loader"):
        iso.convert(iso.plan(plain(), "opi", IMAGES), None, 4)


@pytest.mark.parametrize("steps", [0, -1, 1.5, True, "4", None, 10**8, [4, 8]])
def test_steps_that_are_no_steps(steps):
    model = plain()
    with untouched(model), pytest.raises(iso.UsageError, match="steps must be"):
        iso.convert(model, IMAGES, steps, "opi")


# --- the calibration images ----------------------------------------------------------------------


FORMS = {
    "a tensor": lambda x, y: x,
    "an array": lambda x, y: x.numpy(),
    "a list of batches": lambda x, y: list(x.split(7)),
    "batches of one": lambda x, y: list(x.split(1)),
    "other sizes": lambda x, y: list(x.split([5, 1, 11, 7])),
    "a generator": lambda x, y: (part for part in x.split(5)),
    "images and labels": lambda x, y: list(zip(x.split(6), y.split(6), strict=True)),
    "dicts": lambda x, y: [{"image": x[:9], "label": y[:9]}, {"pixel_values": x[9:]}],
    "arrays and lists": lambda x, y: [(x[:9].numpy(), y[:9].tolist()), [x[9:], None]],
    "a loader": lambda x, y: DataLoader(TensorDataset(x, y), batch_size=10),
    "the other way round": lambda x, y: x.flip(0),
    "shuffled": lambda x, y: DataLoader(
        TensorDataset(x, y), 4, True, generator=torch.Generator().manual_seed(3)
    ),
    "no shape in memory": lambda x, y: list(x.to(memory_format=torch.channels_last).split(8)),
    "with a gradient": lambda x, y: x.clone().requires_grad_(),
}


@pytest.fixture(scope="module")
def plan():
    return iso.plan(plain(), "iso", IMAGES)


@pytest.fixture(scope="module")
def reference(plan):
    return iso.convert(plan, IMAGES, 4)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_form_order_and_batches_of_the_images_change_no_bit(plan, reference, form):
    before = IMAGES.clone()
    same(iso.convert(plan, form(IMAGES, labels()), 4), reference)
    assert torch.equal(IMAGES, before)


def test_whole_bytes_are_pixels_of_0_to_1(plan):
    pixels = (IMAGES * 255).round().byte()
    same(iso.convert(plan, pixels, 4), iso.convert(plan, pixels.float() / 255, 4))
    same(iso.convert(plain(), pixels, 4), iso.convert(plan, pixels, 4))


def test_a_read_only_file_in_memory_is_only_read(plan, reference, tmp_path):
    np.save(tmp_path / "x.npy", IMAGES.numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    same(iso.convert(plan, mapped, 4), reference)
    assert np.array_equal(mapped, IMAGES.numpy())


def test_labels_are_not_needed_and_are_not_read(plan, reference):
    class Locked:
        def __getattr__(self, name):
            raise AssertionError("the labels were read")

    same(iso.convert(plan, [(IMAGES, None)], 4), reference)
    swapped = [(IMAGES, labels().flip(0))]
    same(iso.convert(plan, swapped, 4), reference)
    with pytest.raises(AssertionError):
        len(Locked().shape)


def test_only_the_calibration_images_are_seen(plan):
    other = iso.convert(plan, IMAGES[:12], 4)
    assert other.provenance["calibration_size"] == 12
    own = iso.convert(iso.plan(plain(), "iso", IMAGES[12:]), IMAGES[:12], 4)
    same(own, other)  # neither the example nor images seen before leave a trace


def test_a_plan_remembers_its_images_for_another_number_of_steps():
    plan = iso.plan(plain(), "iso", IMAGES)
    first = iso.convert(plan, IMAGES, 4)
    again = iso.convert(plan, None, 8)
    assert again.provenance["converted_for"] == 8
    assert again.provenance["calibration_sha256"] == first.provenance["calibration_sha256"]
    same(again, iso.convert(plain(), IMAGES, 8))


def broken(at, value):
    parts = [part.clone() for part in IMAGES.split(6)]
    parts[at][2, 1, 3, 4] = value
    return parts


def raising(error):
    yield IMAGES[:4]
    raise error


REFUSED = {
    "nothing": (lambda: [], r"0 batches"),
    "a used generator": (lambda: iter(()), r"used up"),
    "no images in any batch": (lambda: [IMAGES[:0]], r"0 batches with images, 1 of size 0"),
    "NaN": (lambda: broken(2, torch.nan), r"batch 2: 1 values are NaN or Inf.*\[2, 1, 3, 4\]"),
    "infinite": (lambda: broken(0, torch.inf), r"batch 0: 1 values"),
    "channels": (lambda: [IMAGES, IMAGES[:, :1]], r"batch 1.*\[24, 1, 8, 8\].*\[B, 2, 8, 8\]"),
    "size": (lambda: [IMAGES[..., :7]], r"\[24, 2, 8, 7\].*\[B, 2, 8, 8\]"),
    "no batch dimension": (lambda: [IMAGES[0]], r"\[2, 8, 8\].*\[B, 2, 8, 8\]"),
    "rank": (lambda: [IMAGES.flatten(1)], r"\[24, 128\].*\[B, 2, 8, 8\]"),
    "two keys": (lambda: [{"image": IMAGES, "x": IMAGES}], r"'image', 'x'"),
    "no key": (lambda: [{"picture": IMAGES}], r"picture"),
    "text": (lambda: "images", r"calibration is a str"),
    "a list of lists": (lambda: [[[0.5, 0.25]]], r"batch 0"),
    "complex": (lambda: [IMAGES.to(torch.complex64)], r"complex"),
    "whole numbers": (lambda: [IMAGES.long()], r"int64"),
}


@pytest.mark.filterwarnings("ignore:calibration batch 0 has no images")
@pytest.mark.parametrize(("data", "told"), REFUSED.values(), ids=REFUSED)
def test_images_that_cannot_be_used(plan, data, told):
    model = plain()
    known = dict(plan.fitted)
    with untouched(model, IMAGES), pytest.raises(iso.DataError, match=told):
        iso.convert(plan, data(), 4)
    assert plan.fitted == known  # nothing of a refused set is kept


def test_images_that_cannot_be_used_without_a_plan():
    model = plain()
    with untouched(model), pytest.raises(iso.DataError, match="batch 0"):
        iso.convert(model, broken(0, torch.nan), 4)
    with untouched(model), pytest.raises(iso.DataError, match="0 batches"):
        iso.convert(model, [], 4)


def test_a_batch_without_images_is_skipped_and_told(plan, reference):
    with pytest.warns(UserWarning, match="batch 1 has no images"):
        snn = iso.convert(plan, [IMAGES[:10], IMAGES[:0], IMAGES[10:]], 4)
    same(snn, reference)


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt(), ZeroDivisionError()])
def test_an_error_of_the_loader_comes_out_as_it_is(plan, reference, error):
    model = plain()
    with untouched(model, IMAGES), pytest.raises(type(error)) as raised:
        iso.convert(plan, raising(error), 4)
    assert raised.value is error
    same(iso.convert(plan, IMAGES, 4), reference)


def test_a_number_that_overflows_is_told_with_its_site(plan):
    worst = torch.zeros(2, 2, 8, 8)
    worst[0, :, 2:5, 2:5] = 3e38 * plain().conv1.weight[0].detach().sign()
    worst[1] = -worst[0]
    with pytest.raises(iso.DataError, match=r"act1 .*becomes NaN or infinite"):
        iso.convert(plan, [IMAGES, worst], 4)


def test_pixels_that_were_not_divided_by_255_are_told_of(plan):
    with pytest.warns(UserWarning, match=r"look unscaled: mean 1\d\d, largest 255"):
        iso.convert(plan, (IMAGES * 255).round(), 4)
    standard = (IMAGES - IMAGES.mean()) / IMAGES.std()
    iso.convert(plan, standard, 4)  # warnings are errors: none here


def outlier(size: float):
    """One pixel of one image of 600: less than one activation of a thousand."""
    x = images(600)
    x[0, 0, 3, 3] = size
    return x


def test_one_outlier_that_sets_a_threshold_is_told_of():
    with pytest.warns(UserWarning, match=r"largest activation is \d+ times") as told:
        snn = iso.convert(plain(), outlier(1e6), 4, "diehl2015", IMAGES)
    assert [str(each.message).partition(":")[0] for each in told] == ["act1", "act2"]
    assert float(snn.program.units["act1"].theta) > 1e4


def test_a_percentile_leaves_an_outlier_out():
    model, per_mille = plain(), {"threshold": "percentile", "threshold.p": 99.0}
    whole = iso.convert(model, outlier(0.5), 4, "rts", IMAGES, per_mille)
    other = iso.convert(model, outlier(50.0), 4, "rts", IMAGES, per_mille)
    for site, unit in whole.program.units.items():
        assert float(other.program.units[site].theta) < 1.5 * float(unit.theta)


# --- sites that never fire -----------------------------------------------------------------------


def test_a_site_that_is_never_active_is_told_and_gets_threshold_1():
    model = plain()
    with torch.no_grad():
        model.conv2.bias.fill_(-100)
    with untouched(model), pytest.warns(UserWarning, match="act2: never active"):
        snn = iso.convert(model, IMAGES, 4, "iso")
    assert (snn.program.units["act2"].theta == 1).all()
    run = snn.run(IMAGES, 4)
    assert run.outputs[4].isfinite().all()
    assert not run.counts["act2"][4].any()


@pytest.mark.parametrize("recipe", ["iso", "snnc-light", "spikeconverter"])
def test_one_channel_that_is_never_active_divides_nothing_by_zero(recipe):
    model = plain()
    with torch.no_grad():
        model.conv2.bias[1] = -100
    snn = iso.convert(model, IMAGES, 4, recipe)
    theta = snn.program.units["act2"].theta
    assert theta.numel() == 4
    assert (theta > 0).all()
    assert theta.isfinite().all()
    run = snn.run(IMAGES, 4)
    assert run.outputs[4].isfinite().all()
    assert not run.counts["act2"][4][1].any()
    assert run.counts["act2"][4].any()


def test_a_model_without_activations_is_told():
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(128, 3)))
    with pytest.warns(UserWarning, match="nothing to convert"):
        snn = iso.convert(model, IMAGES, 4)
    torch.testing.assert_close(snn(IMAGES), model(IMAGES).detach(), rtol=1e-6, atol=1e-6)


# --- number types and other models ---------------------------------------------------------------


def test_a_double_model_gives_a_double_network():
    model = plain().double()
    with untouched(model):
        snn = iso.convert(model, IMAGES, 64, "opi")
    out = snn(IMAGES.double())
    assert out.dtype == torch.float64
    torch.testing.assert_close(out, model(IMAGES.double()).detach(), rtol=0, atol=0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_narrow_model_is_converted_in_float32(dtype):
    model = plain().to(dtype)
    with untouched(model):
        snn = iso.convert(model, IMAGES, 4)
    same(snn, iso.convert(plain().to(dtype).float(), IMAGES, 4))


def test_batch_norm_in_training_mode_is_told_and_left_so():
    model = plain().train()
    with untouched(model):
        plan = iso.plan(model, "opi", IMAGES)
    assert any("bn1: batch norm was in train mode" in note for note in plan.notes)
    same(iso.convert(plan, IMAGES, 4), iso.convert(plain(), IMAGES, 4, "opi"))


def test_average_pooling_instead_of_the_largest_is_told_with_its_change():
    model = plain(nn.MaxPool2d(2))
    plan = iso.plan(model, "opi", IMAGES, {"pool": "average"})
    assert any(note.startswith("max-pool became average-pool") for note in plan.notes)
    gated = iso.plan(model, "opi", IMAGES)
    assert not gated.notes
    torch.testing.assert_close(plan.original().tensors, gated.graph.tensors)


def test_one_activation_module_called_twice_is_two_sites():
    snn = iso.convert(residual(), IMAGES, 4)
    assert sorted(snn.program.units) == ["act", "act@1", "relu"]


def test_nothing_is_warned_of_an_ordinary_model():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        iso.convert(plain(), IMAGES, 4)


def test_progress_names_every_site_and_ends(plan):
    told = []
    iso.convert(
        plan, IMAGES, 4, progress=lambda what, done, total: told.append((what, done, total))
    )
    assert told == [("iso, act1", 0, 2), ("iso, act2", 1, 2), ("iso", 2, 2)]
