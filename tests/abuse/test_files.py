"""Hostile files: a FormatError and nothing else, nothing built, nothing written, no memory taken."""

import copy
import json
import pickle
import resource
import struct

import pytest
import torch
from safetensors.torch import save

import isospike as iso
from abuse.files import content, joined, pooled, split, written
from zoo.tiny import converted, images


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """(header, tensors, bytes) of a synchronous network and of a separated one."""
    folder = tmp_path_factory.mktemp("whole")
    networks = {"gated": pooled(), "separated": converted("spikeconverter")}
    return {name: content(network, folder) for name, network in networks.items()}


def refused(path, match=None):
    before = sorted(path.parent.iterdir())
    with pytest.raises(iso.FormatError, match=match) as error:
        iso.load(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < len(str(path)) + 500
    assert sorted(path.parent.iterdir()) == before


def node(place, **changes):
    return lambda h, t: h["graph"]["nodes"][place].update(changes)


def attr(place, name, value):
    return lambda h, t: h["graph"]["nodes"][place]["attrs"].update({name: value})


def field(site, name, value):
    return lambda h, t: h["units"][site]["fields"].update({name: value})


def top(name, value):
    return lambda h, t: h.update({name: value})


def tensor(name, change):
    def act(h, t):
        t[name] = change(t[name])

    return act


def drop(h, t):
    del t["graph/.1.weight"]


def without(key):
    return lambda h, t: h.pop(key)


def swap_units(h, t):
    units = h["units"]
    units["act"], units["pool"] = units["pool"], units["act"]


def deep(h, t):
    inner = "1"
    for _ in range(200):
        inner = f'{{"class": "IF", "fields": {{"theta": {inner}}}}}'
    h["units"]["act"] = json.loads(inner)


WEIGHT = "graph/.1.weight"
EDITS = {
    # the frame
    "version": (top("version", 2), "format version 2, this release reads 1"),
    "version as text": (top("version", "1"), "format version"),
    "version as truth": (top("version", True), "format version True"),
    "no version": (without("version"), "version"),
    "no graph": (without("graph"), "graph"),
    "no units": (without("units"), "units"),
    "no provenance": (without("provenance"), "provenance"),
    "provenance a list": (top("provenance", []), "provenance"),
    "recipe a list": (lambda h, t: h["provenance"].update(recipe=[]), "provenance"),
    "engine": (top("engine", "rm -rf"), "engine"),
    "engine of another schedule": (top("engine", "closed"), "closed"),
    "engine a list": (top("engine", []), "engine"),
    # steps
    "steps a truth value": (top("steps", True), "steps"),
    "steps NaN": (top("steps", float("nan")), "steps"),
    "steps infinite": (top("steps", float("inf")), "steps"),
    "no steps": (top("steps", 0), "steps"),
    "negative steps": (top("steps", -4), "steps"),
    "steps a float": (top("steps", 4.0), "steps"),
    "steps a text": (top("steps", "4"), "steps"),
    "huge steps": (top("steps", 10**400), "steps"),
    # nodes
    "a cycle": (node(1, inputs=["act@1"]), "do not come before"),
    "itself": (node(1, inputs=[".1"]), "do not come before"),
    "a later node": (node(1, inputs=[".4"]), "do not come before"),
    "no such node": (node(1, inputs=["../../x"]), "do not come before"),
    "inputs a text": (node(1, inputs=".0"), "do not come before"),
    "too many inputs": (node(4, inputs=[]), None),
    "operator": (node(1, op="exec"), "unknown operator"),
    "operator a list": (node(1, op=["conv"]), None),
    "a second input": (node(1, op="input", inputs=[]), None),
    "the same name twice": (node(2, name=".1"), "repeated name"),
    "name a number": (node(1, name=7), "must be text"),
    "path a number": (node(1, path=7), "must be text"),
    "an unknown field": (node(1, code="import os"), "code"),
    "attributes a list": (node(1, attrs=[1]), None),
    "no output": (lambda h, t: h["graph"].update(output="nowhere"), "nowhere"),
    "output a list": (lambda h, t: h["graph"].update(output=[]), None),
    "no nodes": (lambda h, t: h["graph"].update(nodes=[]), None),
    # numbers
    "stride 0": (attr(1, "stride", [0, 0]), None),
    "negative stride": (attr(1, "stride", [-1, -1]), None),
    "groups 0": (attr(1, "groups", 0), None),
    "groups huge": (attr(1, "groups", 10**30), None),
    "padding huge": (attr(1, "padding", [10**5, 10**5]), "values an image"),
    "padding beyond 64 bits": (attr(1, "padding", [10**40, 1]), None),
    "dilation a text": (attr(1, "dilation", "all"), None),
    "kernel 0": (attr(3, "kernel", [0, 0]), None),
    "padding above half a kernel": (attr(3, "padding", [4, 4]), None),
    "image huge": (lambda h, t: h["graph"].update(input_shape=[2, 10**6, 10**6]), "values an image"),
    "image beyond 64 bits": (lambda h, t: h["graph"].update(input_shape=[10**30]), None),
    "image negative": (lambda h, t: h["graph"].update(input_shape=[2, -8, 8]), None),
    "image flat": (lambda h, t: h["graph"].update(input_shape=[128]), None),
    "image a text": (lambda h, t: h["graph"].update(input_shape="288"), None),
    # tensors
    "missing tensor": (drop, "graph/.1.weight"),
    "tensor under another name": (node(1, tensors={"weight": "/etc/passwd"}), "/etc/passwd"),
    "wrong shape": (tensor(WEIGHT, lambda w: w[:, :1].clone()), None),
    "wrong rank": (tensor(WEIGHT, lambda w: w.flatten().clone()), None),
    "empty": (tensor(WEIGHT, lambda w: w[:0].clone()), None),
    "whole numbers": (tensor(WEIGHT, lambda w: w.long()), "floating-point"),
    "another type": (tensor(WEIGHT, lambda w: w.double()), "floating-point"),
    "NaN weights": (tensor(WEIGHT, lambda w: w * torch.nan), "NaN or infinite"),
    "infinite weights": (tensor(WEIGHT, lambda w: w / 0), "NaN or infinite"),
    "a key of the future": (top("future", 1), "unknown keys: .*future"),
    "a missing key": (lambda h, t: h.pop("steps"), "missing or unknown keys: .*steps"),
    # units
    "no unit for a site": (lambda h, t: h["units"].pop("act"), "units and sites differ"),
    "a unit for no site": (lambda h, t: h["units"].update(x=h["units"]["act"]), "units and sites"),
    "another class": (lambda h, t: h["units"]["act"].update({"class": "Popen"}), "Popen"),
    "class a list": (lambda h, t: h["units"]["act"].update({"class": []}), None),
    "an unknown field of a unit": (field("act", "code", 1), "code"),
    "a pool where a neuron stands": (swap_units, "does not fit"),
    "a unit of the other schedule": (
        lambda h, t: h["units"]["act"].update({"class": "Radix"}), None
    ),
    "theta a number": (field("act", "theta", 1.5), "must be tensors"),
    "theta no tensor of the file": (field("act", "theta", {"tensor": "theta"}), None),
    "theta NaN": (tensor("units/act/theta", lambda x: x * torch.nan), "NaN"),
    "theta 0": (tensor("units/act/theta", lambda x: x * 0), "not positive"),
    "theta negative": (tensor("units/act/theta", lambda x: -x), "not positive"),
    "theta whole": (tensor("units/act/theta", lambda x: x.long() + 1), "must be tensors"),
    "theta of another shape": (tensor("units/act/theta", lambda x: torch.ones(7, 1, 1)), None),
    "v0 a text": (field("act", "v0", "0"), "must be tensors"),
    "reset": (field("act", "reset", "never"), "unknown reset"),
    "pool attributes": (field("pool", "attrs", {}), None),
    # schedule and coder
    "no schedule": (top("schedule", None), "no schedule"),
    "a coder for a schedule": (lambda h, t: h.update(schedule=h["coder"]), "no schedule"),
    "another schedule": (
        top("schedule", {"class": "Separated", "fields": {"k": 2.0, "extra": 0}}), "does not fit"
    ),
    "no coder": (top("coder", {"tensor": WEIGHT}), "no input coder"),
    "a seed beyond 64 bits": (
        top("coder", {"class": "Bernoulli", "fields": {"seed": 10**40, "compensate": False}}), None
    ),
    "deep nesting": (deep, None),
    # the source network
    "source of another shape": (
        lambda h, t: h["source"]["nodes"][1]["attrs"].update(groups=7), None
    ),
    "source without a site": (
        lambda h, t: h["source"]["nodes"][2].update(op="reshape", attrs={"shape": [3, 8, 8]}),
        "other sites",
    ),
    "source with another output": (
        lambda h, t: h["source"].update(output="act"), "other sites or sizes"
    ),
    "source for larger images": (
        lambda h, t: h["source"].update(input_shape=[2, 8, 10]), None
    ),
    "source a text": (top("source", "graph"), None),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), EDITS.values(), ids=EDITS)
