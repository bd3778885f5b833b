"""The Triton kernel of the IF neuron (units/binary.py); one program walks BLOCK neurons in time."""

import triton  # type: ignore[reportMissingImports]
import triton.language as tl  # type: ignore[reportMissingImports]


@triton.jit
def integrate_and_fire(
    z, out, membrane, theta, bias, ends, counts, size, neurons, readings,
    HELD: tl.constexpr, BIASED: tl.constexpr, HARD: tl.constexpr, LEAK: tl.constexpr,  # noqa: N803
    CAP: tl.constexpr, BLOCK: tl.constexpr,  # noqa: N803
):  # fmt: skip
    """z [T or 1, size], out [T, size], membrane [size]; theta, bias [neurons]; ends [readings + 1];
    counts [readings, neurons], added to."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    own = place < size
    neuron = place % neurons
    v = tl.load(membrane + place, mask=own, other=0.0)
    threshold = tl.load(theta + neuron)
    constant = tl.load(bias + neuron)
    source, sink = z + place, out + place
    for reading in range(readings):
        fired = tl.zeros((BLOCK,), dtype=tl.int64)
        for _ in range(tl.load(ends + reading), tl.load(ends + reading + 1)):
            drive = tl.load(source, mask=own, other=0.0).to(tl.float32)
            if BIASED:
                drive = drive + constant
            if LEAK != 1.0:
                v = v * LEAK
            v = v + tl.div_rn(drive, threshold)
            if CAP == 1:
                spikes = tl.where(v >= 1.0, 1.0, 0.0)
            else:
                spikes = tl.minimum(tl.maximum(tl.floor(v), 0.0), CAP)
            v = tl.where(spikes > 0, 0.0, v) if HARD else v - spikes
            tl.store(sink, (spikes * threshold).to(out.dtype.element_ty), mask=own)
            fired += spikes.to(tl.int64)
            source += 0 if HELD else size
            sink += size
        tl.atomic_add(counts + reading * neurons + neuron, fired, mask=own)
    tl.store(membrane + place, v, mask=own)
