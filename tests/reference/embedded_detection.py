#!/usr/bin/env python3
"""Write embedded_detection.json: what the embedded detector finds on the embedded test canvases.

The checkpoint is loaded with its f16 tensors widened to f32 and run in f32; boxes are made as
torchvision makes them, and measured by pycocotools. The canvases are those of the example
``detection_canvases``, of the embedded test images with seed 1.

Example:
    F=../../assets/fashion-mnist
    cargo run --release --example detection_canvases -- \\
        $F/test-images-idx3-ubyte.gz $F/test-labels-idx1-ubyte.gz 1000 1 canvases.safetensors
    python3 embedded_detection.py --canvases canvases.safetensors
"""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from common import CHECKPOINTS, HERE, write_json
from detection import default_boxes, detect
from evaluation import load_state
from formats import normalise, read_safetensors, read_tensors
from models import build

NAME = "ssd_resnet20-fashion-mnist-detection"
SIDE = 64
SUBSETS = (200, 1_000)
FIGURES = ("map", "map50", "map75", "map-small", "map-medium")


def extent(box: np.ndarray) -> List[float]:
    """Edges as COCO has them: left, upper, width, height."""
    left, upper, right, lower = (float(edge) for edge in box)
    return [left, upper, right - left, lower - upper]


def truth(canvases: Dict[str, np.ndarray], count: int) -> COCO:
    """The things on the first ``count`` canvases."""
    things = [
        {
            "id": number + 1,
            "image_id": int(canvas),
            "category_id": int(kind) + 1,
            "bbox": extent(box),
            "area": extent(box)[2] * extent(box)[3],
            "iscrowd": 0,
        }
        for number, (canvas, kind, box) in enumerate(
            zip(canvases["canvas"], canvases["classes"], canvases["boxes"])
        )
        if canvas < count
    ]
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(count)],
        "categories": [{"id": kind + 1} for kind in range(10)],
        "annotations": things,
    }
    coco.createIndex()
    return coco


def found(model: torch.nn.Module, images: np.ndarray) -> List[Dict[str, Any]]:
    """What the detector finds, as COCO has it."""
    boxes = default_boxes(SIDE)
    results = []
    for number, image in enumerate(images):
        with torch.no_grad():
            outputs = model(torch.from_numpy(normalise(image[None])))
        places, labels, scores = detect(
            outputs["cls_logits"][0], outputs["bbox_regression"][0], boxes, SIDE
        )
        for place, label, score in zip(places.numpy(), labels.tolist(), scores.tolist()):
            results.append(
                {
                    "image_id": number,
                    "category_id": label,
                    "bbox": extent(place),
                    "score": score,
                }
            )
    return results


def main() -> None:
    """Write embedded_detection.json beside this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--canvases", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    canvases = read_tensors(args.canvases)
    model = build("ssd_resnet20", 1, 11)
    load_state(model, read_safetensors(CHECKPOINTS / f"{NAME}.safetensors"))
    model.eval()
    results = found(model, canvases["images"])
    subsets = []
    for count in SUBSETS:
        with contextlib.redirect_stdout(io.StringIO()):
            coco = truth(canvases, count)
            seen = coco.loadRes([result for result in results if result["image_id"] < count])
            evaluation = COCOeval(coco, seen, "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        figures = (round(100 * float(value), 4) for value in evaluation.stats)
        subsets.append({"images": count, **dict(zip(FIGURES, figures))})
    print(*subsets, sep="\n")
    source = f"tests/reference/embedded_detection.py, PyTorch {torch.__version__}, pycocotools"
    write_json(HERE / "embedded_detection.json", {"source": source, "subsets": subsets})


if __name__ == "__main__":
    main()
