#!/usr/bin/env python3
"""Write models/FAMILY.json: outputs, sizes and layers of networks with weights anyone can make.

A parameter or buffer called NAME takes its values from a fixed generator. With h the 64-bit FNV-1a
hash of the bytes of NAME, element i (from 0, in row-major order) takes z, the splitmix64 finalizer
of h + (i + 1) * 0x9E3779B97F4A7C15 modulo 2^64, and u = (z >> 40) / 2^24, so that 0 <= u < 1:

* ``*running_var``: 0.5 + u;
* ``*running_mean``: (2 u - 1) * 0.1;
* ``*.weight`` of rank 2 or more: (2 u - 1) * sqrt(3 / fan_in), where fan_in is the number of
  elements over the first dimension; times 1.5 where NAME contains ``.0.block.``, and times 1.25
  where it contains ``.block.`` otherwise: these are the inverted residuals of torchvision's
  EfficientNet and MobileNetV3, whose gates would else leave of the image no more than a millionth;
  times 1.25 where NAME ends with ``.conv_dw.weight``, which are depthwise convolutions of timm's;
  times 1.4 besides for those of detectors, whose last levels would else see nothing of the image:
  where NAME begins with ``head.`` and contains ``conv`` or ``stems``, and where it begins with
  ``base_net.``, ``extras.`` or ``backbone.``, but for inverted residuals and ResNets: ``.conv.`` of
  the first two, ``.block.``, ``.body.`` and ``.layer`` of the third;
* ``*.weight`` of rank 1, which are the scales of norms: 0.5 + u;
* ``*.conv_expand.bias``: (2 u - 1) * 0.1 + 2, which opens the gates of timm's for the same reason;
* all others, which are biases and embeddings: (2 u - 1) * 0.1.

Buffers of integers, such as indices into a table, stay as they are.

The input is called "input" and is 2 u - 1, for a batch of two images. All of this is computed in
f64 and rounded to f32 at the end.

Logits are computed in f32 and in evaluation mode; ``f32_deviation`` is the largest difference from
the same network run in f64, as a measure of the rounding to expect. ``parameters`` leaves buffers
out, and ``macs`` counts the multiply-accumulates of convolutions and linear layers for one image.
``prunable`` lists the convolutions and linear layers in module order, each with its weight's shape.

Detectors give more than logits: each of ``outputs`` has a name, a shape, and the values of some of
its rows for each image: among them the last one, the second, the fourth, the eighth and so on from
the end, which reach into every level.

U-Nets take a time step for each image besides, ``timesteps``. Of the noise they tell, rows of pixels
are given in the same way, those of all channels one after the other; and so of the images that
decoders make of latents. ``overrides`` are options in which a network differs from the one of its name.

Networks come from torchvision (0.14), from timm (0.9.16), from diffusers (0.21), from pytorch-fid (0.3),
or, where none has them, from the module beside the embedded checkpoints and from ``detectors.py``. ``source`` says which. A name after
a colon makes it a test of names: the other publisher's network of that name, whose parameters are
called otherwise and may be laid out otherwise, is the same function.

``preprocess`` is how the publisher of the checkpoint says that images are to be resized, cut, and
normalised: torchvision's ``transforms()`` of its first weights, timm's configuration of its default
ones, for others what PREPROCESSING has.

With --peers, the logits of what that module has are also compared with those of torchvision's
MobileNetV2 and of timm's Vision Transformer with the same weights.

Examples:
    python3 models.py
    python3 models.py resnet vgg
"""

from __future__ import annotations

import argparse
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from common import HERE, digits, uniform, write_json
from detectors import DETECTORS
from models import build, prunable_layers
from unets import DECODERS, TIMESTEPS, UNet2DModel, VQModel, before, decoder, unet


class Case(NamedTuple):
    """A network: its name, where it comes from, and with what it is built."""

    model: str
    source: str
    channels: int = 3
    size: int = 64
    classes: int = 10
    # Images a batch.
    batch: int = 2
    # Options in which it differs from the network of that name.
    overrides: Dict[str, Any] = {}


def cifar(prefix: str, *sizes: object) -> List[Case]:
    """The networks for CIFAR of some sizes, without and with classes enough for CIFAR-100."""
    return [
        Case(f"cifar{classes}_{prefix}{size}", "checkpoints", 3, 32, classes, 1)
        for classes in (10, 100)
        for size in sizes
    ]


