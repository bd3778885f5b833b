"""What a folder holds of a training run, and whether it is the run that is asked for.

Runs are compared by their facts: settings, network, data, precision, the file that they started
from and the file of the network's code, where both sides say them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from isospike.activations import ClipQuant
from isospike.errors import FormatError, UsageError
from isospike.train import checkpoint
from isospike.train.settings import Settings, trained_with
from isospike.train.split import RULE, SEEN

MODEL = "model.safetensors"
INIT = "init_sha256"  # of the file that a run started from, None without
CODE = "code_sha256"  # of FILE.py, where the network is a function of it
LATER = (INIT, SEEN, CODE)  # what older runs do not say


def described(settings: Settings, data: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """What a run is, whatever its network; data: its name, and how many images where they are
    known."""
    return {
        "settings": settings.to_json(), "data": dict(data), "split": RULE, "precision": precision,
    }  # fmt: skip


def started_from(init: Path | None) -> dict[str, Any]:
    """What a run remembers of the file that it started from: nothing where that is gone."""
    if init is None:
        return {INIT: None}
    if not init.is_file():
        return {}
    return {INIT: _sha256(init)}


def written_in(spec: str) -> dict[str, Any]:
    """What a run of FILE.py:FUNCTION remembers of the file: nothing where that is gone, or for a
    network of the zoo."""
    file = Path(spec.rpartition(":")[0])
    return {CODE: _sha256(file)} if file.suffix == ".py" and file.is_file() else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_run(out: Path) -> None:
    """UsageError where the folder holds a run, finished or not."""
    folder = out / checkpoint.FOLDER
    if (out / MODEL).exists() or any(folder.glob("*.safetensors")):
        raise UsageError(f"{out} holds a training run: --resume, or another --out")


def finished(out: Path, facts: Mapping[str, Any]) -> Path | None:
    """DIR/model.safetensors of the run of these facts, None where none has ended; checkpoints of a
    run that was cut off while ending go. Reads no tensor. UsageError for another run, FormatError
    for a file of another origin."""
    done = out / MODEL
    if not done.exists():
        return None
    _compare(out, checkpoint.read_facts(done), facts, unsaid=False)
    shutil.rmtree(out / checkpoint.FOLDER, ignore_errors=True)
    return done


def unfinished(out: Path, facts: Mapping[str, Any]) -> checkpoint.Checkpoint | None:
    """The state that the run of these facts goes on from. Errors as of `finished`."""
    found = checkpoint.latest(out / checkpoint.FOLDER)
    if found is not None:
        _compare(out, found.facts, facts, unsaid=True)
    return found


def begun(out: Path, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of the run that `unfinished` finds, and warns of where its newest file is damaged;
    none where there is none. Reads no tensor. Errors as of `finished`."""
    with warnings.catch_warnings(action="ignore"):
        found = checkpoint.newest(out / checkpoint.FOLDER)
    if found is None:
        return {}
    _compare(out, found[1], facts, unsaid=True)
    return found[1]


def check_fits(out: Path, found: checkpoint.Checkpoint, model: nn.Module) -> None:
    """UsageError where the state is that of a network with other tensors."""
    # Noise by layer and by channel load into each other, and older weights have no mean.
    noise = {
        f"{name}.{buffer}" for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, ClipQuant) for buffer in ("sigma", "mu")
    }  # fmt: skip
    state = checkpoint.part(found.tensors, "model")
    wrong = [name for name in checkpoint.misfits(model.state_dict(), state) if name not in noise]
    if wrong:
        raise UsageError(
            f"{out} holds a run of another network, which differs at {', '.join(wrong[:8])}: go on "
            "with the code that it was begun with, or give another --out"
        )


def _compare(out: Path, known: Mapping[str, Any], now: Mapping[str, Any], unsaid: bool) -> None:
    try:
        before = {**known, "settings": trained_with(known["settings"])}
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{out}: not a training run of this program: {error}") from error
    wrong = _differences(before, now, unsaid)
    if wrong:
        again = "say the same again, or give another --out"
        raise UsageError(f"{out} holds another run: {', '.join(wrong)}: {again}")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], unsaid: bool) -> list[str]:
    """Where two runs' facts differ, apart from what came of them; `unsaid`: also in what the older
    says nothing of, but for LATER."""
    one, other = _flat(before), _flat(now)
    return [
        f"{key} was {one.get(key)}, not {value}"
        for key, value in other.items()
        if one.get(key) != value and (key in one or (unsaid and key not in LATER))
    ]


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Each setting under its own name; what a run is, not how it went."""
    facts = json.loads(json.dumps(facts))  # as it is read back: tuples are lists
    facts = {key: value for key, value in facts.items() if key not in ("history", "epoch")}
    data = {f"data {key}": value for key, value in facts.pop("data", {}).items()}
    settings = facts.pop("settings", {})
    return {**facts, **data, **settings}
