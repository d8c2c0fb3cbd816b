#!/usr/bin/env python3
"""Write samplers.json: what diffusers' schedulers draw where a formula stands for the network.

The noise that is seen in an image x at a time step t is sin(0.8 x + 0.0002 t). What images start from
and the fresh noise of each step are normal numbers of NumPy's, written down. ``left`` has the share
of an image's variance that is left at some time steps (``alphas_cumprod``). Arithmetic is in f32.

Needs diffusers (0.21) and torch.
"""

from __future__ import annotations

from typing import Any, Dict, List
from unittest import mock

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers import scheduling_ddim, scheduling_ddpm

from common import HERE, digits, write_json

SIZE = 12
CASES = [
    ("linear", "ddim", 10, 0.0, True),
    ("linear", "ddim", 7, 1.0, True),
    ("scaled_linear", "ddim", 20, 0.3, True),
    ("squaredcos_cap_v2", "ddim", 12, 0.0, True),
    ("linear", "ddpm", 25, None, True),
    ("squaredcos_cap_v2", "ddpm", 15, None, True),
    ("scaled_linear", "ddim", 9, 0.5, False),
]


def describe(schedule: str, sampler: str, steps: int, eta: Any, clip: bool) -> Dict[str, Any]:
    """A walk from noise to an image."""
    random = np.random.default_rng(steps)
    start = random.standard_normal(SIZE).astype(np.float32)
    fresh = random.standard_normal((steps, SIZE)).astype(np.float32)
    kind = DDIMScheduler if sampler == "ddim" else DDPMScheduler
    scheduler = kind(beta_start=1e-4, beta_end=0.02, beta_schedule=schedule, clip_sample=clip)
    scheduler.set_timesteps(steps)
    image = torch.from_numpy(start)[None]
    options = {} if eta is None else {"eta": eta}
    for noise, step in zip(fresh, scheduler.timesteps):
        seen = torch.sin(0.8 * image + 2e-4 * float(step))

        def given(*args: Any, noise: np.ndarray = noise, **kwargs: Any) -> torch.Tensor:
            return torch.from_numpy(noise)[None]

        with mock.patch.object(scheduling_ddim, "randn_tensor", given), mock.patch.object(
            scheduling_ddpm, "randn_tensor", given
        ):
            image = scheduler.step(seen, step, image, **options).prev_sample
    looked: List[int] = [0, 1, 500, 998, 999]
    return {
        "schedule": schedule,
        "sampler": f"{sampler}(steps={steps})" if eta is None else f"{sampler}(steps={steps},eta={eta})",
        "clip": clip,
        "start": digits(start),
        "fresh": digits(fresh),
        "steps": scheduler.timesteps.tolist(),
        "left": [[step, digits(scheduler.alphas_cumprod[step].numpy())] for step in looked],
        "image": digits(image[0].numpy()),
    }


if __name__ == "__main__":
    import diffusers

    source = f"tests/reference/samplers.py, diffusers {diffusers.__version__}"
    write_json(HERE / "samplers.json", {"source": source, "cases": [describe(*c) for c in CASES]})