# Diffusers' networks with old names for the projections of attention.
BEFORE = "diffusers before 0.18:"
# Latent diffusion in small, with several heads of attention.
SMALL_UNET = {"block_out_channels": [32, 64, 96], "attention": [1, 2]}
SMALL_DECODER = {"block_out_channels": [16, 24, 32], "norm_num_groups": 8, "num_vq_embeddings": 64}

# The families of the program, with their networks. One file of fixtures each.
FAMILIES: Dict[str, List[Case]] = {
    "efficientnet": [
        *(Case(f"efficientnet_b{number}", "torchvision") for number in range(5)),
        Case("efficientnet_b0", "timm:efficientnet_b0"),
    ],
    "efficientnet-lite": [
        *(Case(f"efficientnet_lite{number}", "timm") for number in range(3)),
        # Sides that are odd and even on the way, for padding that depends on it.
        Case("tf_efficientnet_lite0", "timm", size=75),
    ],
    "mnasnet": [
        *(Case(f"mnasnet{width}", "torchvision") for width in ("0_5", "1_0")),
        Case("mnasnet0_5", "timm:mnasnet_050"),
    ],
    "mobilenetv1": [Case("mobilenetv1_100", "checkpoints")],
    "densenet": [
        *(Case(f"densenet{depth}", "torchvision", batch=1) for depth in (121, 161, 169, 201)),
    ],
    "googlenet": [Case("googlenet", "torchvision", batch=1)],
    "inception-v3": [
        # The smallest size at which the last stage has more than one pixel.
        Case("inception_v3", "torchvision", size=107, batch=1),
        Case("fid_inception_v3", "pytorch-fid", size=107, classes=1008, batch=1),
    ],
    "resnet-cifar": [
        Case("resnet20", "checkpoints", 1, 28),
        *(Case(f"resnet{depth}", "checkpoints", 3, 32) for depth in (20, 32, 44, 56, 110)),
        *cifar("resnet", 20, 32, 44, 56),
    ],
    "resnet": [
        Case("resnet18", "torchvision"),
        Case("resnet34", "torchvision"),
        Case("resnet50", "torchvision"),
        Case("resnet101", "torchvision"),
        Case("resnet152", "torchvision"),
        Case("wide_resnet50_2", "torchvision"),
        Case("resnext50_32x4d", "torchvision"),
        Case("resnext101_32x8d", "torchvision"),
    ],
    "mobilenetv2": [
        Case("mobilenetv2_x0_25", "checkpoints", 1, 28),
        *(
            Case(f"mobilenetv2_x{width}", "checkpoints", 3, 32)
            for width in ("0_5", "0_75", "1_0", "1_4")
        ),
        Case("mobilenet_v2", "checkpoints", 3, 224, 1000),
        *cifar("mobilenetv2_x", "0_5", "0_75", "1_0", "1_4"),
        Case("mobilenet_v2", "timm:mobilenetv2_100"),
    ],
    "mobilenetv2-timm": [
        *(Case(f"mobilenetv2_{width}", "timm") for width in ("050", "075", "100", "140")),
        Case("mobilenetv2_100", "torchvision:mobilenet_v2"),
    ],
    "mobilenetv3": [Case(f"mobilenet_v3_{size}", "torchvision") for size in ("small", "large")],
    "mobilenetv3-timm": [Case(f"mobilenetv3_{size}_100", "timm") for size in ("small", "large")],
    "regnet": [
        Case(f"regnet_{kind}_{flops}", "torchvision")
        for kind in "xy"
        for flops in ("400mf", "800mf", "1_6gf", "3_2gf")
    ]
    + [
        # timm's own regnetx_004 rounds one width to whole groups in another way.
        Case("regnet_x_400mf", "timm:regnetx_004_tv"),
        Case("regnet_y_400mf", "timm:regnety_004"),
    ],
    "regnet-timm": [Case(f"regnet{kind}_002", "timm") for kind in "xy"],
    "shufflenetv2": [
        *(Case(f"shufflenet_v2_x{width}", "torchvision") for width in ("0_5", "1_0", "1_5", "2_0")),
        *cifar("shufflenetv2_x", "0_5", "1_0", "1_5", "2_0"),
    ],
    "squeezenet": [
        *(Case(f"squeezenet1_{minor}", "torchvision") for minor in (0, 1)),
    ],
    "vgg": [
        *(
            Case(f"vgg{depth}{norm}", "torchvision", batch=1)
            for depth in (11, 13, 16, 19)
            for norm in ("", "_bn")
        ),
        *cifar("vgg", "11_bn", "13_bn", "16_bn", "19_bn"),
        Case("vgg11", "timm:vgg11", batch=1),
        Case("vgg11_bn", "timm:vgg11_bn", batch=1),
    ],
    "vit": [
        Case("vit_micro_patch4_28", "checkpoints", 1, 28),
        *(
            Case(f"vit_{width}_patch16_224", "timm", size=224, batch=1)
            for width in ("tiny", "small", "base")
        ),
        Case("vit_small_patch32_224", "timm", size=224, batch=1),
        Case("vit_base_patch32_224", "timm", size=224, batch=1),
        Case("vit_base_patch32_224", "torchvision:vit_b_32", size=224, batch=1),
    ],
    "deit": [
        Case(f"deit_{width}{kind}_patch16_224", "timm", size=224, batch=1)
        for kind in ("", "_distilled")
        for width in ("tiny", "small", "base")
    ],
    "convnext": [
        *(Case(f"convnext_{width}", "torchvision") for width in ("tiny", "small", "base")),
        Case("convnext_tiny", "timm:convnext_tiny"),
    ],
    # At 64 pixels windows are padded, and cover what is left in the last stages.
    "swin": [
        Case("swin_t", "torchvision", size=224, batch=1),
        *(Case(f"swin_{width}", "torchvision") for width in "tsb"),
        Case("swin_t", "timm:swin_tiny_patch4_window7_224", size=224, batch=1),
    ],
    "mlp-mixer": [
        Case(f"mixer_{width}_224", "timm", size=224, batch=1)
        for width in ("s32", "s16", "b32", "b16")
    ],
    "poolformer": [Case(f"poolformer_s{depth}", "timm") for depth in (12, 24, 36)],
    # The last levels of no other size have a pixel.
    "ssd": [Case("ssd300_vgg16", "torchvision", size=300, classes=4, batch=1)],
    "ssdlite": [Case("ssdlite320_mobilenet_v3_large", "torchvision", size=96, classes=4)],
    "ssd-mobilenetv1": [Case("ssd300_mobilenet_v1", "detectors", size=96, classes=4)],
    "ssdlite-mobilenetv2": [Case("ssdlite300_mobilenet_v2", "detectors", size=96, classes=4)],
    "ssd-resnet": [Case("ssd_resnet20", "checkpoints", 1, 32, 4)],
    "yolox": [
        Case(f"yolox_{width}", "detectors", classes=4) for width in ("nano", "tiny", "s")
    ],
    "retinanet": [Case("retinanet_resnet50_fpn", "torchvision", classes=4, batch=1)],
    "fcos": [Case("fcos_resnet50_fpn", "torchvision", classes=4, batch=1)],
    "unet2d": [
        Case("ddpm_micro_28", "diffusers", 1, 28, 0),
        Case("ddpm_cifar10_32", "diffusers", 3, 8, 0, 1),
        Case("ddpm_cifar10_32", "diffusers", 3, 32, 0, 2),
        *(Case(f"ddpm_{what}_256", "diffusers", 3, 64, 0, 1) for what in ("church", "bedroom")),
        Case("ddpm_micro_28", BEFORE + "ddpm_micro_28", 1, 28, 0),
        Case("ldm_celebahq_256", "diffusers", 3, 8, 0, 2, SMALL_UNET),
        Case("ldm_celebahq_256", "diffusers", 3, 64, 0, 1),
        Case("ldm_celebahq_256", BEFORE + "ldm_celebahq_256", 3, 8, 0, 2, SMALL_UNET),
    ],
    "vqmodel": [
        Case("vq_celebahq_256", "diffusers", 3, 8, 0, 2, SMALL_DECODER),
        Case("vq_celebahq_256", "diffusers", 3, 32, 0, 1),
        Case("vq_celebahq_256", BEFORE + "vq_celebahq_256", 3, 8, 0, 2, SMALL_DECODER),
    ],
}

