#!/usr/bin/env python3
"""Time `ptsbench sample` and diffusers on the same networks, in turns.

Weights are random: what is drawn is noise, at the cost of pictures. The time of ptsbench is that of the whole
program, loading included. Prints medians of three rounds and their ratio.

Needs a release build, torch, diffusers (0.21) and safetensors.

Example:
    cargo build --release && python3 benches/vs_diffusers.py --threads 1 2
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

import torch
from diffusers import DDIMScheduler, UNet2DModel
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "reference"))

from unets import unet  # noqa: E402

ROUNDS = 3
# Name, channels, side, pictures, pictures at once, steps.
JOBS = [("ddpm_micro_28", 1, 28, 32, 16, 20), ("ddpm_cifar10_32", 3, 32, 4, 4, 5)]


def draw(model: UNet2DModel, channels: int, side: int, count: int, batch: int, steps: int) -> None:
    scheduler = DDIMScheduler()
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        for _ in range(0, count, batch):
            image = torch.randn(batch, channels, side, side)
            for step in scheduler.timesteps:
                image = scheduler.step(model(image, step).sample, step, image).prev_sample


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1])
    parser.add_argument("--program", default=str(ROOT / "target" / "release" / "ptsbench"))
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    for name, channels, side, count, batch, steps in JOBS:
        model = unet(name, channels, side).eval()
        weights = folder / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, str(weights))
        command = [args.program, "sample", "--model", name, "--weights", str(weights)]
        command += ["--count", str(count), "--batch-size", str(batch), "--steps", str(steps)]
        command += ["--output", str(folder / "grid.png")]
        for threads in args.threads:
            torch.set_num_threads(threads)
            environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
            ours: List[float] = []
            theirs: List[float] = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                draw(model, channels, side, count, batch, steps)
                theirs.append(time.perf_counter() - start)
                start = time.perf_counter()
                subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
                ours.append(time.perf_counter() - start)
            us, them = statistics.median(ours), statistics.median(theirs)
            print(f"{name}, {threads} threads: {us:.2f} s, diffusers {them:.2f} s, ratio {us / them:.2f}")


if __name__ == "__main__":
    main()
