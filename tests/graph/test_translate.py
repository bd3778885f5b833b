"""Every operator of the table, in every spelling: captured, and still the same function."""

import torch
from torch import nn
from torch.nn import functional as F

from common.captured import Apply, Bend, table
from isospike.activations import ClipQuant
from isospike.graph.rewrite import LIMIT_64

SOURCES = {
    "clip": Apply(ClipQuant(1.5)),
    "CQ": Apply(ClipQuant(0.5, levels=3, shift=0.0)),
    "QCFS": Apply(ClipQuant(1.5, levels=4)),
    "NQ": Apply(ClipQuant(1.5, levels=4, sigma=0.3)),
}
source, sources = table(SOURCES)


@source
def test_a_source_activation_is_one_node_with_its_threshold(case):
    found = sources()
    assert found.error(case) <= LIMIT_64
    (site,) = [node for node in found.nodes(case) if node.is_site]
    module = list(SOURCES.values())[case].function
    assert site.path == f"parts.{case}.function"
    assert site.op == "clip_quant"
    assert site.attrs == {"levels": module.levels or 0, "shift": module.shift}
    assert found.graph.parameters_of(site)["theta"] == module.theta


FOLDED = {
    "conv2d": nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3)),
    "conv1d": (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)), (2, 6)),
    "conv3d": (nn.Sequential(nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4)), (2, 4, 4, 4)),
    "square": nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4)),
    "without bias": nn.Sequential(nn.Conv2d(4, 3, 3, bias=False), nn.BatchNorm2d(3)),
    "grouped": nn.Sequential(nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)),
    "depthwise": nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8)),
    "transposed": nn.Sequential(nn.ConvTranspose2d(4, 3, 3, 2, 1, 1), nn.BatchNorm2d(3)),
    "transposed 1d": (nn.Sequential(nn.ConvTranspose1d(2, 4, 3), nn.BatchNorm1d(4)), (2, 6)),
    "transposed 3d": (nn.Sequential(nn.ConvTranspose3d(2, 3, 2), nn.BatchNorm3d(3)), (2, 3, 3, 3)),
    "transposed, grouped": nn.Sequential(
        nn.ConvTranspose2d(4, 6, 3, groups=2, dilation=2), nn.BatchNorm2d(6)
    ),
    "transposed, square": nn.Sequential(nn.ConvTranspose2d(4, 4, 3), nn.BatchNorm2d(4)),
    "linear": (nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)), (6,)),
    "linear, square": (nn.Sequential(nn.Linear(6, 6, bias=False), nn.BatchNorm1d(6)), (6,)),
    "one channel": nn.Sequential(nn.Conv2d(4, 1, 3), nn.BatchNorm2d(1)),
    "no affine": nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3, affine=False)),
    "large eps": nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3, eps=0.7)),
    "two": nn.Sequential(nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3), nn.BatchNorm2d(3)),
    "a number": Apply(lambda x: 2.5 * x - 0.1),
    "circular": nn.Sequential(
        nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"), nn.BatchNorm2d(3)
    ),
}
folded, folds = table(FOLDED)


@folded
def test_batch_norm_folds_into_the_layer_that_feeds_it(case):
    assert folds().error(case) <= LIMIT_64
    assert "scale_shift" not in folds().ops(case)


class Declared(nn.Module):
    """Batch norms declared in another order than they are called in."""

    def __init__(self) -> None:
        super().__init__()
        self.bn, self.other = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.conv = nn.Conv2d(4, 4, 3)

    def forward(self, x):
        return self.bn(self.conv(F.relu(self.other(x))))


KEPT = {
    "before conv": nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)),
    "before padded conv": nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1)),
    "after add": nn.Sequential(Bend(lambda a, b: a + b), nn.BatchNorm2d(4)),
    "after concat": nn.Sequential(Bend(lambda a, b: torch.cat([a, b], 1)), nn.BatchNorm2d(8)),
    "after relu": nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)),
    "over tokens": (nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(3)), (3, 6)),
    "over as many tokens": (nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)), (3, 6)),
    "over positions": Apply(lambda x: x * torch.arange(6.0)),
    "two readers": Apply(lambda x: (2 * x).relu() + x),
    "declared first": Declared(),
}
kept, keeps = table(KEPT)


@kept
def test_batch_norm_that_cannot_fold_stays_an_affine_step(case):
    assert keeps().error(case) <= LIMIT_64
    assert "scale_shift" in keeps().ops(case)


