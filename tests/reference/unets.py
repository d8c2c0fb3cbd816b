"""The U-Nets of models.py: diffusers' ``UNet2DModel`` in the configurations of Google's DDPMs, and a small one."""

from __future__ import annotations

from typing import Tuple

from diffusers import UNet2DModel

# The time steps of the images of a batch.
TIMESTEPS = (731, 3)

# Channels of each level, the levels with attention, residual blocks a level, groups of the norms.
CONFIGURATIONS = {
    "ddpm_cifar10_32": ((128, 256, 256, 256), (1,), 2, 32),
    "ddpm_church_256": ((128, 128, 256, 256, 512, 512), (4,), 2, 32),
    "ddpm_bedroom_256": ((128, 128, 256, 256, 512, 512), (4,), 2, 32),
    "ddpm_micro_28": ((32, 64, 64), (2,), 1, 8),
}


def unet(name: str, channels: int, size: int) -> UNet2DModel:
    """A network with new weights."""
    widths, attention, layers, groups = CONFIGURATIONS[name]

    def kinds(direction: str) -> Tuple[str, ...]:
        attends = [level in attention for level in range(len(widths))]
        return tuple(f"{'Attn' if a else ''}{direction}Block2D" for a in attends)

    return UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=widths,
        down_block_types=kinds("Down"),
        up_block_types=kinds("Up")[::-1],
        layers_per_block=layers,
        norm_num_groups=groups,
        norm_eps=1e-6,
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
    )


def before(name: str) -> str:
    """What a parameter or module was called before diffusers 0.18."""
    for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
        name = name.replace(f".{new}", f".{old}")
    return name
