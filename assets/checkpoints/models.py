"""The network architectures of the embedded checkpoints and of the parity fixtures.

Seven families, each written so that the names in ``state_dict()`` are those that users'
checkpoints carry:

* CIFAR ResNets (He et al. 2016): with parameter-free "option A" shortcuts, named as in
  Y. Idelbayev's ``pytorch_resnet_cifar10``, and with projections, "option B", named as in
  chenyaofo's ``pytorch-cifar-models``;
* MobileNet (Howard et al. 2017), named as in timm since 1.0;
* MobileNetV2 (Sandler et al. 2018), named as in torchvision, with either the ImageNet strides or
  the usual CIFAR strides;
* VGG (Simonyan and Zisserman 2015) and ShuffleNetV2 (Ma et al. 2018) for CIFAR, named as in
  torchvision;
* Vision Transformers (Dosovitskiy et al. 2021) with class-token pooling, named as in timm;
* SSD (Liu et al. 2016) on a CIFAR ResNet, named like torchvision's SSDs (see ``detection.py`` for
  its boxes and its loss).

Models called ``cifar10_*`` and ``cifar100_*`` are those of ``pytorch-cifar-models``.

:func:`build` maps a model name to a network.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, Dict, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around an identity or option A shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.subsample = stride != 1 or inputs != planes

    def shortcut(self, x: Tensor) -> Tensor:
        """The identity, or every second pixel with a quarter of the planes of zeros each side."""
        if not self.subsample:
            return x
        pad = self.conv1.out_channels // 4
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, pad, pad))

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on a batch of feature maps."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet(nn.Module):
    """A CIFAR ResNet of depth ``6 * blocks + 2`` with 16, 32 and 64 planes."""

    def __init__(self, blocks: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self._stage(16, 16, 1, blocks)
        self.layer2 = self._stage(16, 32, 2, blocks)
        self.layer3 = self._stage(32, 64, 2, blocks)
        self.linear = nn.Linear(64, classes)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    @staticmethod
    def _stage(inputs: int, planes: int, stride: int, blocks: int) -> nn.Sequential:
        rest = [ResidualBlock(planes, planes, 1) for _ in range(blocks - 1)]
        return nn.Sequential(ResidualBlock(inputs, planes, stride), *rest)

    def features(self, x: Tensor) -> Tensor:
        """Feature maps of a batch of images, a quarter of their size."""
        x = functional.relu(self.bn1(self.conv1(x)))
        return self.layer3(self.layer2(self.layer1(x)))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.linear(self.features(x).mean(dim=(2, 3)))


class ProjectionBlock(ResidualBlock):
    """The same with option B: a 1x1 convolution where the number of planes changes."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__(inputs, planes, stride)
        if self.subsample:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def shortcut(self, x: Tensor) -> Tensor:
        """The identity or the projection."""
        return self.downsample(x) if self.subsample else x


