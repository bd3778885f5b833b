"""Residual networks of basic blocks (He et al. 2016) as the conversion papers use them: 1x1
convolution and batch norm on a shortcut that changes shape, the activation after the addition.

CIFAR form: stem 3x3, stride 1, no pooling. ResNet-20 has 16-32-64 channels in three stages of three
blocks (section 4.2); ResNet-8x4 one block in each and four times the width, since wide and shallow
networks lose less in few steps; ResNet-18 and ResNet-34 have 64-128-256-512 in four.
ImageNet form: stem 7x7, stride 2, then max-pooling 3x3, stride 2; what becomes of the pooling is
the recipe's to say.
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
    """`x [B, C, H, W] -> logits [B, classes]` for any H, W: the last pooling is global.

    blocks      number of blocks in each stage; the width doubles and the side halves from stage to
                stage: (3, 3, 3) ResNet-20, (2, 2, 2, 2) ResNet-18, (3, 4, 6, 3) ResNet-34
    width       channels of the first stage
    activation  called once for each site
    imagenet    the stem of the ImageNet form
    """

    def __init__(
        self,
        blocks: tuple[int, ...] = (3, 3, 3),
        width: int = 16,
        channels: int = 3,
        classes: int = 10,
        activation: Activation = nn.ReLU,
        imagenet: bool = False,
    ) -> None:
        super().__init__()
        kernel, stride = (7, 2) if imagenet else (3, 1)
        self.conv = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(width)
        self.act = activation()
        self.stem_pool = nn.MaxPool2d(3, 2, 1) if imagenet else nn.Identity()
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
        x = self.stem_pool(self.act(self.bn(self.conv(x))))
        return self.fc(self.pool(self.blocks(x)).flatten(1))
