"""The audit against its definitions, worked out once more from the spikes themselves."""

import copy
import json
from dataclasses import replace

import pytest
import torch

import isospike as iso
from isospike.graph.graph import execute
from zoo.tiny import converted, images, labels, plan_for

IMAGES, LABELS = images(), labels()
RECIPES = ("iso", "opi", "ic-snn", "spikeconverter", "qcfs", "rts")


class Means:
    """Mean drive and mean output of every site, straight from the trains."""

    def __init__(self, units):
        self.units, self.drive, self.count = units, {}, {}

    def spikes(self, site, start, drive, spikes, state):
        for table, value in ((self.drive, drive), (self.count, spikes)):
            table.setdefault(site, []).append(value.double().clone())


def expected(snn):
    """Site -> (a, the four errors) from the definitions at the head of the audit."""
    program, steps = snn.program, snn.steps
    sources, drives, outputs, found = {}, {}, {}, {}
    execute(
        program.source,
        IMAGES,
        watch=lambda n, v: sources.update({n.name: v}) if n.is_site else None,
    )
    if program.schedule.anytime:
        watch = Means(program.units)
        snn.run(IMAGES, steps, [watch])
        for site, unit in program.units.items():
            drives[site] = torch.cat(watch.drive[site]).mean(0).float()
            outputs[site] = (torch.cat(watch.count[site]).mean(0) * unit.theta).float()
    else:

        def fire(node, z):
            drives[node.name] = z
            outputs[node.name] = program.units[node.name].dual(z, steps)
            return outputs[node.name]

        execute(program.graph, IMAGES, fire)
    for site, unit in program.units.items():
        z = drives[site] if unit.bias is None else drives[site] + unit.bias
        function = z.relu()
        clipped = function.minimum(unit.theta)
        dual = unit.dual(drives[site], steps)
        a, phi = sources[site], outputs[site]
        parts = (function - a, clipped - function, dual - clipped, phi - dual)
        torch.testing.assert_close(sum(parts), phi - a, rtol=1e-4, atol=1e-5)
        found[site] = (a, phi, parts)
    return found


def rms(error, a):
    return float((error.double().square().sum() / a.double().square().sum()).sqrt())


@pytest.mark.parametrize("recipe", ["iso", "opi", "ic-snn", "spikeconverter", "rts"])
def test_the_four_parts_are_those_of_the_definition_and_add_up(recipe):
    snn = converted(recipe)
    audit = iso.audit(snn, IMAGES)
    truth = expected(snn)
    assert [site.site for site in audit.sites] == ["act1", "act2"]
    for site in audit.sites:
        a, phi, parts = truth[site.site]
        names = ("inherited", "clipping", "quantisation", "unevenness")
        for name, part in zip(names, parts, strict=True):
            assert getattr(site, name) == pytest.approx(rms(part, a), rel=1e-3, abs=1e-5), name
        assert site.total == pytest.approx(rms(phi - a, a), rel=1e-3)
        assert site.total <= sum(getattr(site, name) for name in names) + 1e-9
        theta = snn.program.units[site.site].theta
        assert site.rate == pytest.approx(float((phi / theta).double().mean()), rel=1e-4)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_conservation_law_holds_on_real_drive(recipe):
    assert iso.audit(converted(recipe), IMAGES).conservation < 1e-3


def test_a_broken_neuron_breaks_the_conservation_law(monkeypatch):
    def leaky(drive, v, k=1.0, hard=False, cap=1):
        for step in drive:
            v.mul_(0.99).add_(step)
            torch.ge(v, 1.0, out=step)
            v.sub_(step)
        return drive, v

    monkeypatch.setattr("isospike.units.binary.scan", leaky)
    assert iso.audit(converted("opi"), IMAGES).conservation > 0.01


