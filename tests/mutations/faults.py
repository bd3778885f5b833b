"""Faults that somebody could make, and the tests that must notice each of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """file: below src/isospike; old: its text, which stands there once; new: what it becomes;
    breaks: what is wrong then; tests: files (or file::test) below tests/ that must fail."""

    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]

    def applied(self, text: str) -> str:
        """The file with the fault in it; ValueError unless there is one place for it."""
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.file}: {self.old!r} stands there {found} times")
        return text.replace(self.old, self.new)


FAULTS = (
    Fault(
        "units/kernel.py", "torch.ge(v, 1.0, out=step)", "torch.gt(v, 1.0, out=step)",
        "a neuron that meets its threshold exactly stays silent",
        ("units/test_kernel.py",),
    ),
    Fault(
        "units/kernel.py", "v.sub_(step)", "v.masked_fill_(step > 0, 0.0)",
        "reset to zero where the threshold should be subtracted",
        ("units/test_kernel.py",),
    ),
    Fault(
        "units/kernel.py", "v.mul_(k)", "pass",
        "no leak",
        ("units/test_kernel.py",),
    ),
    Fault(
        "units/kernel.py",
        "return dtype if dtype in (torch.float32, torch.float64) else torch.float32",
        "return dtype",
        "membranes in the model's own narrow type",
        ("units/test_kernel.py",),
    ),
    Fault(
        "units/neuron.py", "dtype=wide(z.dtype)).copy_(self.v0)", "dtype=wide(z.dtype)).zero_()",
        "v(0) is skipped",
        ("units/test_binary.py",),
    ),
    Fault(
        "units/neuron.py", "torch.arange(start, start + count,", "torch.arange(0, count,",
        "the bias of each step begins anew with every chunk of time",
        ("common/test_split.py",),
    ),
    Fault(
        "units/coders.py", "spikes[0] += len(spikes) * x - spikes.sum(0)", "spikes[0] += 0 * x",
        "no compensation of what a coder leaves out",
        ("units/test_coders.py",),
    ),
    Fault(
        "units/coders.py", "manual_seed(self.seed)", "manual_seed(0)",
        "the seed of a coder is ignored",
        ("units/test_coders.py",),
    ),
    Fault(
        "units/radix.py",
        "code = torch.zeros_like(train[0])\n        for step in train:",
        "code = torch.zeros_like(train[0])\n        for step in train.flip(0):",
        "the last spike of a code weighs most",
        ("common/test_dual.py::test_radix_generate_is_encode",),
    ),
    Fault(
        "graph/fold.py", '"conv_transpose": 1}', '"conv_transpose": 0}',
        "batch norm scales the input channels of a transposed convolution",
        ("graph/test_translate.py",),
    ),
    Fault(
        "graph/translate.py", "/ torch.sqrt(spread_)", "/ spread_",
        "batch norm divides by the variance",
        ("graph/test_translate.py",),
    ),
    Fault(
        "graph/translate.py", "spread_ = var + eps", "spread_ = var + 0 * eps",
        "batch norm without its epsilon",
        ("graph/test_translate.py",),
    ),
    Fault(
        "graph/graph.py", 'return f"{path}@{seen}" if seen else path', "return path",
        "calls of a shared activation are one site",
        ("graph/test_capture.py::test_every_call_is_a_site_of_its_own_with_its_line",),
    ),
    Fault(
        "graph/ops.py",
        "return tensor if tensor is None or gain == 1.0 else tensor * gain",
        "return tensor",
        "the bias flows once, not once a step, where steps are summed",
        ("graph/test_graph.py",),
    ),
    Fault(
        "graph/ops.py", '        a["divisor"],\n', "        None,\n",
        "average-pooling with a divisor of its own divides by the area",
        ("graph/test_translate.py",),
    ),
    Fault(
        "graph/model.py", "copy.deepcopy(model, {", "copy.deepcopy(model.eval(), {",
        "the source network is left in eval mode",
        ("graph/test_capture.py",),
    ),
    Fault(
        "graph/rewrite.py",
        "return self.float64 <= self.limit", "return not self.float64 > self.limit",
        "a graph that answers NaN passes the gate",
        ("graph/test_rewrite.py",),
    ),
    Fault(
        "engine/run.py", "spikes.round().to(torch.int64)", "spikes.round().to(torch.int8)",
        "counts in a byte",
        ("engine/test_run.py",),
    ),
    Fault(
        "engine/run.py",
        "return program.schedule.settle if isinstance(program.schedule, Settled) else 0",
        "return 0",
        "no settling steps",
        ("engine/test_schedules.py",),
    ),
    Fault(
        "engine/native/layer.py", "self._padded(bias / self.theta.double())", "self._padded(bias)",
        "the event kernels' bias is not in units of the threshold",
        ("engine/test_events.py",),
    ),
    Fault(
        "fit/thresholds.py",
        "reached.to(torch.uint8).argmax(1, keepdim=True)",
        "(reached.to(torch.uint8).argmax(1, keepdim=True) - 1).clamp(min=0)",
        "a percentile is one bin too low",
        ("fit/test_thresholds.py",),
    ),
    Fault(
        "fit/calibration.py", "sorted(range(len(hashes)), key=hashes.__getitem__)",
        "list(range(len(hashes)))",
        "the order of the calibration images changes the result",
        ("fit/test_calibration.py",),
    ),
    Fault(
        "measure/fanout.py", "return gradient[0].round()",
        "return gradient[0].amax().round().expand_as(gradient[0])",
        "a spike at the border reaches the padding too",
        ("measure/test_fanout.py",),
    ),
    Fault(
        "serialise.py",
        "if tensor.is_floating_point() and not tensor.isfinite().all():", "if False:",
        "a file with NaN for weights loads",
        ("abuse/test_files.py::test_an_edited_header_is_refused",),
    ),
    Fault(
        "report/shell.py", "autoescape=True", "autoescape=False",
        "a name from a file is markup of the report",
        ("report/test_html.py",),
    ),
    Fault(
        "engine/native/clip.py", ".div(clip)", "",
        "the gradient of a clip is as many times too large as the clip",
        ("engine/test_clip.py",),
    ),
    Fault(
        "train/residual.py", "return grads[0], None", "return 0 * grads[0], None",
        "no gradient passes an activation that trains under the residual",
        ("train/test_residual.py",),
    ),
)  # fmt: skip
