"""A training run in a folder: it goes on where it was cut off, and ends with one weight file.

    DIR/checkpoints/    while it runs: the state after an epoch, and the best network so far
    DIR/.lock           held while a process trains here, empty
    DIR/training.json   settings and, for every epoch, loss and right answers on validation
    DIR/model.safetensors    at the end, with the settings in its metadata

The network that is kept is the one whose spiking network is best on the validation images after
`select_steps` steps (without clips, or where the numbers are equal, by its own accuracy, then the
later one). The test images are never seen.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isospike.activations import ClipQuant, setting
from isospike.data.check import unit_range
from isospike.data.images import ImageSet
from isospike.errors import UsageError
from isospike.files import atomic_write
from isospike.program import Program
from isospike.train import best, checkpoint
from isospike.train.alone import alone
from isospike.train.check import check
from isospike.train.checkpoint import Checkpoint
from isospike.train.loop import Trainer, accelerate
from isospike.train.nq import residual_noise, set_mu, set_sigma
from isospike.train.resume import (
    MODEL,
    begun,
    check_fits,
    described,
    finished,
    refuse_run,
    unfinished,
)
from isospike.train.settings import Settings
from isospike.train.split import split
from isospike.train.validate import correct, divergence, spiking

READINGS = (1, 2, 4, 8)  # T of the validation accuracies, besides the one that selects
RECORD = "training.json"

Progress = Callable[[str, int, int], None]


@dataclass
class Run:
    """One run: `Run(model, data, settings, out).go()`.

    data: the training split. facts: what the weight file should remember of the model (how to build
    it). trained: the model was trained before, so NQ measures its noise before the first epoch.
    progress: (epoch in words, steps done, steps of the whole run).
    """

    model: nn.Module
    data: ImageSet
    settings: Settings
    out: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    trained: bool = False
    precision: str = "no"
    progress: Progress = lambda what, done, total: None
    report: Callable[[dict[str, Any]], None] = lambda row: None
    history: list[dict[str, Any]] = field(default_factory=list, init=False)

    def go(self, resume: bool = False) -> Path:
        """Train, or go on; returns DIR/model.safetensors. A finished run that is resumed stays as
        it is. UsageError where DIR holds a run and `resume` is not said, a run of other settings,
        or for a second stage without a first; DataError for images that cannot train;
        ConversionError for a model that cannot convert. Nothing is written before. UsageError also
        where another job trains in DIR or nothing can be written there, and after an epoch that
        has diverged, of which nothing is kept."""
        if (done := self.there(resume)) is not None:
            return done
        train, kept = split(self.data, self.settings.validation)
        images, labels = self.data.images, self.data.labels
        assert labels is not None
        held = images[kept], labels[kept]
        if not begun(self.out, self.remember()):
            check(self.model, self.data, self.settings, self.trained, (train, kept))
        accelerator = accelerate(self.precision)
        trainer = Trainer(self.model, images, labels, self.settings, accelerator, train)
        with alone(self.out, accelerator):
            # Another job may have begun or ended this run before the folder was ours.
            done = self.there(resume)
            found = unfinished(self.out, self.remember()) if done is None else None
            accelerator.wait_for_everyone()  # what one process writes the others must not read
            return self.train(trainer, found, held) if done is None else done

    def there(self, resume: bool) -> Path | None:
        """DIR/model.safetensors where the run has ended. Errors as of `go`."""
        if not resume:
            refuse_run(self.out)
        return finished(self.out, self.remember())

    def train(
        self, trainer: Trainer, found: Checkpoint | None, held: tuple[Tensor, Tensor]
    ) -> Path:
        """The epochs after `found`, and the end."""
        start = 0
        if found is not None:
            check_fits(self.out, found, trainer.plain)
            trainer.load_state(found.tensors)
            start, self.history = found.epoch, list(found.facts["history"])
            best.find(self.out / checkpoint.FOLDER, self.history, self.settings.select_steps)
        elif self.trained:
            self.measure_noise(trainer, spiking(trainer.kept.eval(), held[0]), held[0])
        for epoch in range(start, self.settings.epochs):
            self.epoch(trainer, epoch, held)
        return self.finish(trainer)

    def epoch(self, trainer: Trainer, epoch: int, held: tuple[Tensor, Tensor]) -> None:
        """Train, validate, measure the noise, keep the best, and write it all down."""
        settings = self.settings
        what = f"epoch {epoch + 1} of {settings.epochs}"
        tell = self.progress if trainer.rank == 0 else lambda what, done, total: None
        loss = trainer.epoch(
            epoch, lambda done, total: tell(what, epoch * total + done, settings.epochs * total)
        )
        if (why := divergence(loss, trainer.kept)) is not None:
            raise UsageError(f"epoch {epoch + 1}: training diverged, {why}: {self.calmer()}")
        program = spiking(trainer.kept, unit_range(held[0][:4]))
        row = {"epoch": epoch + 1, "loss": loss, **validate(trainer, program, held, settings)}
        row |= self.measure_noise(trainer, program, held[0])
        self.history.append(row)
        if trainer.accelerator.is_main_process:
            self.keep(trainer)
            self.record()
            self.report(row)

    def keep(self, trainer: Trainer) -> None:
        """The last epoch's network where it is the best so far, then the state, which says so."""
        history, steps = self.history, self.settings.select_steps
        facts, epoch = self.remember(), len(history)
        folder = self.out / checkpoint.FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        if best.best(history, steps) == epoch:
            best.write(folder, epoch, trainer.kept.state_dict(), facts)
        checkpoint.write(folder, Checkpoint(epoch, trainer.state(), facts))
        best.remove_others(folder, history, steps)

    def calmer(self) -> str:
        """What to do where training diverges."""
        ways = [f"a lower lr (it was {self.settings.lr:g})"]
        ways += [] if self.settings.clip else ["--set clip=1"]
        ways += ["--precision bf16"] if self.precision == "fp16" else []
        return f"try {' or '.join(ways)}, with another --out"

    def measure_noise(
        self, trainer: Trainer, program: Program | None, images: Tensor
    ) -> dict[str, Any]:
        """Sigma and mu of the next epoch (NQ), of the clips that ask for it (`measured`), or of all
        where the activation of the settings does."""
        settings = self.settings
        every = setting(settings.activation, "measured")
        modules = trainer.kept.named_modules(remove_duplicate=False)
        asking = {path for path, m in modules if isinstance(m, ClipQuant) and (every or m.measured)}
        if not asking or settings.residual or program is None:
            return {}
        mine = images[trainer.rank :: trainer.world]
        found = residual_noise(
            trainer.kept, mine, settings.noise_steps,
            grain=settings.noise_grain, program=program,
        )  # fmt: skip
        found = {path: pair for path, pair in found.items() if path.split("@")[0] in asking}

        def mean(part: Tensor) -> Tensor:
            return torch.as_tensor(trainer.accelerator.reduce(part, "mean"))

        # The mean over batches is of variances.
        sigmas = {path: mean(sigma.square()).sqrt() for path, (sigma, _) in found.items()}
        means = {path: mean(mu) for path, (_, mu) in found.items()}
        for model in {trainer.plain, trainer.kept}:
            set_sigma(model, sigmas, settings.noise_factor)
            if settings.noise_mean:
                set_mu(model, means)
        return {
            name: {path: float(part.mean()) for path, part in parts.items()}
            for name, parts in (("sigma", sigmas), ("mu", means))
        }

    def remember(self) -> dict[str, Any]:
        data = {"name": self.data.name, "images": self.data.n}
        run = described(self.settings, data, self.precision)
        return {**self.facts, **run, "history": self.history}

    def record(self) -> None:
        atomic_write(self.out / RECORD, json.dumps(self.remember(), indent=1).encode())

    def finish(self, trainer: Trainer) -> Path:
        """DIR/model.safetensors from the best network; the checkpoints go."""
        done, folder = self.out / MODEL, self.out / checkpoint.FOLDER
        if trainer.accelerator.is_main_process:
            kept = best.find(folder, self.history, self.settings.select_steps)
            tensors, facts = checkpoint.read_tensors(kept)
            # First, so that a run that is cut off here has a record once it is done.
            self.record()
            checkpoint.write_tensors(done, tensors, {**self.remember(), "epoch": facts["epoch"]})
            shutil.rmtree(folder, ignore_errors=True)  # what stays goes at the next `finished`
        trainer.accelerator.wait_for_everyone()
        return done


def validate(
    trainer: Trainer, program: Program | None, held: tuple[Tensor, Tensor], settings: Settings
) -> dict[str, Any]:
    """Right answers on the validation images, each of which is counted once over all processes."""
    readings = sorted({*READINGS, settings.select_steps} - {0})
    images, labels = (part[trainer.rank :: trainer.world] for part in held)
    device = trainer.accelerator.device
    own = correct(program, trainer.kept, images, labels, readings)
    counted = torch.tensor(list(own.values()), device=device)
    totals = torch.as_tensor(trainer.accelerator.reduce(counted, "sum")).tolist()
    found = dict(zip(own, totals, strict=True))
    selects = found.get(str(settings.select_steps), found["ann"])
    return {"correct": found, "of": len(held[0]), "selects": selects}
