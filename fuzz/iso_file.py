"""Coverage-guided fuzzing of .iso files: any bytes are a network or a FormatError.

    make fuzz                                       (20 seconds of it)
    python fuzz/iso_file.py -max_total_time=3600    (of the extra `dev`: atheris)

Two kinds of input, told apart by the first byte: a whole file, or the header of a file whose
tensors stay. The corpus begins with three saved networks and grows in a folder that goes away;
options are those of libFuzzer, and a finding is left at -artifact_prefix as crash-* or oom-*.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from types import FunctionType, ModuleType

import atheris
import torch

import isospike as iso
from isospike import file_checks, files, serialise
from isospike.files import json_once
from isospike.graph import graph
from isospike.units import binary, lif, radix

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from abuse.files import joined, pooled, split
from zoo.tiny import converted

WHOLE, HEADERS = b"\0", (b"\1", b"\2", b"\3")  # a file, or the header of one of the networks


def instrument(module: ModuleType) -> None:
    """Functions and methods of a module tell the fuzzer where they went: atheris instruments
    imports as well, but not those of an editable install."""
    for value in vars(module).values():
        members = vars(value).values() if isinstance(value, type) else [value]
        for each in members:
            if isinstance(each, FunctionType) and each.__module__ == module.__name__:
                atheris.instrument_func(each)


class Target:
    def __init__(self, folder: Path) -> None:
        self.path, self.corpus = folder / "a.iso", folder / "corpus"
        self.corpus.mkdir()
        self.networks: dict[bytes, tuple[dict, bytes]] = {}
        networks = (pooled(), converted("spikeconverter"), converted("hunsberger"))
        for kind, network in zip(HEADERS, networks, strict=True):
            network.save(self.path)
            known = self.path.read_bytes()
            header, rest = split(known)
            self.networks[kind] = json_once(header.encode()), rest
            text = self.networks[kind][0]["__metadata__"]["isospike"].encode()
            (self.corpus / f"whole{kind[0]}").write_bytes(WHOLE + known)
            (self.corpus / f"header{kind[0]}").write_bytes(kind + text)

    def __call__(self, data: bytes) -> None:
        kind, content = data[:1], data[1:]
        if kind in self.networks:
            header, rest = self.networks[kind]
            text = content.decode("utf-8", "replace")
            content = joined(json.dumps({**header, "__metadata__": {"isospike": text}}), rest)
        self.path.write_bytes(content)
        try:
            iso.load(self.path)
        except iso.FormatError:
            return


def main() -> None:
    torch.set_num_threads(1)
    for module in (files, file_checks, serialise, graph, binary, lif, radix):
        instrument(module)
    with tempfile.TemporaryDirectory() as name:
        target = Target(Path(name))
        words = [
            "-max_len=20000",
            "-len_control=0",
            "-rss_limit_mb=4096",
            *sys.argv[1:],
            str(target.corpus),
        ]
        atheris.Setup([sys.argv[0], *words], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
