"""One source network in training, epoch by epoch: SGD, on one process or many.

What an epoch does follows from the seed and its number alone: the order of the images, their
augmentation and every other random number. So a run that was cut off goes on bit for bit from the
end of an epoch, and P processes, each with every P-th image of a batch, do what one does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.nn import functional as F

from isospike.data.check import unit_range
from isospike.data.stored import Images
from isospike.errors import UsageError
from isospike.train.across import across_processes, leaves_unused
from isospike.train.augment import Augment
from isospike.train.checkpoint import part, seeded, under
from isospike.train.rate_inference import RateInference
from isospike.train.residual import ResidualForward
from isospike.train.settings import Settings, check_precision
from isospike.train.share import Share

Step = Callable[[int, int], None]  # (steps done, steps of the epoch)


class Trainer:
    """images [N, C, H, W], uint8 or in [0, 1], and labels [N], of which those of `numbers` [n]
    train, all where none are given; they are read batch by batch and never copied as a whole.

    `kept` is the network whose weights count: the average over the steps, or the model itself.
    Raises UsageError for a batch that cannot be shared by the processes or filled from the images.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Images,
        labels: Tensor,
        settings: Settings,
        accelerator: Accelerator | None = None,
        numbers: Tensor | None = None,
    ) -> None:
        self.accelerator = accelerator or accelerate()
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.numbers = torch.arange(len(images)) if numbers is None else numbers
        check_batch(settings.batch, len(self.numbers), self.world)
        if self.world > 1:
            across_processes(model)
        # Locks the weights, so it stands before the optimiser.
        self.rates = RateInference.of(model, settings.rate_loss, settings.rate_distance)
        self.settings, self.images, self.labels = settings, images, labels
        self.augment = Augment(settings.pad, settings.flip, settings.cutout, settings.autoaugment)
        self.residual = ResidualForward(settings.residual) if settings.residual else None
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.world > 1:
            self.expect_unused(model)
        self.sgd = torch.optim.SGD(
            [p for p in model.parameters() if p.requires_grad], settings.lr, settings.momentum,
            weight_decay=settings.weight_decay, nesterov=settings.nesterov,
        )  # fmt: skip
        self.plain = model
        self.model, self.optimiser = self.accelerator.prepare(model, self.sgd)
        # `step` asks for mixed precision itself; who validates or captures gets the plain forward.
        self.accelerator.unwrap_model(self.plain, keep_fp32_wrapper=False)
        self.averaged = None
        if settings.average:
            self.averaged = torch.optim.swa_utils.AveragedModel(
                self.plain,
                multi_avg_fn=moving_average(settings.average),
                use_buffers=True,
            )

    @property
    def kept(self) -> nn.Module:
        return self.plain if self.averaged is None else self.averaged.module

    def expect_unused(self, model: nn.Module) -> None:
        """Tell the processes of parameters without a gradient, tried on two images."""
        device, few = self.accelerator.device, self.numbers[:2]
        x, labels = unit_range(self.images[few]).to(device), self.labels[few].to(device)
        if leaves_unused(model, lambda trial: self.loss(trial.to(device), x, labels)):
            handler = DistributedDataParallelKwargs(find_unused_parameters=True)
            self.accelerator.ddp_handler = handler  # type: ignore[assignment]

    def epoch(self, number: int, each: Step = lambda done, total: None) -> float:
        """Train epoch `number` (from 0); returns the mean loss over the steps and processes."""
        settings, total = self.settings, 0.0
        generator = torch.Generator().manual_seed(seeded(settings.seed, number))
        torch.manual_seed(seeded(settings.seed, number, self.rank + 1))
        if self.residual is not None:
            self.residual.draws.manual_seed(seeded(settings.seed, number))
        steps = len(self.numbers) // settings.batch
        order = self.numbers[torch.randperm(len(self.numbers), generator=generator)]
        share = Share(self.rank, self.world)
        self.model.train()
        for step, index in enumerate(order[: steps * settings.batch].split(settings.batch)):
            rate = settings.rate(number * steps + step, settings.epochs * steps)
            for group in self.sgd.param_groups:
                group["lr"] = rate
            mine = share.part(index)
            x = self.augment(unit_range(self.images[mine]), generator, share)
            total += self.step(x, self.labels[mine])
            each(step + 1, steps)
        self.kept.eval()
        loss = torch.tensor(total / steps, device=self.accelerator.device)
        return float(torch.as_tensor(self.accelerator.reduce(loss, "mean")))

    def step(self, x: Tensor, labels: Tensor) -> float:
        """One step on this process's share of a batch."""
        device = self.accelerator.device
        x = x.to(device).contiguous(memory_format=torch.channels_last)
        with self.accelerator.autocast():
            loss = self.loss(self.model, x, labels.to(device))
        self.optimiser.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        if self.settings.clip:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimiser.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.plain)
        return loss.item()

    def loss(self, model: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
        if self.rates is not None:
            return self.rates(model, x)
        logits = model(x) if self.residual is None else self.residual(model, x)
        return F.cross_entropy(logits, labels, label_smoothing=self.settings.label_smoothing)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next epoch needs."""
        momenta = {
            name: self.sgd.state[p]["momentum_buffer"]
            for name, p in self.plain.named_parameters() if p in self.sgd.state
        }  # fmt: skip
        averaged = {} if self.averaged is None else self.averaged.state_dict()
        return {
            **under("model", self.plain.state_dict()),
            **under("averaged", averaged),
            **under("momentum", momenta),
            **under("start", {} if self.rates is None else self.rates.start),
            **under("scaler", self._scaler()),
        }

    def _scaler(self) -> dict[str, Tensor]:
        """What fp16 multiplies the loss by, and since when; nothing in other precisions."""
        scaler = self.accelerator.scaler
        found = {} if scaler is None else scaler.state_dict()
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}

    def load_state(self, tensors: Mapping[str, Tensor]) -> None:
        momenta, device = part(tensors, "momentum"), self.accelerator.device
        self.plain.load_state_dict(part(tensors, "model"))
        if self.rates is not None:
            self.rates.go_on(self.plain, part(tensors, "start"))
        if self.averaged is not None:
            self.averaged.load_state_dict(part(tensors, "averaged"))
        if self.accelerator.scaler is not None and (kept := part(tensors, "scaler")):
            whole = ("growth_interval", "_growth_tracker")
            values = {n: int(t) if n in whole else float(t) for n, t in kept.items()}
            self.accelerator.scaler.load_state_dict(values)
        self.sgd.state.clear()
        for name, parameter in self.plain.named_parameters():
            if name in momenta:
                # In the memory order of the parameter, so that a step is the same to the bit.
                buffer = torch.empty_like(parameter, device=device).copy_(momenta[name])
                self.sgd.state[parameter]["momentum_buffer"] = buffer


def check_batch(batch: int, images: int, processes: int) -> None:
    """UsageError for a batch that the processes cannot share evenly, or the images cannot fill."""
    wrong = []
    if batch % processes:
        wrong.append(f"{processes} processes cannot share it evenly")
    if batch > images:
        wrong.append(f"only {images} images train")
    if wrong:
        most = min(batch, images) // processes * processes
        fix = f"--set batch={most} or less" if most else "fewer processes"
        raise UsageError(f"a batch of {batch}: {'; '.join(wrong)}: {fix}")


def accelerate(precision: str = "no") -> Accelerator:
    """This process among those that were launched together, also where there is only a CPU.
    UsageError for an unknown precision, and for another than this process has trained in."""
    check_precision(precision)
    if is_initialized() and (first := AcceleratorState().mixed_precision) != precision:
        raise UsageError(
            f"precision {precision}: this process has trained in {first}, and accelerate keeps one "
            "precision for the whole of a process: train in another one"
        )
    return Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=precision)


def moving_average(decay: float) -> Callable:
    """avg <- d avg + (1 - d) w,   d = min(decay, (1 + n) / (10 + n)) after n steps: the first
    weights are forgotten even in a short run. Whole numbers (counts, indices) are not averaged."""

    def update(averaged, current, count) -> None:
        if not (current[0].is_floating_point() or current[0].is_complex()):
            for old, new in zip(averaged, current, strict=True):
                old.copy_(new)
            return
        n = int(count)
        ramped = min(decay, (1 + n) / (10 + n))
        torch.optim.swa_utils.get_ema_multi_avg_fn(ramped)(averaged, current, count)

    return update
