"""Peers of the detectors that torchvision does not have.

Written for this comparison from the papers and from the structure of the published checkpoints, whose
parameter names they have: qfgaohao's ``pytorch-ssd`` for SSD on MobileNet and SSDLite on MobileNetV2,
Megvii's ``YOLOX``. They are no code of those projects. Each gives its raw predictions by name.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Callable, Dict, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional


def rows(output: Tensor, columns: int) -> Tensor:
    """Predictions [batch, pixels * anchors, columns] of a map [batch, anchors * columns, h, w]."""
    return output.flatten(2).transpose(1, 2).reshape(len(output), -1, columns)


def conv_norm_act(
    inputs: int, outputs: int, kernel: int, act: nn.Module, stride: int = 1, groups: int = 1
) -> List[nn.Module]:
    """A convolution without bias, a batch norm and an activation."""
    padding = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs), act]


# Channels and stride of each block of MobileNet after the stem.
V1_BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
V1_BLOCKS += [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
# Expansion, channels, repeats and first stride of each stage of MobileNetV2.
V2_STAGES = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1)]
V2_STAGES += [(6, 160, 3, 2), (6, 320, 1, 1)]


class Residual(nn.Module):
    """An inverted residual of hidden channels, its modules numbered through."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int) -> None:
        super().__init__()
        expand = conv_norm_act(inputs, hidden, 1, nn.ReLU6()) if hidden != inputs else []
        depthwise = conv_norm_act(hidden, hidden, 3, nn.ReLU6(), stride, hidden)
        project = conv_norm_act(hidden, outputs, 1, nn.Identity())[:2]
        self.conv = nn.Sequential(*expand, *depthwise, *project)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on a batch of feature maps."""
        return x + self.conv(x) if self.residual else self.conv(x)


class Ssd(nn.Module):
    """A backbone, further levels and two heads a level, six boxes a pixel."""

    def __init__(
        self,
        base: List[nn.Module],
        extras: List[nn.Module],
        head: Callable[[int, int], nn.Module],
        classes: int,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.base_net = nn.Sequential(*base)
        self.extras = nn.ModuleList(extras)
        self.classification_headers = nn.ModuleList([head(i, 6 * classes) for i in range(6)])
        self.regression_headers = nn.ModuleList([head(i, 6 * 4) for i in range(6)])

    def base(self, x: Tensor) -> List[Tensor]:
        """The features of the backbone that heads see."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        """The raw predictions for a batch of images."""
        maps = self.base(x)
        for layer in self.extras:
            maps.append(layer(maps[-1]))
        parts: Dict[str, List[Tensor]] = {"cls_logits": [], "bbox_regression": []}
        for level, features in enumerate(maps):
            logits = self.classification_headers[level](features)
            parts["cls_logits"].append(rows(logits, self.classes))
            parts["bbox_regression"].append(rows(self.regression_headers[level](features), 4))
        return {name: torch.cat(part, dim=1) for name, part in parts.items()}


class SsdMobileNetV1(Ssd):
    """SSD on MobileNet."""

    def __init__(self, channels: int, classes: int) -> None:
        relu = nn.ReLU()
        base = [nn.Sequential(*conv_norm_act(channels, 32, 3, relu, 2))]
        inputs = 32
        for outputs, stride in V1_BLOCKS:
            depthwise = conv_norm_act(inputs, inputs, 3, relu, stride, inputs)
            base.append(nn.Sequential(*depthwise, *conv_norm_act(inputs, outputs, 1, relu)))
            inputs = outputs
        extras = []
        for between, outputs in [(256, 512), (128, 256), (128, 256), (128, 256)]:
            wide = nn.Conv2d(between, outputs, 3, 2, 1)
            extras.append(nn.Sequential(nn.Conv2d(inputs, between, 1), relu, wide, relu))
            inputs = outputs
        widths = [512, 1024, 512, 256, 256, 256]
        super().__init__(
            base, extras, lambda level, n: nn.Conv2d(widths[level], n, 3, padding=1), classes
        )

    def base(self, x: Tensor) -> List[Tensor]:
        """Before and after the last two blocks."""
        x = self.base_net[:12](x)
        return [x, self.base_net[12:](x)]


class SsdLiteMobileNetV2(Ssd):
    """SSDLite on MobileNetV2."""

    def __init__(self, channels: int, classes: int) -> None:
        base: List[nn.Module] = [nn.Sequential(*conv_norm_act(channels, 32, 3, nn.ReLU6(), 2))]
        inputs = 32
        for expansion, outputs, repeats, stride in V2_STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                base.append(Residual(inputs, expansion * inputs, outputs, step))
                inputs = outputs
        base.append(nn.Sequential(*conv_norm_act(inputs, 1280, 1, nn.ReLU6())))
        sizes = [(1280, 256, 512), (512, 128, 256), (256, 128, 256), (256, 64, 64)]
        extras: List[nn.Module] = [Residual(*size, 2) for size in sizes]
        widths = [576, 1280, 512, 256, 256, 64]

        def head(level: int, outputs: int) -> nn.Module:
            width = widths[level]
            last = nn.Conv2d(width, outputs, 1)
            if level == 5:
                return last
            depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
            return nn.Sequential(depthwise, nn.BatchNorm2d(width), nn.ReLU6(), last)

        super().__init__(base, extras, head, classes)

    def base(self, x: Tensor) -> List[Tensor]:
        """What the 14th block expands, and the end."""
        expanded = self.base_net[14].conv[:3](self.base_net[:14](x))
        return [expanded, self.base_net[15:](self.base_net[14].conv[3:](expanded))]


class BaseConv(nn.Module):
    """A convolution, a batch norm and SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int) -> None:
        super().__init__()
        padding = kernel // 2
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layer on a batch of feature maps."""
        return functional.silu(self.bn(self.conv(x)))


def point(inputs: int, outputs: int) -> BaseConv:
    """A pointwise layer."""
    return BaseConv(inputs, outputs, 1, 1, 1)


def square(inputs: int, outputs: int, depthwise: bool, stride: int = 1) -> nn.Module:
    """A 3x3 layer, or a depthwise and a pointwise one."""
    if not depthwise:
        return BaseConv(inputs, outputs, 3, stride, 1)
    parts = [("dconv", BaseConv(inputs, inputs, 3, stride, inputs)), ("pconv", point(inputs, outputs))]
    return nn.Sequential(OrderedDict(parts))


class Bottleneck(nn.Module):
    """A pointwise and a 3x3 layer, with a shortcut or without."""

    def __init__(self, width: int, shortcut: bool, depthwise: bool) -> None:
        super().__init__()
        self.conv1 = point(width, width)
        self.conv2 = square(width, width, depthwise)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on a batch of feature maps."""
        y = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class CspLayer(nn.Module):
    """Bottlenecks on one half of the channels."""

    def __init__(
        self, inputs: int, outputs: int, repeats: int, shortcut: bool, depthwise: bool
    ) -> None:
        super().__init__()
        half = outputs // 2
        self.conv1, self.conv2 = point(inputs, half), point(inputs, half)
        self.conv3 = point(2 * half, outputs)
        blocks = [Bottleneck(half, shortcut, depthwise) for _ in range(repeats)]
        self.m = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layer on a batch of feature maps."""
        return self.conv3(torch.cat([self.m(self.conv1(x)), self.conv2(x)], dim=1))


class Pooled(nn.Module):
    """Features beside their maxima over windows of three sizes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = point(width, width // 2), point(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layer on a batch of feature maps."""
        x = self.conv1(x)
        pools = [functional.max_pool2d(x, side, 1, side // 2) for side in (5, 9, 13)]
        return self.conv2(torch.cat([x, *pools], dim=1))


class Focus(nn.Module):
    """A layer that sees the pixels of each square of two as channels."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv = BaseConv(4 * channels, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Half as large features of a batch of images."""
        corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
        return self.conv(torch.cat([x[..., i::2, j::2] for i, j in corners], dim=1))


class CspDarknet(nn.Module):
    """The backbone of YOLOX."""

    def __init__(self, channels: int, base: int, depth: int, depthwise: bool) -> None:
        super().__init__()
        self.stem = Focus(channels, base)
        for number, repeats in zip(range(2, 6), (depth, 3 * depth, 3 * depth, depth)):
            inputs, outputs, last = base << (number - 2), base << (number - 1), number == 5
            layers = [square(inputs, outputs, depthwise, 2)]
            layers += [Pooled(outputs)] if last else []
            layers.append(CspLayer(outputs, outputs, repeats, not last, depthwise))
            setattr(self, f"dark{number}", nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """Features with strides of 8, 16 and 32."""
        large = self.dark3(self.dark2(self.stem(x)))
        medium = self.dark4(large)
        return large, medium, self.dark5(medium)


class Pyramid(nn.Module):
    """The backbone, and levels that see each other on the way down and on the way up."""

    def __init__(self, channels: int, base: int, depth: int, depthwise: bool) -> None:
        super().__init__()
        large, medium, small = 4 * base, 8 * base, 16 * base
        csp = lambda inputs, outputs: CspLayer(inputs, outputs, depth, False, depthwise)
        self.backbone = CspDarknet(channels, base, depth, depthwise)
        self.lateral_conv0, self.C3_p4 = point(small, medium), csp(2 * medium, medium)
        self.reduce_conv1, self.C3_p3 = point(medium, large), csp(2 * large, large)
        self.bu_conv2, self.C3_n3 = square(large, large, depthwise, 2), csp(2 * large, medium)
        self.bu_conv1, self.C3_n4 = square(medium, medium, depthwise, 2), csp(2 * medium, small)

    def forward(self, x: Tensor) -> List[Tensor]:
        """Levels with strides of 8, 16 and 32."""
        large, medium, small = self.backbone(x)
        double = lambda y: functional.interpolate(y, scale_factor=2, mode="nearest")
        lateral = self.lateral_conv0(small)
        reduced = self.reduce_conv1(self.C3_p4(torch.cat([double(lateral), medium], dim=1)))
        first = self.C3_p3(torch.cat([double(reduced), large], dim=1))
        second = self.C3_n3(torch.cat([self.bu_conv2(first), reduced], dim=1))
        third = self.C3_n4(torch.cat([self.bu_conv1(second), lateral], dim=1))
        return [first, second, third]


class YoloHead(nn.Module):
    """Two branches a level: one for classes, one for places and for whether there is an object."""

    def __init__(self, base: int, classes: int, depthwise: bool) -> None:
        super().__init__()
        width = 4 * base
        each = lambda make: nn.ModuleList([make(level) for level in range(3)])
        branch = lambda _: nn.Sequential(*[square(width, width, depthwise) for _ in range(2)])
        self.cls_convs, self.reg_convs = each(branch), each(branch)
        self.cls_preds = each(lambda _: nn.Conv2d(width, classes, 1))
        self.reg_preds = each(lambda _: nn.Conv2d(width, 4, 1))
        self.obj_preds = each(lambda _: nn.Conv2d(width, 1, 1))
        self.stems = each(lambda level: point(width << level, width))

    def forward(self, levels: Sequence[Tensor]) -> Dict[str, Tensor]:
        """The raw predictions for levels of features."""
        parts: Dict[str, List[Tensor]] = {"cls_logits": [], "bbox_regression": [], "objectness": []}
        for level, features in enumerate(levels):
            stem = self.stems[level](features)
            classes, places = self.cls_convs[level](stem), self.reg_convs[level](stem)
            said = (
                self.cls_preds[level](classes),
                self.reg_preds[level](places),
                self.obj_preds[level](places),
            )
            for part, output in zip(parts.values(), said):
                part.append(rows(output, output.shape[1]))
        return {name: torch.cat(part, dim=1) for name, part in parts.items()}


class Yolox(nn.Module):
    """YOLOX of a base width and depth."""

    def __init__(
        self, base: int, depth: int, depthwise: bool, channels: int, classes: int
    ) -> None:
        super().__init__()
        self.backbone = Pyramid(channels, base, depth, depthwise)
        self.head = YoloHead(base, classes, depthwise)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        """The raw predictions for a batch of images."""
        return self.head(self.backbone(x))


DETECTORS: Dict[str, Callable[[int, int], nn.Module]] = {
    "ssd300_mobilenet_v1": SsdMobileNetV1,
    "ssdlite300_mobilenet_v2": SsdLiteMobileNetV2,
    "yolox_nano": lambda channels, classes: Yolox(16, 1, True, channels, classes),
    "yolox_tiny": lambda channels, classes: Yolox(24, 1, False, channels, classes),
    "yolox_s": lambda channels, classes: Yolox(32, 1, False, channels, classes),
}