DROPPED = {
    "dropout": Apply(nn.Dropout(0.5)),
    "dropout2d": Apply(nn.Dropout2d(0.5)),
    "alpha": Apply(nn.AlphaDropout(0.5)),
    "in place": Apply(nn.Dropout(0.5, inplace=True)),
    "functional": Apply(lambda x: F.dropout(x, 0.5, training=False)),
    "identity": Apply(nn.Identity()),
    "contiguous": Apply(lambda x: x.contiguous()),
    "clone": Apply(lambda x: x.clone()),
    "detach": Apply(lambda x: x.detach()),
    "cast": Apply(lambda x: x.to(torch.float64)),
}
dropped, drops = table(DROPPED)


@dropped
def test_what_does_nothing_in_eval_is_dropped(case):
    assert drops().error(case) == 0
    assert set(drops().ops(case)) == {"conv"}


AFFINE = {
    "avg_pool": Apply(nn.AvgPool2d(2)),
    "avg_pool border": Apply(nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)),
    "avg_pool border counted": Apply(nn.AvgPool2d(3, 2, 1, count_include_pad=True)),
    "avg_pool divisor": Apply(nn.AvgPool2d(2, divisor_override=3)),
    "avg_pool F": Apply(lambda x: F.avg_pool2d(x, (2, 3), (1, 2))),
    "avg_pool 1d": (nn.AvgPool1d(3, 2, 1), (2, 6)),
    "avg_pool 3d": (nn.AvgPool3d(2), (2, 4, 4, 4)),
    "adaptive_avg_pool whole": Apply(nn.AdaptiveAvgPool2d(1)),
    "adaptive_avg_pool no divisor": Apply(nn.AdaptiveAvgPool2d((4, 5))),
    "adaptive_avg_pool one side": Apply(nn.AdaptiveAvgPool2d((None, 2))),
    "adaptive_avg_pool 1d": (nn.AdaptiveAvgPool1d(3), (2, 7)),
    "adaptive_avg_pool 3d": (nn.AdaptiveAvgPool3d((2, 1, None)), (2, 4, 4, 4)),
    "max_pool": Apply(nn.MaxPool2d(2)),
    "max_pool ceil": Apply(nn.MaxPool2d(3, 2, 1, ceil_mode=True)),
    "max_pool dilated": Apply(nn.MaxPool2d(2, 1, dilation=2)),
    "max_pool F": Apply(lambda x: F.max_pool2d(x, 2)),
    "max_pool 1d": (nn.MaxPool1d(2), (2, 6)),
    "max_pool 3d": (nn.MaxPool3d(2), (2, 4, 4, 4)),
    "pad zeros": Apply(nn.ZeroPad2d((1, 0, 2, 1))),
    "pad constant": Apply(nn.ConstantPad2d(1, 0.5)),
    "pad reflection": Apply(nn.ReflectionPad2d(2)),
    "pad replication": Apply(nn.ReplicationPad2d(1)),
    "pad channels": Apply(lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2))),
    "reshape flatten": Apply(nn.Flatten()),
    "reshape flatten from 2": Apply(lambda x: x.flatten(2)),
    "reshape unflatten": Apply(lambda x: x.unflatten(1, (2, 2))),
    "reshape view": Apply(lambda x: x.view(x.size(0), -1)),
    "reshape view, batch free": Apply(lambda x: x.view(-1, 4 * 36)),
    "reshape": Apply(lambda x: x.reshape(x.shape[0], 2, 2, 36)),
    "reshape squeeze": Apply(lambda x: x.mean(3, keepdim=True).squeeze(3)),
    "reshape unsqueeze": Apply(lambda x: x.unsqueeze(1)),
    "permute": Apply(lambda x: x.permute(0, 2, 3, 1)),
    "permute negative": Apply(lambda x: x.permute(0, -1, 1, 2)),
    "permute transpose": Apply(lambda x: x.transpose(-1, 1)),
    "slice": Apply(lambda x: x[:, 1:3, ::2, -2:]),
    "slice narrow": Apply(lambda x: x.narrow(1, 1, 2)),
    "slice select": Apply(lambda x: x[:, 1]),
    "slice last": Apply(lambda x: x[:, :, -1]),
    "slice last but one": Apply(lambda x: x.select(1, -2)),
    "slice chunk": Apply(lambda x: x.chunk(2, 1)[1] - x.chunk(2, 1)[0]),
    "slice chunk uneven": Apply(lambda x: x.chunk(4, 3)[-1]),
    "slice split": Apply(lambda x: x.split(3, 1)[1]),
    "slice split sizes": Apply(lambda x: torch.cat(x.split([1, 3], 1)[::-1], 1)),
    "mean": Apply(lambda x: x.mean((2, 3))),
    "mean kept": Apply(lambda x: x.mean(-1, keepdim=True)),
    "sum": Apply(lambda x: x.sum(dim=(2, 3))),
    "sum kept": Apply(lambda x: x.sum(dim=1, keepdim=True)),
    "upsample": Apply(nn.Upsample(scale_factor=2)),
    "upsample to a size": Apply(lambda x: F.interpolate(x, size=(9, 7))),
    "upsample 1d": (nn.Upsample(scale_factor=3), (2, 4)),
    "upsample 3d": (nn.Upsample(scale_factor=2), (2, 2, 2, 2)),
    "add": Apply(lambda x: x + x.relu()),
    "add in place": Apply(lambda x: x.relu().add_(x)),
    "sub": Apply(lambda x: x - x.relu()),
    "sub turned": Apply(lambda x: torch.rsub(x, x.relu())),
    "cat": Apply(lambda x: torch.cat([x, x.relu()], dim=-3)),
    "cat three": Apply(lambda x: torch.concat([x, x.relu(), x], 1)),
    "conv same": nn.Conv2d(4, 3, 3, padding="same", dilation=2),
    "conv valid": nn.Conv2d(4, 3, (1, 3), padding="valid"),
    "conv same 1d": (nn.Conv1d(2, 4, 3, padding="same"), (2, 6)),
    "conv all knobs": nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), groups=2),
    "conv_transpose all knobs": nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), 2, False, (1, 2)),
    "linear over the last": (nn.Linear(6, 3), (2, 4, 6)),
}  # fmt: skip
affine, affines = table(AFFINE)