class ProjectionResNet(nn.Module):
    """A CIFAR ResNet with projections, whose head is called ``fc``."""

    def __init__(self, blocks: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        for number, (inputs, planes) in enumerate([(16, 16), (16, 32), (32, 64)], start=1):
            first = ProjectionBlock(inputs, planes, planes // inputs)
            rest = [ProjectionBlock(planes, planes, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(first, *rest))
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean(dim=(2, 3)))


# Convolutions in each stage of VGG (Table 1), by the number of layers.
VGG_DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2,) * 5, 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class SmallVgg(nn.Module):
    """VGG with batch norms for images of 32 pixels, with 512 features in the classifier."""

    def __init__(self, layers: int, channels: int, classes: int) -> None:
        super().__init__()
        features: List[nn.Module] = []
        for depth, planes in zip(VGG_DEPTHS[layers], (64, 128, 256, 512, 512)):
            for _ in range(depth):
                features += [nn.Conv2d(channels, planes, 3, padding=1), nn.BatchNorm2d(planes)]
                features.append(nn.ReLU())
                channels = planes
            features.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*features)
        hidden = [nn.Linear(512, 512), nn.ReLU(), nn.Dropout()]
        more = [nn.Linear(512, 512), nn.ReLU(), nn.Dropout()]
        self.classifier = nn.Sequential(*hidden, *more, nn.Linear(512, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.classifier(self.features(x).flatten(1))


class ShuffleBlock(nn.Module):
    """A unit of ShuffleNetV2 (Figure 3 c and d), which halves the image where ``stride`` is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.halves = stride == 2
        taken = inputs if self.halves else half
        if self.halves:
            self.branch1 = nn.Sequential(
                nn.Conv2d(inputs, inputs, 3, 2, 1, groups=inputs, bias=False),
                nn.BatchNorm2d(inputs),
                nn.Conv2d(inputs, half, 1, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(),
            )
        self.branch2 = nn.Sequential(
            nn.Conv2d(taken, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.Conv2d(half, half, 3, stride, 1, groups=half, bias=False),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, 1, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run the unit on a batch of feature maps."""
        if self.halves:
            left, right = self.branch1(x), self.branch2(x)
        else:
            left, right = x.chunk(2, dim=1)
            right = self.branch2(right)
        # Planes of both branches in turn.
        return torch.stack([left, right], dim=2).flatten(1, 2)


# Channels of each stage of ShuffleNetV2 and of its last convolution (Table 5), by width.
SHUFFLE_WIDTHS = {
    "0_5": (48, 96, 192, 1024),
    "1_0": (116, 232, 464, 1024),
    "1_5": (176, 352, 704, 1024),
    "2_0": (244, 488, 976, 2048),
}


class SmallShuffleNet(nn.Module):
    """ShuffleNetV2 with a stem that keeps the size of the image."""

    def __init__(self, width: str, channels: int, classes: int) -> None:
        super().__init__()
        *stages, last = SHUFFLE_WIDTHS[width]
        inputs = 24
        self.conv1 = nn.Sequential(
            nn.Conv2d(channels, inputs, 3, padding=1, bias=False), nn.BatchNorm2d(inputs), nn.ReLU()
        )
        for number, (outputs, repeats) in enumerate(zip(stages, (4, 8, 4)), start=2):
            rest = [ShuffleBlock(outputs, outputs, 1) for _ in range(repeats - 1)]
            stage = nn.Sequential(ShuffleBlock(inputs, outputs, 2), *rest)
            setattr(self, f"stage{number}", stage)
            inputs = outputs
        self.conv5 = nn.Sequential(
            nn.Conv2d(inputs, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU()
        )
        self.fc = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.stage4(self.stage3(self.stage2(self.conv1(x))))
        return self.fc(self.conv5(x).mean(dim=(2, 3)))


class SeparableConvolution(nn.Module):
    """A depthwise and a pointwise convolution, each with batch norm and ReLU6."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv_pw = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on a batch of feature maps."""
        x = functional.relu6(self.bn1(self.conv_dw(x)))
        return functional.relu6(self.bn2(self.conv_pw(x)))


# (channels, blocks, stride of the first) of each stage of MobileNet.
SEPARABLE_STAGES = ((64, 1, 1), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 2))


class MobileNetV1(nn.Module):
    """MobileNet of full width."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(channels, 32, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        inputs, stages = 32, []
        for outputs, repeats, stride in SEPARABLE_STAGES:
            blocks = [SeparableConvolution(inputs, outputs, stride)]
            blocks += [SeparableConvolution(outputs, outputs, 1) for _ in range(repeats - 1)]
            stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.blocks = nn.Sequential(*stages)
        self.classifier = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = functional.relu6(self.bn1(self.conv_stem(x)))
        return self.classifier(self.blocks(x).mean(dim=(2, 3)))


# (expansion, channels, repeats, stride of the first) of each group of inverted residuals.
MOBILENET_GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round to a multiple of ``divisor``, never by more than a tenth downwards."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * value else rounded + divisor


def conv_bn_relu6(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution without bias, batch norm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(),
    )


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and linear projection."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [conv_bn_relu6(inputs, hidden, 1)] if expansion != 1 else []
        self.conv = nn.Sequential(
            *expand,
            conv_bn_relu6(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on a batch of feature maps."""
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2; ``small_input`` takes the stride out of the stem and of the second group."""

    def __init__(self, width: float, small_input: bool, channels: int, classes: int) -> None:
        super().__init__()
        inputs = make_divisible(32 * width)
        last = make_divisible(1280 * max(1.0, width))
        features: List[nn.Module] = [conv_bn_relu6(channels, inputs, 3, 1 if small_input else 2)]
        for group, (expansion, base, repeats, first_stride) in enumerate(MOBILENET_GROUPS):
            outputs = make_divisible(base * width)
            if small_input and group == 1:
                first_stride = 1
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                features.append(InvertedResidual(inputs, outputs, stride, expansion))
                inputs = outputs
        features.append(conv_bn_relu6(inputs, last, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        return self.classifier(self.features(x).mean(dim=(2, 3)))


class PatchEmbed(nn.Module):
    """Non-overlapping patches, projected and laid out as tokens in row-major order."""

    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [batch, patches, dim] of images."""
        return self.proj(x).flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention with one projection for queries, keys and values."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend over the tokens of each image."""
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        weights = (query * self.scale @ key.transpose(-2, -1)).softmax(dim=-1)
        return self.proj((weights @ value).transpose(1, 2).reshape(batch, tokens, dim))


class Mlp(nn.Module):
    """Two linear layers around an exact GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each token."""
        return self.fc2(self.act(self.fc1(x)))


class TransformerBlock(nn.Module):
    """Pre-norm attention and MLP, each with a residual."""

    def __init__(self, dim: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = Mlp(dim, dim * mlp_ratio)

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on tokens."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """A Vision Transformer that classifies by its class token."""

    def __init__(
        self,
        image: int,
        patch: int,
        dim: int,
        depth: int,
        heads: int,
        channels: int,
        classes: int,
        mlp_ratio: int = 4,
    ) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (image // patch) ** 2, dim))
        self.patch_embed = PatchEmbed(channels, dim, patch)
        self.blocks = nn.Sequential(
            *[TransformerBlock(dim, heads, mlp_ratio) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.head = nn.Linear(dim, classes)
        nn.init.trunc_normal_(self.pos_embed, std=0.2)
        nn.init.trunc_normal_(self.cls_token, std=0.2)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = self.patch_embed(x)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class SsdFeatures(ResNet):
    """The features of a CIFAR ResNet, and two layers more that halve them."""

    def __init__(self, blocks: int, channels: int) -> None:
        super().__init__(blocks, channels, 1)
        del self.linear
        extra = [
            nn.Sequential(nn.Conv2d(64, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
            for _ in range(2)
        ]
        self.extra = nn.ModuleList(extra)

    def forward(self, x: Tensor) -> List[Tensor]:  # type: ignore[override]
        """Feature maps of a batch of images with strides of 4, 8 and 16."""
        maps = [self.features(x)]
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        return maps


class SsdScores(nn.Module):
    """A 3x3 convolution for each feature map, whose outputs are gathered box by box."""

    def __init__(self, maps: int, boxes: int, columns: int) -> None:
        super().__init__()
        self.columns = columns
        self.module_list = nn.ModuleList(
            [nn.Conv2d(64, boxes * columns, 3, padding=1) for _ in range(maps)]
        )

    def forward(self, maps: List[Tensor]) -> Tensor:
        """Rows [batch, boxes, columns]: map by map, pixel by pixel, the boxes of a pixel together."""
        outputs = [layer(features) for layer, features in zip(self.module_list, maps)]
        rows = [output.flatten(2).transpose(1, 2) for output in outputs]
        return torch.cat([row.reshape(len(row), -1, self.columns) for row in rows], dim=1)


class SsdHead(nn.Module):
    """What three feature maps say of the classes and the places of four boxes a pixel."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classification_head = SsdScores(3, 4, classes)
        self.regression_head = SsdScores(3, 4, 4)


class SsdResNet(nn.Module):
    """SSD on a CIFAR ResNet; the first of the classes is the background."""

    def __init__(self, blocks: int, channels: int, classes: int) -> None:
        super().__init__()
        self.backbone = SsdFeatures(blocks, channels)
        self.head = SsdHead(classes)

    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        """``cls_logits`` [batch, boxes, classes] and ``bbox_regression`` [batch, boxes, 4]."""
        maps = self.backbone(x)
        return {
            "cls_logits": self.head.classification_head(maps),
            "bbox_regression": self.head.regression_head(maps),
        }


_BUILDERS: Dict[str, Callable[[int, int], nn.Module]] = {
    "resnet20": lambda channels, classes: ResNet(3, channels, classes),
    "resnet32": lambda channels, classes: ResNet(5, channels, classes),
    "resnet44": lambda channels, classes: ResNet(7, channels, classes),
    "resnet56": lambda channels, classes: ResNet(9, channels, classes),
    "resnet110": lambda channels, classes: ResNet(18, channels, classes),
    "mobilenetv1_100": lambda channels, classes: MobileNetV1(channels, classes),
    "mobilenet_v2": lambda channels, classes: MobileNetV2(1.0, False, channels, classes),
    "mobilenetv2_x0_25": lambda channels, classes: MobileNetV2(0.25, True, channels, classes),
    "mobilenetv2_x0_5": lambda channels, classes: MobileNetV2(0.5, True, channels, classes),
    "mobilenetv2_x0_75": lambda channels, classes: MobileNetV2(0.75, True, channels, classes),
    "mobilenetv2_x1_0": lambda channels, classes: MobileNetV2(1.0, True, channels, classes),
    "mobilenetv2_x1_4": lambda channels, classes: MobileNetV2(1.4, True, channels, classes),
    "vit_micro_patch4_28": lambda channels, classes: VisionTransformer(
        28, 4, 64, 6, 4, channels, classes
    ),
    "ssd_resnet20": lambda channels, classes: SsdResNet(3, channels, classes),
}



def _small_models() -> Dict[str, Callable[[int, int], nn.Module]]:
    """The networks of ``pytorch-cifar-models``, whose names do not say for how many classes."""
    widths = {"0_5": 0.5, "0_75": 0.75, "1_0": 1.0, "1_4": 1.4}
    return {
        **{f"resnet{6 * n + 2}": partial(ProjectionResNet, n) for n in (3, 5, 7, 9)},
        **{f"vgg{layers}_bn": partial(SmallVgg, layers) for layers in VGG_DEPTHS},
        **{f"mobilenetv2_x{w}": partial(MobileNetV2, widths[w], True) for w in widths},
        **{f"shufflenetv2_x{w}": partial(SmallShuffleNet, w) for w in SHUFFLE_WIDTHS},
    }


for _name, _builder in _small_models().items():
    _BUILDERS[f"cifar10_{_name}"] = _BUILDERS[f"cifar100_{_name}"] = _builder

MODEL_NAMES: Sequence[str] = tuple(_BUILDERS)


def build(name: str, channels: int, classes: int) -> nn.Module:
    """The network called ``name``, freshly initialised, for images of ``channels`` channels."""
    return _BUILDERS[name](channels, classes)


def prunable_layers(model: nn.Module) -> List[Tuple[str, nn.Module]]:
    """The convolution and linear modules of ``model`` with their names, in module order."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
