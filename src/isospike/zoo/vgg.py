"""VGG-16 (Simonyan & Zisserman 2015, configuration D) with batch norm, and VGG-9.

CIFAR form, as in the code of QCFS and NQ: convolution 3x3 with bias, batch norm, activation and
dropout, thirteen times; average-pooling 2x2 in place of max-pooling; then 512-4096-4096-classes.
VGG-9 is its first three stages, of two convolutions each, then 512-512-classes: for small images.
ImageNet form: the layout of torchvision's `vgg16_bn`, whose weights it takes as they are (those of
`vgg16` with `batch_norm=False`); dropout in the classifier only. Those weights were trained with
`pool="max"`.
"""

from __future__ import annotations

from torch import Tensor, nn

from isospike.errors import UsageError
from isospike.zoo.resnet import Activation

POOLS = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}
GRID = 7  # side of what the classifier of the ImageNet form reads


class VGG(nn.Module):
    """`x [B, C, H, W] -> logits [B, classes]`.

    blocks      convolutions in each stage; the width doubles up to eight times
    width       channels of the first stage; `hidden`: units of the fully connected layers
    activation  called once for each site
    size        H = W, in pixels. The CIFAR form reads what its poolings leave: of VGG-16 1 x 1 for
                17 to 32 pixels. An odd side is pooled with ceil mode (28, 14, 7, 4, 2, 1: the mean
                of the pixels that are there), so that weights fit every size of that range and
                no pixel is lost. The ImageNet form takes any size from 32 up.
    pool        "average" or "max"
    dropout     probability; 0 in the code of QCFS and NQ. It never changes a weight's name.

    UsageError for another pool and for a size below 32 in the ImageNet form.
    """

    def __init__(
        self,
        blocks: tuple[int, ...] = (2, 2, 3, 3, 3),
        width: int = 64,
        hidden: int = 4096,
        channels: int = 3,
        classes: int = 10,
        activation: Activation = nn.ReLU,
        size: int = 32,
        pool: str = "average",
        dropout: float = 0.0,
        batch_norm: bool = True,
        imagenet: bool = False,
    ) -> None:
        super().__init__()
        _check(pool, size, imagenet)
        layers: list[nn.Module] = []
        inside, side = channels, size
        for stage, count in enumerate(blocks):
            outside = width * 2 ** min(stage, 3)
            for _ in range(count):
                layers.append(nn.Conv2d(inside, outside, 3, padding=1))
                layers += [nn.BatchNorm2d(outside)] if batch_norm else []
                layers.append(activation())
                layers += [] if imagenet else [nn.Dropout(dropout)]
                inside = outside
            layers.append(POOLS[pool](2, ceil_mode=side % 2 == 1 and not imagenet))
            side = (side + 1) // 2
        self.features = nn.Sequential(*layers)
        self.grid = nn.AdaptiveAvgPool2d(GRID) if imagenet else nn.Identity()
        side = GRID if imagenet else side
        self.classifier = nn.Sequential(
            nn.Linear(inside * side**2, hidden), activation(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden), activation(), nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )  # fmt: skip
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.grid(self.features(x)).flatten(1))

    def _initialise(self) -> None:
        """As in the code of QCFS: He's normal weights by fan-out, linear layers without bias."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)


def _check(pool: str, size: int, imagenet: bool) -> None:
    problems = []
    if pool not in POOLS:
        problems.append(f"unknown pool {pool!r}: one of {', '.join(POOLS)}")
    if imagenet and size < 32:
        problems.append(
            f"images of {size} x {size} pixels vanish in five poolings of the ImageNet form: "
            "32 x 32 is the least; the CIFAR form takes smaller ones"
        )
    if problems:
        raise UsageError("; ".join(problems))
