#!/usr/bin/env python3
"""Time torchvision's SSD on the outputs of detection.rs, which are computed here by the same formulas.

`cargo bench --bench detection SSD300` times ptsbench. Both print how many boxes come out, and the sum of their scores.
Needs torch and torchvision.
"""

from __future__ import annotations

import statistics
import time
from typing import Dict, List, Tuple

import numpy as np
import torch
import torchvision
from torchvision.models.detection.image_list import ImageList

ANCHORS, COLUMNS = 8732, 21


def noise(first: int, count: int) -> np.ndarray:
    with np.errstate(over="ignore"):
        z = np.arange(first + 1, first + count + 1, dtype=np.uint64)
        z = z * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> np.uint64(31))) >> np.uint64(11)
    return z / float(1 << 53)


def outputs(background: float) -> Tuple[torch.Tensor, torch.Tensor]:
    """Logits and regression."""
    of = noise(0, 32 * ANCHORS).reshape(ANCHORS, 32)
    logits = 2.0 * of[:, :COLUMNS]
    logits[:, 0] += background
    (seeing,) = np.nonzero(of[:, 31] < 0.01)
    logits[seeing, (1.0 + 20.0 * of[seeing, 30]).astype(int)] += 9.0
    regression = noise(128 * 8, 8 * ANCHORS).reshape(ANCHORS, 8)[:, :4] - 0.5
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(regression, dtype=torch.float32)


def main() -> None:
    torch.set_num_threads(1)
    model = torchvision.models.detection.ssd300_vgg16(
        weights=None, weights_backbone=None, num_classes=COLUMNS
    ).eval()
    sides = (38, 19, 10, 5, 3, 1)
    maps = [torch.zeros(1, 1, side, side) for side in sides]
    anchors = model.anchor_generator(ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)]), maps)
    for name, background in (("sure", 7.0), ("unsure", 0.0)):
        logits, regression = outputs(background)
        head = {"cls_logits": logits[None], "bbox_regression": regression[None]}
        times: List[float] = []
        found: List[Dict[str, torch.Tensor]] = []
        with torch.no_grad():
            for _ in range(11):
                start = time.perf_counter()
                found = model.postprocess_detections(head, anchors, [(300, 300)])
                times.append(time.perf_counter() - start)
        scores = found[0]["scores"].double()
        print(f"{name}: {len(scores)} boxes, scores sum to {scores.sum().item():.4f}")
        print(f"{name}: {1e3 * statistics.median(times):.2f} ms")


if __name__ == "__main__":
    main()
