"""The diffusion models of models.py: diffusers' ``UNet2DModel`` and ``VQModel`` in published configurations, and a small one."""

from __future__ import annotations

from typing import Any, Dict, Tuple

from diffusers import UNet2DModel, VQModel

# The time steps of the images of a batch.
TIMESTEPS = (731, 3)

# What the networks of DDPM have in common.
DDPM: Dict[str, Any] = {
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "norm_eps": 1e-6,
    "attention_head_dim": None,
    "downsample_padding": 0,
    "flip_sin_to_cos": False,
    "freq_shift": 1,
}
WIDE = (128, 128, 256, 256, 512, 512)

# ``attention`` lists the levels that have it.
UNETS: Dict[str, Dict[str, Any]] = {
    "ddpm_cifar10_32": {**DDPM, "block_out_channels": (128, 256, 256, 256), "attention": (1,)},
    "ddpm_church_256": {**DDPM, "block_out_channels": WIDE, "attention": (4,)},
    "ddpm_bedroom_256": {**DDPM, "block_out_channels": WIDE, "attention": (4,)},
    "ddpm_micro_28": {
        **DDPM,
        "block_out_channels": (32, 64, 64),
        "attention": (2,),
        "layers_per_block": 1,
        "norm_num_groups": 8,
    },
    "ldm_celebahq_256": {
        "block_out_channels": (224, 448, 672, 896),
        "attention": (1, 2, 3),
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "norm_eps": 1e-5,
        "attention_head_dim": 32,
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
    },
}

DECODERS: Dict[str, Dict[str, Any]] = {
    "vq_celebahq_256": {
        "block_out_channels": (128, 256, 512),
        "layers_per_block": 2,
        "latent_channels": 3,
        "norm_num_groups": 32,
        "num_vq_embeddings": 8192,
        "out_channels": 3,
    },
}


def unet(name: str, channels: int, size: int, **overrides: Any) -> UNet2DModel:
    """A network with new weights."""
    options = {**UNETS[name], **overrides}
    attention = options.pop("attention")

    def kinds(direction: str) -> Tuple[str, ...]:
        attends = [level in attention for level in range(len(options["block_out_channels"]))]
        return tuple(f"{'Attn' if a else ''}{direction}Block2D" for a in attends)

    return UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        down_block_types=kinds("Down"),
        up_block_types=kinds("Up")[::-1],
        **options,
    )


def decoder(name: str, channels: int, **overrides: Any) -> VQModel:
    """The decoding half of a network with new weights."""
    options = {**DECODERS[name], **overrides}
    levels = len(options["block_out_channels"])
    model = VQModel(
        vq_embed_dim=channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        **options,
    )
    del model.encoder, model.quant_conv
    return model


def before(name: str) -> str:
    """What a parameter or module was called before diffusers 0.18."""
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        name = name.replace(f".{new}", f".{old}")
    return name