# What torchvision is told besides. Auxiliary heads have no part in the output.
OPTIONS: Dict[str, Dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


def of_detector(name: str) -> bool:
    """Whether a weight is one of those of detectors that are larger."""
    if name.startswith("head."):
        return "conv" in name or "stems" in name
    if name.startswith(("base_net.", "extras.")):
        return ".conv." not in name
    residual = any(part in name for part in (".block.", ".body.", ".layer"))
    return name.startswith("backbone.") and not residual


def generate(name: str, shape: Tuple[int, ...]) -> np.ndarray:
    """The f32 values of a parameter, a buffer or the input."""
    u = uniform(name, int(np.prod(shape))).reshape(shape)
    signed = 2.0 * u - 1.0
    if name == "input":
        values = signed
    elif name.endswith("running_var"):
        values = 0.5 + u
    elif name.endswith(".weight") and len(shape) > 1:
        raised = ".block." in name or name.endswith(".conv_dw.weight")
        gain = 1.5 if ".0.block." in name else 1.25 if raised else 1.0
        gain *= 1.4 if of_detector(name) else 1.0
        values = signed * np.sqrt(3.0 / (u.size // shape[0])) * gain
    elif name.endswith(".weight"):
        values = 0.5 + u
    elif name.endswith(".conv_expand.bias"):
        values = signed * 0.1 + 2.0
    else:
        values = signed * 0.1
    return values.astype(np.float32)


def fill(model: nn.Module) -> nn.Module:
    """Give ``model`` generated weights, and put it in evaluation mode."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                name = called(model, name)
                tensor.copy_(torch.from_numpy(generate(name, tuple(tensor.shape))))
    return model.eval()


def called(model: nn.Module, name: str) -> str:
    """What the case says that a parameter or module is called."""
    return model.called(name) if hasattr(model, "called") else name


IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# What the logs of pytorch-cifar-models say.
CIFAR10 = (32, 32, "bilinear", (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.201))
CIFAR100 = (32, 32, "bilinear", (0.507, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761))

# Names begin with these: resize, crop, interpolation, mean and standard deviation.
PREPROCESSING: Dict[str, Tuple[int, int, str, Tuple[float, ...], Tuple[float, ...]]] = {
    "cifar10_": CIFAR10,
    "cifar100_": CIFAR100,
    "mobilenetv2_x": CIFAR10,
    # pytorch_resnet_cifar10 normalises as for ImageNet.
    "resnet": (32, 32, "bilinear", *IMAGENET),
    # timm's, from 1.0 on.
    "mobilenetv1_100": (256, 224, "bicubic", (0.5,) * 3, (0.5,) * 3),
    # The metadata of the embedded checkpoint.
    "vit_micro": (28, 28, "bicubic", (0.286,), (0.353,)),
    # diffusers scales images to [-1, 1].
    "ddpm_cifar10": (32, 32, "bilinear", (0.5,) * 3, (0.5,) * 3),
    "ddpm_church": (256, 256, "bilinear", (0.5,) * 3, (0.5,) * 3),
    "ddpm_bedroom": (256, 256, "bilinear", (0.5,) * 3, (0.5,) * 3),
    "ddpm_micro": (28, 28, "bilinear", (0.5,), (0.5,)),
    # Of latents, which are drawn and decoded as if they were such images.
    "ldm_celebahq": (64, 64, "bilinear", (0.5,) * 3, (0.5,) * 3),
    "vq_celebahq": (64, 64, "bilinear", (0.5,) * 3, (0.5,) * 3),
}


def letterbox(side: int) -> Dict[str, int]:
    """How YOLOX puts images into squares."""
    return {"min": side, "max": side, "side": side, "fill": 114}


# The same of detectors, and of what else makes squares of whole images: how, mean and standard deviation.
DETECTION: Dict[str, Tuple[Dict[str, int], Tuple[float, ...], Tuple[float, ...]]] = {
    # The metadata of the embedded checkpoint.
    "ssd_resnet": ({"side": 64}, (0.286,), (0.353,)),
    # pytorch-fid interpolates to 299 pixels and scales to [-1, 1].
    "fid_inception_v3": ({"side": 299}, (0.5,) * 3, (0.5,) * 3),
    # pytorch-ssd's.
    "ssd300_mobilenet": ({"side": 300}, (127 / 255,) * 3, (128 / 255,) * 3),
    "ssdlite300": ({"side": 300}, (127 / 255,) * 3, (128 / 255,) * 3),
    # Megvii's take bytes.
    "yolox_s": (letterbox(640), (0.0,) * 3, (1 / 255,) * 3),
    "yolox": (letterbox(416), (0.0,) * 3, (1 / 255,) * 3),
}


def detection_preprocessing(case: Case) -> Dict[str, Any]:
    """How the images of a detector are made squares and normalised, if it is one."""
    import torchvision

    fit: Dict[str, int]
    if case.model in torchvision.models.detection.__dict__:
        images = network(case).transform
        mean, std = images.image_mean, images.image_std
        if images.fixed_size:
            fit = {"side": images.fixed_size[0]}
        else:
            # torchvision fills images up to whole cells of 32 pixels.
            longest = images.max_size
            fit = {"min": images.min_size[0], "max": longest, "side": -(-longest // 32) * 32}
    else:
        found = [v for prefix, v in DETECTION.items() if case.model.startswith(prefix)]
        if not found:
            return {}
        fit, mean, std = found[0]
    # Megvii's code reads images with OpenCV.
    order = {"channels": "bgr"} if case.model.startswith("yolox") else {}
    return {**fit, "interpolation": "plain-bilinear", "mean": mean, "std": std, **order}


def preprocessing(case: Case) -> Dict[str, Any]:
    """How the images of a published checkpoint are resized, cut and normalised."""
    names = ("resize", "crop", "interpolation", "mean", "std")
    import torchvision
    from timm.models import get_pretrained_cfg

    weights = torchvision.models.__dict__.get(case.model)
    if case.source == "timm":
        config = get_pretrained_cfg(case.model)
        crop = config.input_size[-1]
        resize = int(crop / config.crop_pct)
        values = (resize, crop, config.interpolation, config.mean, config.std)
    elif weights is not None:
        first = torchvision.models._api._get_enum_from_fn(weights).IMAGENET1K_V1
        images = first.transforms()
        # These two scale their input from ImageNet's mean and deviation to 0.5 (``transform_input``).
        scaled = case.model in ("googlenet", "inception_v3")
        mean, std = ((0.5,) * 3,) * 2 if scaled else (images.mean, images.std)
        (resize,), (crop,) = images.resize_size, images.crop_size
        values = (resize, crop, images.interpolation.value, mean, std)
    else:
        values = next(v for prefix, v in PREPROCESSING.items() if case.model.startswith(prefix))
    return dict(zip(names, values))


def network(case: Case) -> nn.Module:
    """The network of a case."""
    source, _, name = case.source.partition(":")
    name = name or case.model
    if source == "checkpoints":
        return build(name, case.channels, case.classes)
    if source == "detectors":
        return DETECTORS[name](case.channels, case.classes)
    if source == "pytorch-fid":
        from pytorch_fid import inception

        # Without its checkpoint, which would be downloaded.
        with mock.patch.object(inception, "load_state_dict_from_url"), mock.patch.object(
            torch.nn.Module, "load_state_dict"
        ):
            return inception.fid_inception_v3()
    if source.startswith("diffusers"):
        if name in DECODERS:
            model = decoder(name, case.channels, **case.overrides)
        else:
            model = unet(name, case.channels, case.size, **case.overrides)
        if source != "diffusers":
            model.called = before
        return model
    if source == "torchvision":
        import torchvision

        if name in torchvision.models.detection.__dict__:
            return torchvision_detector(name, case.classes)
        return getattr(torchvision.models, name)(
            weights=None, num_classes=case.classes, **OPTIONS.get(name, {})
        )
    import timm

    return timm.create_model(name, num_classes=case.classes, in_chans=case.channels)


def torchvision_detector(name: str, classes: int) -> nn.Module:
    """A detector of torchvision's, with the epsilons of its published checkpoint."""
    from torchvision.models import detection

    model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=classes)
    if name.startswith("retinanet"):
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
    return model


def outputs_of(model: nn.Module, images: Tensor) -> Dict[str, Tensor]:
    """The raw outputs of a network by name; "logits" of a classifier."""
    if isinstance(model, UNet2DModel):
        output = model(images, torch.tensor(TIMESTEPS[: len(images)])).sample
        return {"conv_out": output.flatten(1, 2)}
    if isinstance(model, VQModel):
        return {"decoder.conv_out": model.decode(images).sample.flatten(1, 2)}
    if hasattr(model, "transform"):
        # A detector of torchvision's, whose forward would also resize images and choose boxes.
        outputs = model.head(list(model.backbone(images).values()))
    else:
        outputs = model(images)
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def probes(name: str, output: Tensor) -> Dict[str, Any]:
    """Some rows of an output [batch, rows, columns]."""
    count = output.shape[1]
    last = {count - (1 << power) for power in range(count.bit_length())}
    chosen = sorted(last | set(np.linspace(0, count - 1, 6).astype(int).tolist()))
    return {
        "name": name,
        "shape": list(output.shape),
        "rows": chosen,
        "values": digits(output[:, chosen].flatten(1).numpy()),
    }


def count_macs(model: nn.Module, image: Tensor) -> int:
    """Multiply-accumulates of the convolutions and linear layers, counted in a forward pass."""
    weights = {id(layer.weight) for _, layer in prunable_layers(model)}
    total = 0

    def counted(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(inputs: Tensor, weight: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            nonlocal total
            output = function(inputs, weight, *args, **kwargs)
            # Each output element takes one filter or one row of the weight.
            total += output.numel() * weight[0].numel() if id(weight) in weights else 0
            return output

        return call

    # Swin applies the weights of its layers without calling the layers, so that hooks would not see them.
    linear, conv2d = counted(functional.linear), counted(functional.conv2d)
    with torch.no_grad(), mock.patch.multiple(functional, linear=linear, conv2d=conv2d):
        outputs_of(model, image)
    return total


def peers(name: str, channels: int, classes: int) -> Iterator[Tuple[str, nn.Module]]:
    """The same architecture by other hands, as far as it is installed."""
    if name == "mobilenet_v2":
        try:
            import torchvision
        except ImportError:
            return
        yield "torchvision", torchvision.models.mobilenet_v2(num_classes=classes)
    elif name == "vit_micro_patch4_28":
        try:
            from timm.models.vision_transformer import VisionTransformer
        except ImportError:
            return
        yield "timm", VisionTransformer(
            img_size=28,
            patch_size=4,
            in_chans=channels,
            num_classes=classes,
            embed_dim=64,
            depth=6,
            num_heads=4,
        )


def describe(case: Case, compare: bool) -> Dict[str, Any]:
    """The fixture of one model."""
    model = fill(network(case))
    shape = (case.batch, case.channels, case.size, case.size)
    inputs = torch.from_numpy(generate("input", shape))
    with torch.no_grad():
        outputs = outputs_of(model, inputs)
        for peer, other in peers(case.model, case.channels, case.classes) if compare else ():
            assert list(other.state_dict()) == list(model.state_dict()), peer
            difference = (fill(other)(inputs) - outputs["logits"]).abs().max().item()
            print(f"  {peer}: same names in the same order, logits within {difference:.1e}")
    macs = count_macs(model, inputs[:1])
    with torch.no_grad():
        exact = outputs_of(model.double(), inputs.double())
    deviation = max((exact[name] - outputs[name]).abs().max().item() for name in outputs)
    images = detection_preprocessing(case) or preprocessing(case)
    print(f"{case.model} {list(shape)}: {macs} MACs, |f32 - f64| <= {deviation:.1e}")
    return {
        "model": case.model,
        "source": case.source,
        "input": list(shape),
        **({"overrides": case.overrides} if case.overrides else {}),
        **({"classes": case.classes} if case.classes else {}),
        **({"timesteps": TIMESTEPS[: case.batch]} if isinstance(model, UNet2DModel) else {}),
        **({} if ":" in case.source else {"preprocess": images}),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "macs": macs,
        "prunable": [
            f"{called(model, name)} {'x'.join(map(str, layer.weight.shape))}"
            for name, layer in prunable_layers(model)
        ],
        "f32_deviation": float(f"{deviation:.3g}"),
        **(
            {"logits": digits(outputs["logits"].numpy())}
            if "logits" in outputs
            else {"outputs": [probes(*output) for output in outputs.items()]}
        ),
    }


def main() -> None:
    """Write the fixtures beside this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="these alone (default: all)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--peers", action="store_true", help="compare with torchvision and timm")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for family in args.families or FAMILIES:
        document = {
            "source": f"tests/reference/models.py, PyTorch {torch.__version__}",
            "family": family,
            "models": [describe(case, args.peers) for case in FAMILIES[family]],
        }
        write_json(HERE / "models" / f"{family}.json", document)


if __name__ == "__main__":
    main()
