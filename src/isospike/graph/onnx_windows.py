"""ONNX operators with windows: convolutions, poolings, enlarging."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isospike.graph import translate
from isospike.graph.onnx_node import OnnxNode
from isospike.graph.ops import NEVER_NEGATIVE
from isospike.graph.translate import Call, Refusal, Value

Rule = Callable[[OnnxNode], Value]


def window(node: OnnxNode, name: str, rank: int, default: int = 1) -> list[int]:
    return list(node.attrs.get(name, [default] * rank))


def pads(node: OnnxNode, x: Value, kernel: Sequence[int]) -> tuple[list[int], list[int]]:
    """Padding before and after each axis, `auto_pad` worked out."""
    rank = len(kernel)
    stride, dilation = window(node, "strides", rank), window(node, "dilations", rank)
    auto = node.attrs.get("auto_pad", b"NOTSET").decode()
    if auto == "NOTSET":
        both = window(node, "pads", 2 * rank, 0)
        return both[:rank], both[rank:]
    if auto == "VALID":
        return [0] * rank, [0] * rank
    needed = []
    for length, k, s, d in zip(x.shape[1:], kernel, stride, dilation, strict=True):
        reach = (-(-length // s) - 1) * s + (k - 1) * d + 1
        needed.append(max(reach - length, 0))
    less, more = [n // 2 for n in needed], [n - n // 2 for n in needed]
    return (less, more) if auto == "SAME_UPPER" else (more, less)


def padded(node: OnnxNode, x: Value, before: list[int], after: list[int]) -> Value:
    """x with zeros around it."""
    amounts = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
    return node.emit(translate.pad(x, amounts))


def evened(node: OnnxNode, x: Value, kernel: Sequence[int]) -> tuple[Value, list[int]]:
    """x and a padding that is the same on both sides: what differs becomes a step of its own."""
    before, after = pads(node, x, kernel)
    if before == after:
        return x, before
    return padded(node, x, before, after), [0] * len(kernel)


def conv(node: OnnxNode) -> Value:
    x, weight, bias = node.value(), node.tensor(1), node.tensor(2)
    assert weight is not None
    rank = weight.dim() - 2
    x, padding = evened(node, x, weight.shape[2:])
    return node.emit(translate.conv(
        x, weight, bias, window(node, "strides", rank), padding, window(node, "dilations", rank),
        node.attrs.get("group", 1),
    ))  # fmt: skip


def conv_transpose(node: OnnxNode) -> Value:
    x, weight, bias, attrs = node.value(), node.tensor(1), node.tensor(2), node.attrs
    assert weight is not None
    rank = weight.dim() - 2
    both = window(node, "pads", 2 * rank, 0)
    auto = attrs.get("auto_pad", b"NOTSET").decode()
    if "output_shape" in attrs or both[:rank] != both[rank:] or auto not in ("NOTSET", "VALID"):
        raise Refusal(
            "ConvTranspose with uneven or computed padding", "Not in the table.",
            "give the same pads on both sides, and no output_shape",
        )  # fmt: skip
    return node.emit(translate.conv_transpose(
        x, weight, bias, window(node, "strides", rank), both[:rank],
        window(node, "output_padding", rank, 0), attrs.get("group", 1),
        window(node, "dilations", rank),
    ))  # fmt: skip


def average_pool(node: OnnxNode) -> Value:
    x, kernel = node.value(), list(node.attrs["kernel_shape"])
    counted = bool(node.attrs.get("count_include_pad", 0))
    before, after = pads(node, x, kernel)
    if any(d != 1 for d in window(node, "dilations", len(kernel))):
        raise Refusal("AveragePool with dilation", "Not in the table.", "use a convolution")
    if before != after and not counted:
        raise Refusal(
            "AveragePool with uneven padding that does not count", "Its weights vary by place.",
            "set count_include_pad=1, or pad before",
        )  # fmt: skip
    x, padding = evened(node, x, kernel)
    stride, ceil = window(node, "strides", len(kernel)), bool(node.attrs.get("ceil_mode", 0))
    return node.emit(translate.avg_pool(x, kernel, stride, padding, ceil, counted))


def max_pool(node: OnnxNode) -> Value:
    x, kernel, rank = (
        node.value(),
        list(node.attrs["kernel_shape"]),
        len(node.attrs["kernel_shape"]),
    )
    if node.outputs > 1:
        raise Refusal(
            "max-pool that returns indices", "Spikes have no place of the maximum.", "ask for one"
        )
    before, after = pads(node, x, kernel)
    if before != after and node.producer(x) not in NEVER_NEGATIVE:
        raise Refusal(
            "max-pool with uneven padding of values that may be negative",
            "Zeros would win against them.", "pool after the activation",
        )  # fmt: skip
    x, padding = evened(node, x, kernel)
    return node.emit(translate.max_pool(
        x, kernel, window(node, "strides", rank), padding, window(node, "dilations", rank),
        bool(node.attrs.get("ceil_mode", 0)),
    ))  # fmt: skip


def global_average_pool(node: OnnxNode) -> Value:
    x = node.value()
    return node.emit(Call("adaptive_avg_pool", (x,), {"size": (1,) * (x.rank - 2)}))


def global_max_pool(node: OnnxNode) -> Value:
    x = node.value()
    return node.emit(translate.max_pool(x, x.shape[1:]))


# Where a pixel comes from, for which enlarging by a whole number repeats every pixel.
REPEATING = {
    ("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"),
    ("half_pixel", "round_prefer_ceil"),
}  # fmt: skip


def resize(node: OnnxNode) -> Value:
    """Nearest neighbour by whole numbers."""
    x, attrs = node.value(), node.attrs
    mode = attrs.get("mode", b"nearest").decode()
    place = attrs.get("coordinate_transformation_mode", b"half_pixel").decode()
    nearest = attrs.get("nearest_mode", b"round_prefer_floor").decode()
    scales = node.tensor(2)
    if scales is not None and scales.numel():
        factors = scales.tolist()
    else:
        sizes = node.constant(3)
        factors = [1.0, *(int(n) / m for n, m in zip(sizes[1:], x.shape, strict=True))]  # type: ignore[index]
    whole = all(f == round(f) and f >= 1 for f in factors) and factors[:2] == [1, 1]
    if mode != "nearest" or (place, nearest) not in REPEATING or not whole or "axes" in attrs:
        raise Refusal(
            f"Resize, {mode}, {place}, {nearest}, by {factors}",
            "Read is the nearest neighbour by whole numbers.",
            "export it with scale_factor=2 and mode='nearest'",
        )
    return node.emit(Call("upsample", (x,), {"size": None, "scale": tuple(factors[2:])}))


WINDOWS: dict[str, Rule] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "AveragePool": average_pool,
    "MaxPool": max_pool,
    "GlobalAveragePool": global_average_pool,
    "GlobalMaxPool": global_max_pool,
    "Resize": resize,
}