@affine
def test_every_other_operator(case):
    assert affines().error(case) <= LIMIT_64
    assert list(AFFINE)[case].split()[0] in affines().ops(case)


class Product(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("weight", torch.linspace(-1, 1, 12).reshape(6, 2))

    def forward(self, x):
        return self.function(x, self.weight)


CONSTANTS = {
    "plus a number": Apply(lambda x: x + 0.1),
    "plus, alpha": Apply(lambda x: torch.add(x, 0.1, alpha=3)),
    "a number plus, alpha": Apply(lambda x: torch.add(torch.tensor(0.1), x, alpha=0.3)),
    "minus a number": Apply(lambda x: x - 0.1),
    "minus, alpha": Apply(lambda x: torch.sub(x, 0.1, alpha=0.3)),
    "a number minus": Apply(lambda x: 0.1 - x),
    "a number minus, alpha": Apply(lambda x: torch.rsub(x, 0.3, alpha=0.7)),
    "times": Apply(lambda x: x * 0.1),
    "times channels": Apply(lambda x: x * torch.linspace(-1, 1, 4).reshape(1, 4, 1, 1)),
    "over": Apply(lambda x: x / 0.3),
    "over a whole number": Apply(lambda x: x / 3),
    "over channels": Apply(lambda x: x / torch.linspace(0.3, 1, 4).reshape(4, 1, 1)),
    "negative": Apply(lambda x: -x),
    "in place": Apply(lambda x: x.mul_(0.3).add_(0.7).div_(0.9)),
    "masked": Apply(lambda x: x * torch.tensor([True, False, True]).repeat(2)),
    "plus ones": Apply(lambda x: x + torch.ones_like(x)),
    "plus ones of channels": Apply(lambda x: x + torch.ones_like(x).sum(1, keepdim=True)),
    "plus zeros of another shape": Apply(
        lambda x: x + x.new_zeros(6, 6).add(0.3).reshape(1, 1, 6, 6)
    ),
    "plus ones of a batch": Apply(lambda x: x + x.new_ones(x.shape[0], 1, 6, 6)),
    "spread": Apply(lambda x: x[:, :1] * torch.linspace(0, 1, 3).reshape(1, 3, 1, 1)),
    "matmul": Product(lambda x, w: x @ w),
    "mm": Product(lambda x, w: torch.mm(x.flatten(1)[:, :6], w)),
    "addmm": Product(lambda x, w: torch.addmm(w[0], x.flatten(1)[:, :6], w)),
    "conv of a standardised weight": Product(
        lambda x, w: F.conv1d(
            x.flatten(2)[:, :2], F.batch_norm(w[None], None, None, training=True).reshape(6, 2, 1)
        )
    ),
    "linear of a computed weight": Product(lambda x, w: F.linear(x, w.t() * 0.3, w[0].cumsum(0))),
}
constant, constants = table(CONSTANTS)


@constant
def test_constants_keep_their_precision(case):
    assert constants().error(case) <= LIMIT_64
