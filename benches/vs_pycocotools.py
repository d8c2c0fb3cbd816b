#!/usr/bin/env python3
"""Time pycocotools on the detections of detection.rs, which are computed here by the same formulas.

`cargo bench --bench detection` times ptsbench. Both print the average precision, to be compared.
Needs numpy and pycocotools.
"""

from __future__ import annotations

import contextlib
import io
import time
from typing import Any, Dict, List, Tuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

IMAGES, CLASSES, TRUE, FOUND = 5000, 80, 7, 100


def noise() -> np.ndarray:
    """Numbers from 0 to 1, `[image, thing, field]`; things from 100 on are true."""
    with np.errstate(over="ignore"):
        index = np.arange(1, IMAGES * 128 * 8 + 1, dtype=np.uint64)
        z = index * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = (z ^ (z >> np.uint64(31))) >> np.uint64(11)
    return (z / float(1 << 53)).reshape(IMAGES, 128, 8)


def things() -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Classes and rectangles of what is true; classes, rectangles and scores of what was found."""
    of = noise()
    first = 13 * np.arange(IMAGES)[:, None]
    u = of[:, 100 : 100 + TRUE]
    classes = (first + (3.0 * u[..., 0]).astype(int)) % CLASSES
    x, y = 400.0 * u[..., 1], 300.0 * u[..., 2]
    width, height = (10.0 + 240.0 * u[..., i] * u[..., i] for i in (3, 4))
    truth = np.stack([x, y, width, height], axis=-1)

    u = of[:, :FOUND]
    kinds = (first + (10.0 * u[..., 0]).astype(int)) % CLASSES
    sides = [400.0 * u[..., 1], 300.0 * u[..., 2], 10.0 + 200.0 * u[..., 3], 10.0 + 200.0 * u[..., 4]]
    found = np.stack(sides, axis=-1)
    scores = 0.5 * u[..., 5]
    near, u = np.tile(truth, (1, 3, 1)), u[:, : 3 * TRUE]
    found[:, : 3 * TRUE, :2] = near[..., :2] + 0.3 * near[..., 2:] * (u[..., 1:3] - 0.5)
    found[:, : 3 * TRUE, 2:] = near[..., 2:] * (0.85 + 0.3 * u[..., 3:5])
    kinds[:, : 3 * TRUE] = np.tile(classes, (1, 3))
    scores[:, : 3 * TRUE] = u[..., 5]
    return classes, truth, kinds, found, scores


def collections() -> Tuple[COCO, COCO]:
    classes, boxes, kinds, found, scores = (array.tolist() for array in things())
    annotations: List[Dict[str, Any]] = []
    results: List[Dict[str, Any]] = []
    for image in range(IMAGES):
        for thing, (kind, box) in enumerate(zip(classes[image], boxes[image])):
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": image,
                "category_id": kind,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": int(image % 10 == 0 and thing + 1 == TRUE),
            })
        for kind, box, score in zip(kinds[image], found[image], scores[image]):
            row = {"image_id": image, "category_id": kind, "bbox": box, "score": score}
            results.append(row)
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(IMAGES)],
        "categories": [{"id": kind} for kind in range(CLASSES)],
        "annotations": annotations,
    }
    truth.createIndex()
    return truth, truth.loadRes(results)


def main() -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(*collections(), "bbox")
        start = time.perf_counter()
        evaluation.evaluate()
        evaluation.accumulate()
        seconds = time.perf_counter() - start
        evaluation.summarize()
    print(f"map is {100 * evaluation.stats[0]:.9f}")
    print(f"evaluate and accumulate: {seconds:.2f} s")


if __name__ == "__main__":
    main()