def test_there_is_no_unevenness_on_the_separated_schedule():
    audit = iso.audit(converted("spikeconverter"), IMAGES, LABELS)
    assert all(site.unevenness == 0 for site in audit.sites)
    assert all(site.first_spike is None for site in audit.sites)
    assert audit.cost["unevenness"] == pytest.approx(0, abs=1e-9)
    uneven = iso.audit(converted("opi"), IMAGES)
    assert uneven.sites[0].unevenness == pytest.approx(0, abs=1e-6)  # its drive is held
    assert uneven.sites[1].unevenness > 0.01


@pytest.mark.parametrize("recipe", RECIPES)
def test_accuracies_are_those_of_an_evaluation(recipe):
    snn = converted(recipe)
    audit = iso.audit(snn, IMAGES, LABELS)
    result = iso.evaluate(snn, [(IMAGES, LABELS)], snn.steps)
    assert audit.accuracy["spiking"] == pytest.approx(result.rows[0].accuracy, abs=1e-9)
    assert audit.accuracy["source"] == pytest.approx(result.ann["accuracy"], abs=1e-9)
    duals = float((snn.unspike()(IMAGES).argmax(1) == LABELS).double().mean())
    assert audit.accuracy["duals"] == pytest.approx(duals, abs=1e-9)
    lost = audit.accuracy["source"] - audit.accuracy["spiking"]
    assert sum(audit.cost.values()) == pytest.approx(lost, abs=1e-9)


def test_without_labels_the_costs_are_in_agreement():
    snn = converted("opi")
    audit = iso.audit(snn, IMAGES)
    assert audit.accuracy["source"] == 1.0
    row = iso.evaluate(snn, IMAGES, snn.steps).rows[0]
    assert audit.accuracy["spiking"] == pytest.approx(row.agreement, abs=1e-9)


def test_batches_of_images_add_up():
    snn = converted("iso")
    many = images(150, seed=4)  # three pieces
    whole = iso.audit(snn, many)
    assert whole.n == 150
    half = [iso.audit(snn, part) for part in many.split(75)]
    for name in ("spiking", "duals", "clips"):
        mean = sum(each.accuracy[name] for each in half) / 2
        assert whole.accuracy[name] == pytest.approx(mean, abs=1e-9)


def test_the_worst_kind_is_named_with_its_knob():
    with pytest.warns(UserWarning, match="saturated"):
        tight = iso.convert(plan_for(iso.recipe("opi", {"threshold.p": 20.0})), IMAGES, 256)
    audit = iso.audit(tight, IMAGES)
    assert max(site.clipping for site in audit.sites) > 0.2
    lost = copy.copy(audit)
    lost.cost = {"unevenness": 0.01, "quantisation": 0.02, "clipping": 0.3}
    assert lost.worst == "clipping"
    assert "threshold.p" in lost.advice
    lost.cost = dict.fromkeys(lost.cost, 0.0)
    assert lost.advice == "nothing is lost"


def test_it_is_told_in_80_columns_and_as_json():
    audit = iso.audit(converted("iso"), IMAGES, LABELS)
    lines = str(audit).splitlines()
    assert all(len(line) <= 100 for line in lines)
    assert all(len(line) <= 80 for line in lines[:4])
    data = json.loads(json.dumps(audit.to_json()))
    assert set(data) == {
        "recipe", "steps", "n", "sites", "accuracy", "conservation", "cost", "advice"
    }  # fmt: skip
    assert data["sites"][0]["site"] == "act1"


def test_what_cannot_be_audited():
    snn = converted("opi")
    with pytest.raises(iso.DataError, match="expected images"):
        iso.audit(snn, IMAGES[:, :1])
    with pytest.raises(iso.DataError, match="at least one image"):
        iso.audit(snn, IMAGES[:0])
    with pytest.raises(iso.DataError, match="24 images and 5 labels"):
        iso.audit(snn, IMAGES, LABELS[:5])
    with pytest.raises(iso.DataError, match="label 9"):
        iso.audit(snn, IMAGES, LABELS + 7)
    alone = copy.copy(snn)
    alone.program = replace(snn.program, source=None)
    with pytest.raises(iso.UsageError, match="no source network"):
        iso.audit(alone, IMAGES)
