#!/usr/bin/env python3
"""Train the embedded generator and store it as f16 ``.safetensors``.

A U-Net of DDPM's, diffusers' ``UNet2DModel``, learns to tell the noise in the 60,000 training images of
Fashion-MNIST at time steps drawn evenly (Ho et al. 2020, algorithm 1): AdamW with warm-up and a cosine
schedule, a fixed number of steps, random horizontal flips. Stored is the exponential moving average of
the weights. Nothing is selected, and the test images are not looked at. A run is determined by the seed,
the PyTorch build and the machine type.

Needs diffusers (0.21). --samples writes a grid of drawings by DDIM.

Example:
    python3 train_generator.py --steps 4000 --output ddpm_micro_28-fashion-mnist.safetensors
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Dict

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor, nn

from formats import DEBIAN_DATA, load_split, to_half, write_safetensors

SIDE = 28
TIMESTEPS = 1000


def unet() -> UNet2DModel:
    """ddpm_micro_28."""
    return UNet2DModel(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=8,
        norm_eps=1e-6,
        attention_head_dim=None,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
    )


def left() -> Tensor:
    """The share of an image's variance that is left at each time step."""
    betas = torch.linspace(1e-4, 0.02, TIMESTEPS, dtype=torch.float64)
    return torch.cumprod(1 - betas, 0).float()


def schedule(step: int, steps: int) -> float:
    """The learning rate of a step as a fraction of the peak: warm-up, then half a cosine."""
    warmup = min(200.0, 0.05 * steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def train(model: nn.Module, images: np.ndarray, args: argparse.Namespace) -> Dict[str, Tensor]:
    """Train ``model`` in place; return the moving average of its weights."""
    rng = np.random.default_rng(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=0.01)
    remaining = left()
    average = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start, total = time.monotonic(), 0.0
    model.train()
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.rate * schedule(step, args.steps)
        batch = images[rng.integers(0, len(images), args.batch)]
        flipped = rng.random(args.batch) < 0.5
        batch[flipped] = batch[flipped][:, :, ::-1]
        clean = torch.from_numpy(batch.astype(np.float32) / 127.5 - 1)[:, None]
        steps = torch.randint(TIMESTEPS, (args.batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        share = remaining[steps][:, None, None, None]
        noisy = share.sqrt() * clean + (1 - share).sqrt() * noise
        loss = nn.functional.mse_loss(model(noisy, steps).sample, noise)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        # Averages over the first steps are short.
        decay = min(args.decay, (step + 1) / (step + 10))
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                average[name].lerp_(tensor, 1 - decay)
        total += loss.item()
        if (step + 1) % 100 == 0:
            seconds = time.monotonic() - start
            print(f"step {step + 1}: loss {total / 100:.4f}, {seconds:.0f} s", flush=True)
            total = 0.0
    return average


def draw(model: nn.Module, path: Path) -> None:
    """Write 64 drawings by DDIM in 50 steps."""
    from PIL import Image

    scheduler = DDIMScheduler(num_train_timesteps=TIMESTEPS)
    scheduler.set_timesteps(50)
    image = torch.randn(64, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    model.eval()
    with torch.no_grad():
        for step in scheduler.timesteps:
            image = scheduler.step(model(image, step).sample, step, image).prev_sample
    levels = ((image + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    rows = levels.reshape(8, 8, SIDE, SIDE).transpose(0, 2, 1, 3).reshape(8 * SIDE, 8 * SIDE)
    Image.fromarray(rows).save(path)


def main() -> None:
    """Train and store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DEBIAN_DATA, help="the four idx files")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=0.999, help="of the moving average")
    parser.add_argument("--samples", type=Path, help="a PNG of drawings")
    parser.add_argument("--output", type=Path, required=True, help="the .safetensors file to write")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    model = unet()
    images, _ = load_split(args.data, "train")
    average = train(model, images, args)
    model.load_state_dict(average)
    arrays = {name: tensor.contiguous().numpy() for name, tensor in average.items()}
    write_safetensors(args.output, to_half(arrays), mean=0.5, std=0.5)
    print(f"{args.output.name}: {args.output.stat().st_size} bytes")
    if args.samples:
        draw(model, args.samples)


if __name__ == "__main__":
    main()