def test_an_edited_header_is_refused(parts, tmp_path, edit, told):
    header, tensors, _ = parts["gated"]
    header, tensors = copy.deepcopy(header), dict(tensors)
    edit(header, tensors)
    refused(written(tmp_path / "a.iso", header, tensors), told)


SEPARATED = {
    "k below 1": (top("schedule", {"class": "Separated", "fields": {"k": 0.5, "extra": 0}}), None),
    "k NaN": (
        top("schedule", {"class": "Separated", "fields": {"k": float("nan"), "extra": 0}}), None
    ),
    "k a text": (top("schedule", {"class": "Separated", "fields": {"k": "two", "extra": 0}}), None),
    "extra huge": (
        top("schedule", {"class": "Separated", "fields": {"k": 2.0, "extra": 10**9}}), None
    ),
    "another code": (
        lambda h, t: h["units"]["act1"]["fields"]["code"]["fields"].update(k=1.0), "code"
    ),
    "no code": (field("act1", "code", None), None),
    "synchronous": (top("schedule", {"class": "Synchronous", "fields": {}}), "does not fit"),
    "the dense engine": (top("engine", "dense"), "dense"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "told"), SEPARATED.values(), ids=SEPARATED)
def test_an_edited_header_of_a_separated_network_is_refused(parts, tmp_path, edit, told):
    header, tensors, _ = parts["separated"]
    header, tensors = copy.deepcopy(header), dict(tensors)
    edit(header, tensors)
    refused(written(tmp_path / "a.iso", header, tensors), told)


