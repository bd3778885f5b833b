"""ResNet-20 for small images (He et al. 2016, section 4.2), as the conversion papers use it:
16-32-64 channels, three blocks a stage, 1x1 convolution and batch norm on a shortcut that
changes shape, and the activation after the addition.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

Activation = Callable[[], nn.Module]


class BasicBlock(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.act1 = activation()
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        self.act2 = activation()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.act1(self.bn1(self.conv1(x)))
        return self.act2(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """`x [B, C, H, W] -> logits [B, classes]`; `blocks` per stage, the width doubles each stage."""

    def __init__(
        self,
        blocks: tuple[int, ...] = (3, 3, 3),
        width: int = 16,
        channels: int = 3,
        classes: int = 10,
        activation: Activation = nn.ReLU,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.act = activation()
        layers: list[nn.Module] = []
        inside = width
        for stage, count in enumerate(blocks):
            outside = width * 2**stage
            for index in range(count):
                stride = 2 if stage and index == 0 else 1
                layers.append(BasicBlock(inside, outside, stride, activation))
                inside = outside
        self.blocks = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inside, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.act(self.bn(self.conv(x))))
        return self.fc(self.pool(x).flatten(1))
