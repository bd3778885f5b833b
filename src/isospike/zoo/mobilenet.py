"""MobileNetV2 (Sandler et al. 2018, table 2) for small images: the stem and the second stage have
stride 1, so that 32 x 32 pixels end as 4 x 4. Everything else is the paper's: linear bottlenecks
without an activation after the addition, a shortcut only where the shape stays.
"""

from __future__ import annotations

from torch import Tensor, nn

from isospike.zoo.resnet import Activation

# expansion, channels, blocks, stride of the first block
STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
STEM, LAST = 32, 1280


def rounded(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and never more than a tenth below."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else near + 8


def conv_bn(
    inside: int, outside: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    conv = nn.Conv2d(inside, outside, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outside)]


class InvertedResidual(nn.Module):
    """1x1 up to `expansion` times the channels, 3x3 each channel alone, 1x1 down, and the sum."""

    def __init__(
        self, inside: int, outside: int, stride: int, expansion: int, activation: Activation
    ) -> None:
        super().__init__()
        hidden = inside * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += [*conv_bn(inside, hidden, 1), activation()]
        layers += [*conv_bn(hidden, hidden, 3, stride, groups=hidden), activation()]
        layers += conv_bn(hidden, outside, 1)
        self.residual = nn.Sequential(*layers)
        self.has_shortcut = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y = self.residual(x)
        return x + y if self.has_shortcut else y


class MobileNetV2(nn.Module):
    """`x [B, C, H, W] -> logits [B, classes]` for any H, W: the last pooling is global.

    width       multiplies the channels of every layer, rounded to multiples of 8; the last
                convolution never has fewer than 1280
    stages      (expansion, channels, blocks, stride of the first block) of each stage
    activation  called once for each site
    """

    def __init__(
        self,
        width: float = 1.0,
        stages: tuple[tuple[int, int, int, int], ...] = STAGES,
        channels: int = 3,
        classes: int = 10,
        activation: Activation = nn.ReLU6,
    ) -> None:
        super().__init__()
        inside = rounded(STEM * width)
        self.stem = nn.Sequential(*conv_bn(channels, inside, 3), activation())
        layers: list[nn.Module] = []
        for expansion, count, blocks, first in stages:
            outside = rounded(count * width)
            for index in range(blocks):
                stride = first if index == 0 else 1
                layers.append(InvertedResidual(inside, outside, stride, expansion, activation))
                inside = outside
        self.blocks = nn.Sequential(*layers)
        last = rounded(LAST * max(1.0, width))
        self.head = nn.Sequential(*conv_bn(inside, last, 1), activation())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pool(self.head(self.blocks(self.stem(x)))).flatten(1))