def test_the_parts_put_together_rightly_are_loaded(parts, tmp_path):
    for name, network in (("gated", pooled()), ("separated", converted("spikeconverter"))):
        header, tensors, _ = parts[name]
        again = iso.load(written(tmp_path / "a.iso", header, tensors))
        assert torch.equal(again(images()), network(images()))


TEXTS = {
    "no JSON": "graph",
    "empty": "",
    "null": "null",
    "a list": "[]",
    "a number": "1",
    "open": '{"version": 1',
    "200,000 brackets": "[" * 200_000,
    "a number of 5,000 digits": '{"version": ' + "9" * 5000 + "}",
    "two values": "{} {}",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_header_that_is_none(tmp_path, text):
    refused(written(tmp_path / "a.iso", text, {}))


FILES = {
    "empty": b"",
    "seven bytes": b"\0" * 7,
    "zeros": b"\0" * 1000,
    "a header of 1 TB": struct.pack("<Q", 1 << 40) + b"{}",
    "a header of 2^64 - 1": struct.pack("<Q", 2**64 - 1) + b"{}",
    "a tensor of 1 TB": struct.pack("<Q", 77)
    + b'{"a":{"dtype":"F32","shape":[274877906944],"data_offsets":[0,1099511627776]}}',
    "overlapping": struct.pack("<Q", 119)
    + b'{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},'
    + b'"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}            '
    + b"abc",
    "a pickle": pickle.dumps({"isospike": 1}),
    "text": b"isospike network, honestly",
    "no metadata": save({"a": torch.ones(2)}),
    "other metadata": save({"a": torch.ones(2)}, {"format": "pt"}),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_files_of_another_kind(tmp_path, data):
    (tmp_path / "a.iso").write_bytes(data)
    refused(tmp_path / "a.iso")


def twice(head: str, which: str) -> str:
    """The header of a file with one name in it twice."""
    known = json.loads(head)
    if which == "tensor":
        name = next(key for key in known if key != "__metadata__")
        return f"{head.rstrip()[:-1]},{json.dumps(name)}:{json.dumps(known[name])}}}"
    known["__metadata__"]["isospike"] = known["__metadata__"]["isospike"][:-1] + ',"steps": 4}'
    return json.dumps(known)


@pytest.mark.parametrize("which", ["tensor", "key"])
def test_a_name_that_stands_there_twice_is_refused(parts, tmp_path, which):
    head, rest = split(parts["gated"][2])
    path = tmp_path / "a.iso"
    path.write_bytes(joined(twice(head, which), rest))
    refused(path, "twice")


@pytest.mark.parametrize("shape", [(3,), (0, 1 << 40)])
def test_a_tensor_that_nothing_reads_is_refused(parts, tmp_path, shape):
    header, tensors, _ = parts["gated"]
    extra = {**tensors, "extra": torch.ones(shape)}
    refused(written(tmp_path / "a.iso", header, extra), "nothing reads: .*extra")


def test_a_folder_and_no_file_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder")
    refused(tmp_path / "none.iso")


def test_a_file_cut_anywhere_is_refused(parts, tmp_path):
    whole = parts["gated"][2]
    path = tmp_path / "a.iso"
    for length in [*range(0, 64), *range(64, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(path)
    path.write_bytes(whole + b"\0")
    refused(path)


def test_a_refused_file_takes_no_memory(parts, tmp_path):
    header, tensors, _ = parts["gated"]
    header = copy.deepcopy(header)
    header["graph"]["input_shape"] = [2, 5000, 5000]  # 24 GB in the fourth node
    header["graph"]["nodes"][1]["attrs"]["padding"] = [20_000, 20_000]
    path = written(tmp_path / "a.iso", header, tensors)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(path, "values an image")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


def test_names_never_become_files_and_are_told_as_escapes(parts, tmp_path):
    header, tensors, _ = parts["gated"]
    header = copy.deepcopy(header)
    for old, new in ((".1", "../../x"), ("act", "a\0b"), ("pool", "<script>alert(1)</script>")):
        renamed(header, old, new)
    header["provenance"]["recipe"] = "\x1b[2J‮evil"
    path = written(tmp_path / "a.iso", header, tensors)
    again = iso.load(path)
    assert torch.equal(again(images()), pooled()(images()))
    again.save(tmp_path / "b.iso")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.iso", "b.iso"]
    # In a message a name is quoted, and cut where it is long.
    renamed(header, "a\0b", "\x1b[2J" * 10**5)
    header["units"].popitem()
    with pytest.raises(iso.FormatError) as error:
        iso.load(written(tmp_path / "a.iso", header, tensors))
    assert "\x1b" not in str(error.value)
    assert len(str(error.value)) < 1000


def renamed(header, old, new):
    for graph in (header["graph"], header["source"]):
        for each in graph["nodes"]:
            each["name"] = new if each["name"] == old else each["name"]
            each["inputs"] = [new if name == old else name for name in each["inputs"]]
    if old in header["units"]:
        header["units"] = {new if k == old else k: v for k, v in header["units"].items()}
